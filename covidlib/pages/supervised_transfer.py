"""STL-N and STL-M (``notebooks/msatl/supervised_transfer.py``)."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from covidlib import figures
from covidlib.book import Page
from covidlib.data_page import PlainTable
from covidlib.evaluation.ranks import TOP, top_difference, top_interval
from covidlib.pages.results import NOT_YET, nothing, record_link
from covidlib.pages.without_transfer import drops
from covidlib.plans import Plan, plan
from covidlib.published import paper_values
from covidlib.runs.executor import execute
from covidlib.runs.record import Record
from covidlib.runs.recorded import recorded
from covidlib.runs.spec import RunSpec
from covidlib.runs.store import Store
from covidlib.tables import ComparisonTable, Row, comparison_table, format_interval
from covidlib.training.data import training_data
from covidlib.verdicts import NOT_TESTABLE, Measured

NAME, CHAINS = "msatl/supervised_transfer", "msatl/leep_scores"
IMAGENET = "imagenet"
NOTE = (
    "Shares in [0, 1] with Wilson's 95% intervals over images. A number of other images than "
    "ImageNet's says nothing about the paper's, so its verdict stays open."
)

Runs = Mapping[str, Sequence[Record]]


def this_run(page: Page) -> dict[str, list[Record]]:
    """Train, or find, STL-N of the six networks."""
    return _made(page, plan(NAME, page.profile, phantoms=page.phantom).rows)


def this_run_medical(page: Page) -> dict[str, list[Record]]:
    """Train, or find, STL-M after STL-N: of R-50 alone in "smoke", else of its family."""
    return _made(page, _medical(page.profile, page.phantom)[: 1 if page.profile == "smoke" else 3])


def _made(page: Page, rows) -> dict[str, list[Record]]:
    specs = [spec for row in rows for spec in row.specs]
    found = execute(specs, Store(page.store), page.root, profile=page.profile)
    return {row.label: [found[spec.key] for spec in row.specs] for row in rows}


def _medical(profile: str, phantoms: bool):
    chosen: Plan = plan(CHAINS, profile, phantoms=phantoms)
    return [row for row in chosen.rows if dict(row.cell)["stages"] == "stl_n+stl_m"]


def recorded_runs(page: Page) -> dict[str, list[Record]]:
    """Return the recorded STL-N of every network."""
    return recorded(NAME, page.recorded)


def recorded_medical(page: Page) -> dict[str, list[Record]]:
    """Return the recorded STL-M after STL-N of every network."""
    wanted = {row.label for row in _medical("laptop", False)}
    known = recorded(CHAINS, page.recorded)
    return {label: records for label, records in known.items() if label in wanted}


def stages(page: Page) -> tuple[RunSpec, RunSpec]:
    """Return R-50's STL-N and the STL-M that follows it, at the page's profile."""
    natural = plan(NAME, page.profile, phantoms=page.phantom).rows[0].specs[0]
    return natural, _medical(page.profile, page.phantom)[0].specs[0]


def seen_table(page: Page) -> pd.DataFrame:
    """Return which images the stages of this page see, beside the paper's (msatl sec. 6.1, 6.2)."""
    columns = {
        "STL-N, paper": ("ImageNet ILSVRC 2012", 1000, "1,200,000", "–", "50,000"),
        "STL-M, paper": ("COVIDx", 3, "14,198", "–", "–"),
    }
    for spec in stages(page):
        data = training_data(spec.data, page.root)
        counts = [f"{len(data.rows(split)):,}" for split in ("train", "val", "test")]
        name = f"{data.dataset.name}{' (drawn)' if data.dataset.phantom else ''}"
        columns[f"{_name(spec)}, here"] = (name, len(data.classes), *counts)
    index = ["images", "classes", "to learn from", "to look at while learning", "to score"]
    order = ["STL-N, paper", "STL-N, here", "STL-M, paper", "STL-M, here"]
    return pd.DataFrame(columns, index=index)[order]


def _name(spec: RunSpec) -> str:
    return spec.stage.upper()


def settings_table(profile: str) -> pd.DataFrame:
    """Set the recipe of both stages beside the paper's (msatl sec. 6.2)."""
    columns = {}
    for number, stage in enumerate(("STL-N", "STL-M")):
        for name in ("paper", profile):
            rows = plan(NAME, name, phantoms=False).rows, _medical(name, False)
            title = "paper" if name == "paper" else f"profile {name}"
            columns[f"{stage}, {title}"] = _recipe(rows[number][0].specs[0])
    return pd.DataFrame(columns)


def _recipe(spec: RunSpec) -> dict[str, str]:
    chosen = spec.training
    return {
        "images scaled to": f"{spec.data.preprocessing.size}²",
        "enters the network": f"{chosen.size}²",
        "colour": "kept" if spec.data.preprocessing.colour else "grey, repeated",
        "normalisation": chosen.normalisation,
        "epochs": str(chosen.epochs),
        "batch": str(chosen.batch),
        "learning rate": f"{chosen.lr:g}",
        "divided by 10 after epochs": drops(chosen),
        "weight decay, momentum": f"{chosen.weight_decay:g}, {chosen.momentum:g}",
        "pooled features dropped": f"{spec.network.dropout:g}",
    }


def pictures(page: Page, per_stage: int = 6) -> list[tuple[str, list[np.ndarray], list[str]]]:
    """Return some training images of each stage as its cache holds them, with their classes."""
    found = []
    for spec in stages(page):
        data = training_data(spec.data, page.root)
        table = data.table.iloc[data.rows("train").numpy()]
        chosen = table.drop_duplicates("label").sort_values("label").index
        chosen = chosen[np.linspace(0, len(chosen) - 1, min(per_stage, len(chosen))).astype(int)]
        if len(chosen) < per_stage:  # three classes: two images of each
            chosen = (
                table.groupby("label").head(per_stage // len(chosen)).sort_values("label").index
            )
        images = [np.asarray(data.cached.images[row]) for row in chosen]
        images = [image.transpose(1, 2, 0) if image.ndim == 3 else image for image in images]
        found.append((_name(spec), images, list(data.table.loc[chosen, "label"])))
    return found


def table(done: Runs, known: Runs) -> ComparisonTable:
    """Return Table 1: top-1 and top-5, paper, recorded, this run, verdict."""
    rows = [
        Row(
            row.label,
            paper_values("msatl", 1, list(TOP), **dict(row.cell)),
            _measured(known.get(row.label, [])),
            _measured(done.get(row.label, [])),
            link=record_link("msatl", known.get(row.label, [])),
        )
        for row in plan(NAME, "smoke", phantoms=True).rows
    ]
    found = comparison_table(rows, list(TOP), note=NOTE)
    elsewhere = {label for label, records in known.items() if not _on_imagenet(records)}
    open_ = [label in elsewhere for label, _ in found.frame.index]
    verdicts = found.frame["verdict"].mask(open_, NOT_TESTABLE)
    return replace(found, frame=found.frame.assign(verdict=verdicts))


def _measured(records: Sequence[Record]) -> Measured | tuple[()]:
    if not records:
        return ()
    seen = [record.predictions for record in records]
    intervals = {name: top_interval(seen, k) for name, k in TOP.items()}
    return Measured(intervals, tuple(record.provenance for record in records))


def _on_imagenet(records: Sequence[Record]) -> bool:
    return bool(records) and all(r.provenance["data"] == IMAGENET for r in records)


def gains_table(done: Runs, known: Runs) -> PlainTable:
    """Return what attention adds to a backbone's top-1 and top-5: paper, recorded, this run.

    Differences of the same images, with 95% intervals of a paired mean.
    """
    lines = {}
    rows = plan(NAME, "smoke", phantoms=True).rows
    for first in (0, 3):
        for row in rows[first + 1 : first + 3]:
            printed = paper_values(
                "msatl", 1, [f"{name}_improvement" for name in TOP], **dict(row.cell)
            )
            for name, k in TOP.items():
                lines[f"{row.label}, top-{k}"] = {
                    "paper": f"+{printed[f'{name}_improvement']}",
                    "recorded": _gain(known, rows[first].label, row.label, k),
                    "this run": _gain(done, rows[first].label, row.label, k),
                }
    note = "Second minus first network on the same images, 95% intervals over images."
    return PlainTable(pd.DataFrame(lines).T, note)


def _gain(runs: Runs, first: str, second: str, k: int) -> str:
    pair = [runs.get(first, []), runs.get(second, [])]
    if not all(pair):
        return NOT_YET
    found = top_difference(pair[0][0].predictions, pair[1][0].predictions, k)
    return f"{found.value:+.3f} [{found.low:+.3f}, {found.high:+.3f}]"


def draw_curves(axes: Sequence[Axes], known: Runs, done: Runs, column: str, label: str) -> None:
    """Draw one column of the curves, recorded (left) and of this run (right)."""
    names = [row for row, found in known.items() if found or done.get(row)]
    for ax, name, runs in zip(axes, ("recorded", "this run"), (known, done), strict=True):
        curves = {row: [r.curve for r in found] for row, found in runs.items() if found}
        if curves:
            figures.training_curves(ax, curves, column, label=label, names=names)
        else:
            nothing(ax)
        ax.set_title(name)


def sentences(page: Page, known: Runs, medical: Runs) -> dict[str, float | int | str]:
    """Return the numbers and words of the page's sentences."""
    natural, xray = (training_data(spec.data, page.root) for spec in stages(page))
    recorded_rows = sum(bool(records) for records in known.values())
    best = "No network is recorded yet, so no verdict is possible"
    if recorded_rows:
        values = {
            label: top_interval([r.predictions for r in records], 1)
            for label, records in known.items()
            if records
        }
        top = max(values, key=lambda label: values[label].value)
        name = next(iter(known[top])).provenance["data"]
        told = "has the highest top-1," if len(values) > 1 else "alone, top-1"
        best = f"Recorded on {name}: {top} {told} {format_interval(values[top])}"
        if not _on_imagenet(known[top]):
            best += "; these are not ImageNet's images, so every verdict stays open"
    return {
        "stl_recorded": recorded_rows,
        "stl_medical_recorded": sum(bool(records) for records in medical.values()),
        "stl_best": best,
        "stl_natural_images": len(natural.rows("train")),
        "stl_natural_classes": len(natural.classes),
        "stl_medical_images": len(xray.rows("train")),
        "stl_medical_classes": len(xray.classes),
    }
