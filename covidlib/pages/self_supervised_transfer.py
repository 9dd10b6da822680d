"""The contrastive loss and short runs (``notebooks/msatl/self_supervised_transfer.py``)."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from ipywidgets import VBox
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from scipy.special import gammaln, ive

from covidlib import figures
from covidlib.book import Page
from covidlib.data_page import PlainTable
from covidlib.figures.style import PALETTE, legend_below
from covidlib.models.attention_resnet import AttentionResNetSettings
from covidlib.pages.lobes import SIDE, Slices, box_error, whole_share
from covidlib.pages.results import nothing
from covidlib.plans.msatl_stages import self_supervised
from covidlib.runs.executor import execute
from covidlib.runs.record import RECORD, Record
from covidlib.runs.store import Store
from covidlib.settings import MocoSettings, SimclrSettings, SstlmSettings

METHODS = {"SSTL-M": "ours", "MoCo": "moco", "SimCLR": "simclr"}
EPOCHS = 3  # of the page's own runs, in every profile
TEMPERATURES = (0.03, 0.07, 0.1, 0.2, 0.5, 1.0)
COUNTS = (15, 255, 4095, 65535)  # negatives; the last is MoCo's queue
WIDTH = 128  # D


def mean_weight(sharpness: float, width: int = WIDTH) -> float:
    """Return the logarithm of the mean of exp(k t), t the cosine of random directions.

    For vectors spread evenly over the unit sphere in D dimensions this is the logarithm of
    Gamma(D/2) (2/k)^(D/2 - 1) I_(D/2 - 1)(k), the constant of the von Mises-Fisher distribution.

    Args:
        sharpness: k, one over the temperature.
        width: D.
    """
    order = width / 2 - 1
    return float(
        gammaln(width / 2)
        + order * np.log(2 / sharpness)
        + np.log(ive(order, sharpness))
        + sharpness
    )


def loss_at(
    similarity: np.ndarray, temperature: float, count: int, printed: bool = False
) -> np.ndarray:
    """Return equation 2 for many random negatives: the mean stands for their sum.

    Args:
        similarity: of query and key, in [-1, 1].
        temperature: tau.
        count: n.
        printed: whether the temperature divides the positive similarity only.
    """
    negatives = np.log(count) + mean_weight(1 if printed else 1 / temperature)
    return np.logaddexp(0, negatives - np.asarray(similarity) / temperature)


def draw_loss(axes: Sequence[Axes], temperature: float) -> None:
    """Draw the loss against the similarity of a pair, and which negatives push at it.

    Args:
        axes: two of them.
        temperature: tau.
    """
    similarity = np.linspace(-0.2, 1, 200)
    for count, colour in zip(COUNTS, PALETTE, strict=False):
        axes[0].plot(
            similarity, loss_at(similarity, temperature, count), color=colour, label=f"n = {count}"
        )
        axes[0].axhline(np.log(count + 1), color=colour, linewidth=0.7, linestyle=":")
    axes[0].plot(
        similarity, loss_at(similarity, temperature, COUNTS[1], printed=True), "k--", linewidth=1,
        label=f"as printed, n = {COUNTS[1]}",
    )  # fmt: skip
    axes[0].set(xlabel="similarity of query and key", ylabel="loss, nats", ylim=(0, 14))
    cosine = np.linspace(-0.5, 0.8, 400)
    density = np.exp((WIDTH - 3) / 2 * np.log1p(-(cosine**2)))
    step = cosine[1] - cosine[0]
    for values, label, style in (
        (density, "negatives", {"color": "0.6"}),
        (density * np.exp(cosine / temperature), "their share of the push", {"color": PALETTE[1]}),
    ):
        shown = values / (values.sum() * step)
        axes[1].plot(cosine, shown, label=label, **style)
    axes[1].set(xlabel="similarity of query and negative", ylabel="density", yticks=[], ylim=0)
    for ax in axes:
        legend_below(ax, ncols=2)


def loss_browser() -> VBox:
    """Return a slider over temperatures, which also works on a static page."""
    from covidlib.widgets import browser

    frames = {}
    for temperature in TEMPERATURES:
        fig, axes = plt.subplots(1, 2, figsize=(9, 4.2))
        draw_loss(axes, temperature)
        frames[f"temperature {temperature:g}"] = fig
    return browser(frames, "temperature")


# What the papers of the two baselines print for ImageNet, by field of the settings.
PRINTED = {
    "batch": ("256", "4096"),
    "epochs": ("200", "100 to 1000"),
    "lr": ("0.03", "0.3 for each 256 images"),
    "temperature": ("0.07", "0.1"),
    "queue": ("65536", None),
    "key_momentum": ("0.999", None),
    "hidden": ("False", "True"),
    "weight_decay": ("0.0001", "1e-06"),
}
UNSTATED = ("queue", "key_momentum", "hidden")  # by msatl


def settings_table(profile: str) -> PlainTable:
    """Set the recipe of SSTL-M beside those of the methods that it follows (msatl sec. 6.2)."""
    ours = SstlmSettings()
    here = self_supervised(AttentionResNetSettings(50), profile, False).training
    rows = {
        name: {
            "MoCo": moco,
            "SimCLR": simclr,
            "msatl": None if name in UNSTATED else f"{getattr(ours, name)}",
            f"SSTL-M here, {profile}": f"{getattr(here, name)}",
        }
        for name, (moco, simclr) in PRINTED.items()
    }
    frame = pd.DataFrame.from_dict(rows, orient="index").rename_axis("setting")
    return PlainTable(frame, "A dash: not stated, or the method has no such thing.")


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
    from covidlib.plans import plan

    found: dict[str, list[Record]] = {name: [] for name in METHODS}
    for profile in ("paper", "laptop"):
        chosen = plan("msatl/ssl_comparison", profile, phantoms=False)
        # Seeds of the last stage may share this one; it is then one run, not several.
        stages = {
            spec.init.key: spec.init for spec in chosen.specs if spec.network.slug == "r50-baseline"
        }
        for stage in stages.values():
            kind = type(stage.training)
            name = {SstlmSettings: "SSTL-M", MocoSettings: "MoCo", SimclrSettings: "SimCLR"}[kind]
            folder = page.recorded / "msatl" / stage.key
            if (folder / RECORD).exists():
                found[name].append(Record(folder).check(stage))
        if any(found.values()):
            break
    return found


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


def seen_table(runs: Mapping[str, Record]) -> PlainTable:
    """Count the images of each split that a stage learnt from, as its record says."""
    rows = {
        name: {split: int(record.metrics[f"seen_{split}"]) for split in ("train", "val", "test")}
        for name, record in runs.items()
    }
    note = "Images learnt from; every stage writes them into its record, image by image."
    return PlainTable(pd.DataFrame(rows).T, note)


def sentences(chosen: Slices, seed: int) -> dict[str, float | int]:
    """Return the numbers of the page's sentences."""
    return {
        "located": len(chosen.images),
        "whole": whole_share(chosen),
        "error": box_error(seed=seed),
        "side": SIDE,
        "negatives": COUNTS[1],
        "printed_weight": float(COUNTS[1] * np.exp(mean_weight(1) - 1 / 0.07)),
    }
