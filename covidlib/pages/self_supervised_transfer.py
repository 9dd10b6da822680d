"""Runs of self-supervision and their recipes (``notebooks/msatl/self_supervised_transfer.py``)."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from covidlib import figures
from covidlib.book import Page
from covidlib.data_page import PlainTable
from covidlib.lobe_findings import SIDE, LobeFindings
from covidlib.models.attention_resnet import AttentionResNetSettings
from covidlib.pages.contrastive_loss import COUNTS, mean_weight, release
from covidlib.pages.lobes import Slices, box_error, whole_share
from covidlib.pages.results import NOT_YET, nothing
from covidlib.plans.msatl_stages import self_supervised
from covidlib.runs.executor import execute
from covidlib.runs.record import Record, recorded_folder
from covidlib.runs.recorded import PROFILES
from covidlib.runs.spec import described
from covidlib.runs.store import Store
from covidlib.settings import MocoSettings, SimclrSettings, SstlmSettings

METHODS = {"SSTL-M": "ours", "MoCo": "moco", "SimCLR": "simclr"}
ALONE = "SSTL-M alone"  # how the rows of SSTL-M from random weights end
STEP = Path("msatl", "cost", "sstlm_step.json")  # below the folder of results
EPOCHS = 3  # of the page's own runs, in every profile

# What the papers of the two baselines print for ImageNet, by field of the settings.
PRINTED = {
    "batch": ("256", "4096"),
    "epochs": ("200", "100 to 1000"),
    "lr": ("0.03", "0.3 for each 256 images"),
    "temperature": ("0.07", "0.1"),
    "queue": ("65536", None),
    "key_momentum": ("0.999", None),
    "hidden": ("no", "yes"),
    "weight_decay": ("0.0001", "1e-06"),
}
WORDS = {
    "lr": "learning rate",
    "queue": "keys in the queue",
    "key_momentum": "momentum of the key encoder",
    "hidden": "hidden layer before the projection",
    "weight_decay": "weight decay",
}
UNSTATED = ("queue", "key_momentum", "hidden")  # by msatl


def settings_table(profile: str) -> PlainTable:
    """Set the recipes of the three methods here beside the printed ones (msatl sec. 6.2, 6.4)."""
    ours, network = SstlmSettings(), AttentionResNetSettings(50)
    here = {m: self_supervised(network, profile, False, k).training for m, k in METHODS.items()}
    rows = {}
    for name, (moco, simclr) in PRINTED.items():
        printed = {"SSTL-M": None if name in UNSTATED else _told(getattr(ours, name))}
        printed |= {"MoCo": moco, "SimCLR": simclr}
        rows[WORDS.get(name, name)] = {
            f"{method}, {side}": value
            for method, settings in here.items()
            for side, value in (
                ("print", printed[method]),
                ("here", _told(getattr(settings, name, None))),
            )
        }
    note = f"Here: profile {profile}. A dash: not stated, or the method has no such thing."
    return PlainTable(pd.DataFrame.from_dict(rows, orient="index"), note)


def _told(value: float | None) -> str | None:
    """Write one setting: a switch in words, a number without rounding errors."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return None if value is None else f"{value:g}"


def short_runs(page: Page) -> dict[str, Record]:
    """Train, or find, a few epochs of each method from random weights."""
    specs = {}
    for name, kind in METHODS.items():
        whole = self_supervised(AttentionResNetSettings(50), page.profile, page.phantom, kind)
        short = replace(whole.training, epochs=EPOCHS, validate_every=1)
        specs[name] = replace(whole, training=short)
    done = execute(specs.values(), Store(page.store), page.root, profile=page.profile)
    return {name: done[spec.key] for name, spec in specs.items()}


def recorded_runs(page: Page) -> dict[str, list[Record]]:
    """Return the recorded self-supervised stages of R-50 without attention, by method."""
    names = {SstlmSettings: "SSTL-M", MocoSettings: "MoCo", SimclrSettings: "SimCLR"}
    found: dict[str, list[Record]] = {name: [] for name in METHODS}
    for profile in PROFILES:
        for _, kind, record in _recorded_stages(page, "msatl/ssl_comparison", profile):
            if _plain(record):
                found[names[kind]].append(record)
        if any(found.values()):
            break
    return found


def other_stages(page: Page) -> dict[str, Record]:
    """Return the recorded self-supervised stages that ``recorded_runs`` leaves out, by row.

    Those of networks with attention, and of rows that the paper never printed.
    """
    kinds = (SstlmSettings, MocoSettings, SimclrSettings)
    found: dict[str, Record] = {}
    for name in ("msatl/ssl_comparison", "msatl/unprinted"):
        for profile in PROFILES:
            for row, kind, record in _recorded_stages(page, name, profile):
                if kind in kinds and not (_plain(record) and name == "msatl/ssl_comparison"):
                    found.setdefault(row, record)
    return found


def collapsed_alone(page: Page) -> str:
    """Say how many recorded stages of SSTL-M from random weights ended collapsed."""
    alone = [one for row, one in other_stages(page).items() if row.endswith(ALONE)]
    if not alone:
        return NOT_YET
    ends = [record.curve.dropna(subset=["collapsed"])["collapsed"].iloc[-1] for record in alone]
    return f"{sum(map(bool, ends))} of {len(ends)} such stages ended collapsed"


def _plain(record: Record) -> bool:
    """Say whether a stage is one of R-50 without attention."""
    return record.body["spec"]["network"] == described(AttentionResNetSettings(50))


def _recorded_stages(page: Page, name: str, profile: str) -> Iterator[tuple[str, type, Record]]:
    """Yield row, kind of settings and record of what rows of a plan go on from, once each.

    Seeds of the last stage may share the one before it.
    """
    from covidlib.plans import plan

    seen = set()
    for row in plan(name, profile, phantoms=False).rows:
        for stage in (spec.init for spec in row.specs):
            if stage.key in seen:
                continue
            seen.add(stage.key)
            if folder := recorded_folder(page.recorded, "msatl", stage.key):
                yield row.label, type(stage.training), Record(folder).check(stage)


def draw_runs(axes: Sequence[Axes], runs: Mapping[str, Record], known: Mapping[str, list]) -> None:
    """Draw loss and probe of the recorded stages (left) and of the short runs (right)."""
    sides = ({n: [r.curve for r in rs] for n, rs in known.items() if rs},)
    sides += ({name: [record.curve] for name, record in runs.items()},)
    for column, (curves, title) in enumerate(zip(sides, ("recorded", "this run"), strict=True)):
        for row, (quantity, words) in enumerate(QUANTITIES.items()):
            ax = axes[row][column]
            if curves:
                figures.training_curves(ax, curves, quantity, label=words, names=list(METHODS))
                if row < len(QUANTITIES) - 1:
                    ax.get_legend().remove()
            else:
                nothing(ax)
            if not row:
                ax.set_title(title)


QUANTITIES = {"loss": "loss", "knn_accuracy": "probe, accuracy", "spread": "spread of projections"}


def ends_table(
    runs: Mapping[str, Record],
    known: Mapping[str, Sequence[Record]],
    others: Mapping[str, Record],
) -> PlainTable:
    """Return how each stage ended: images learnt from, and what its validation images show.

    Args:
        runs: of this page, by method.
        known: recorded ones.
        others: recorded ones of other rows, by row.
    """
    rows = {}
    for name in METHODS:
        for record in known.get(name, []):
            seed = f", seed {record.body['spec']['seed']}" if len(known[name]) > 1 else ""
            rows[f"{name}, recorded{seed}"] = _end(record)
        rows[f"{name}, this run"] = _end(runs[name])
    rows |= {f"{row}, recorded": _end(record) for row, record in others.items()}
    note = (
        "Learnt from: training, validation and test images, as the record says image by image. "
        "Lobes: share of the regions of validation slices that are told apart, 0.20 by chance. "
        "Collapsed: looks at the validation slices that found next to no difference between them."
    )
    return PlainTable(pd.DataFrame.from_dict(rows, orient="index"), note)


def _end(record: Record) -> dict[str, str | None]:
    looks = record.curve.dropna(subset=["spread"])
    last = looks.iloc[-1]
    seen = [f"{record.metrics[f'seen_{split}']:.0f}" for split in ("train", "val", "test")]
    return {
        "learnt from": " / ".join(seen),
        "probe, accuracy": f"{last['knn_accuracy']:.2f}",
        "probe, AUC": f"{last['knn_auc']:.2f}" if "knn_auc" in last else None,
        "spread": f"{last['spread']:.2f}",
        "directions": f"{last['effective_rank']:.1f}",
        "lobes": f"{last['region_accuracy']:.2f}" if "region_accuracy" in last else None,
        "collapsed": f"{looks['collapsed'].sum():.0f} of {len(looks)}",
    }


def step_table(page: Page) -> PlainTable:
    """Return what a step of SSTL-M costs beside its compute ceiling, as it was measured."""
    source = page.recorded / STEP
    if not source.is_file():
        return PlainTable(pd.DataFrame({"ms per step": [NOT_YET]}, index=["SSTL-M"]))
    body = json.loads(source.read_text("utf-8"))
    ceiling, ours = (np.array(body[name]) for name in ("ceiling", "covidlib"))
    rows = {
        name: {
            "ms per step": f"{1e3 * np.median(taken):,.0f}",
            "images per second": f"{body['batch'] / np.median(taken):.1f}",
            "of the ceiling": f"{np.median(ceiling / taken):.2f}",
            "range over rounds": f"{(ceiling / taken).min():.2f} to {(ceiling / taken).max():.2f}",
        }
        for name, taken in (("same computation, nothing else", ceiling), ("covidlib", ours))
    }
    threads = f"{body['threads']} thread" + "s" * (body["threads"] > 1)
    note = (
        f"R-{body['depth']}, {body['size']} pixels, {body['batch']} images, lobes of "
        f"{body['regions']}; {body['provenance']['hardware']}, {threads}. Medians of {len(ours)} "
        "rounds of turns, ratios within a round."
        + (" Processor time of all threads." if body["provenance"]["device"] == "cpu" else "")
    )
    return PlainTable(pd.DataFrame.from_dict(rows, orient="index"), note)


def told(known: Mapping[str, Sequence[Record]]) -> str:
    """Say how the recorded SSTL-M ended, or that there is none."""
    if not known.get("SSTL-M"):
        return "SSTL-M is not recorded yet"
    last = [record.curve.dropna(subset=["spread"]).iloc[-1] for record in known["SSTL-M"]]
    lobes, probe = (np.mean([row[name] for row in last]) for name in ("region_accuracy", "knn_auc"))
    return (
        "on slices that it did not learn from, the recorded SSTL-M of R-50 without attention tells "
        f"{lobes:.0%} of the lobes apart, and neighbours in its features guess the diagnosis with "
        f"an AUC of {probe:.2f}"
    )


def sentences(
    chosen: Slices,
    real: LobeFindings | None,
    held: pd.DataFrame,
    known: Mapping[str, Sequence[Record]],
    seed: int,
) -> dict[str, float | int | str]:
    """Return the numbers of the page's sentences.

    Args:
        chosen: slices whose lungs were located.
        real: where they were found in all real training slices, if recorded.
        held: what the regions of drawn slices hold.
        known: recorded stages, by method.
        seed: of the drawn slices.
    """
    own = np.diag(held.iloc[:, : len(held)])
    return {
        "own_low": float(own.min()),
        "own_high": float(own.max()),
        "no_lung_low": float(held["no lung"].min()),
        "no_lung_high": float(held["no lung"].max()),
        "ended": told(known),
        "located": len(chosen.images),
        "whole": whole_share(chosen.found.way.numpy()),
        "whole_real": NOT_YET
        if real is None
        else f"{whole_share(real.way):.0%} of {len(real.way)} real training slices",
        "error": box_error(seed=seed),
        "side": SIDE,
        "negatives": COUNTS[1],
        "most_negatives": COUNTS[-1],
        "release_few": release(0.07, COUNTS[1]),
        "release_many": release(0.07, COUNTS[-1]),
        "printed_weight": float(COUNTS[1] * np.exp(mean_weight(1) - 1 / 0.07)),
    }
