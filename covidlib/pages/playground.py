"""Thresholds and augmentation to play with (``notebooks/across/playground.py``)."""

from collections.abc import Sequence
from functools import cache

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from ipywidgets import VBox
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from covidlib import figures
from covidlib.book import Page
from covidlib.data.augmentation import PRESETS, apply, draw, identity
from covidlib.data.decoding import read_uint8
from covidlib.data.preprocessing import Preprocessing, prepare
from covidlib.data.table import Dataset
from covidlib.errors import CovidlibError
from covidlib.evaluation import intervals, roc
from covidlib.evaluation.decisions import PREVALENCES, decisions
from covidlib.runs.record import Record
from covidlib.runs.recorded import recorded
from covidlib.widgets import browser

PLAN = "msatl/without_transfer"
THRESHOLDS = tuple(float(t) for t in np.arange(1, 10) / 10)
SHOWN = ("msatl-ct", "msatl-cxr", "magsd-table2", "manet")
# Of each operation: the number that is drawn, and how a reader calls it.
OPERATIONS = {
    "crop": ("crop", "crop, share of the side"),
    "shift": ("shift_x", "shift, share of the side"),
    "zoom": ("zoom", "zoom, factor"),
    "angle": ("angle", "rotation, degrees"),
    "brightness": ("brightness", "brightness, factor"),
    "contrast": ("contrast", "contrast, factor"),
    "offset": ("offset", "grey value added"),
}
STEPS = 5


# Thresholds


def recorded_run(page: Page) -> tuple[str, Record]:
    """Return name and first run of the first row that has most recorded runs.

    It is not chosen by its score: the best of several runs would promise too much.

    Raises:
        CovidlibError: nothing is recorded.
    """
    known = {name: runs for name, runs in recorded(PLAN, page.recorded).items() if runs}
    if not known:
        raise CovidlibError(
            f"book/results holds no run of {PLAN}; record some with "
            f"`covidlib run {PLAN} --profile laptop --data FOLDER --record`"
        )
    name = max(known, key=lambda row: len(known[row]))
    return name, known[name][0]


def scores(run: Record) -> tuple[np.ndarray, np.ndarray]:
    """Return whether each test image is positive, and its probability."""
    test, positive = run.test, [c for c in run.test if c.startswith("p_")][-1]
    return (test["label"] == positive.removeprefix("p_")).to_numpy(), test[positive].to_numpy()


def draw_scores(ax: Axes, run: Record, threshold: float | None = None) -> Axes:
    """Draw the probabilities of ill and healthy, and where a threshold divides them."""
    truth, values = scores(run)
    names, colours = ["COVID-19", "other"], ["#d55e00", "#0072b2"]
    both = [values[truth], values[~truth]]
    ax.hist(both, np.linspace(0, 1, 11), color=colours, label=names)
    if threshold is not None:
        ax.axvline(threshold, color="black", linewidth=1.5)
    ax.set(xlabel="probability given", ylabel="test images", title="scores")
    ax.legend(fontsize="small")
    return ax


def draw_curve(ax: Axes, run: Record, chosen: Sequence[float]) -> Axes:
    """Draw the ROC curve with the points of some thresholds."""
    curve, points = roc(run.predictions), decisions(run.predictions, chosen)
    ax.plot([0, 1], [0, 1], color="0.8", linewidth=1)
    ax.plot(curve["fpr"], curve["tpr"], color="#0072b2")
    ax.plot(1 - points["specificity"], points["sensitivity"], "o", color="black")
    ax.set(xlabel="false-positive rate", ylabel="true-positive rate", title="ROC", aspect="equal")
    return ax


def draw_benefit(ax: Axes, run: Record, chosen: Sequence[float]) -> Axes:
    """Draw the decision curve: net benefit against threshold, beside doing all or nothing."""
    grid = decisions(run.predictions, np.arange(2, 99) / 100)
    points = decisions(run.predictions, chosen)
    ax.plot(grid.index, grid["treat_all"], color="0.6", linestyle="--", label="call all positive")
    ax.axhline(0, color="0.6", linewidth=1, label="call none")
    ax.plot(grid.index, grid["net_benefit"], color="#0072b2", label="follow the network")
    ax.plot(points.index, points["net_benefit"], "o", color="black")
    ax.set(xlabel="threshold", ylabel="net benefit", title="decision curve", ylim=(-0.25, 0.6))
    ax.legend(fontsize="small", loc="upper right")
    return ax


def threshold_frame(run: Record, threshold: float) -> Figure:
    """Draw one threshold: scores, ROC, decision curve, and the four counts in words."""
    row = decisions(run.predictions, [threshold]).iloc[0]
    fig, axes = plt.subplots(2, 2, figsize=(7, 6.2))
    draw_scores(axes[0, 0], run, threshold)
    draw_curve(axes[0, 1], run, [threshold])
    draw_benefit(axes[1, 0], run, [threshold])
    words = [
        f"found {row['tp']:.0f} of {row['tp'] + row['fn']:.0f} ill",
        f"false alarms: {row['fp']:.0f} of {row['fp'] + row['tn']:.0f} healthy",
        "",
        "of 100 alarms, right where",
        *(f"  {p:.0%} are ill: {_percent(row[f'ppv at {p:g}'])}" for p in PREVALENCES),
    ]
    axes[1, 1].text(0, 0.95, "\n".join(words), va="top", fontsize=12, linespacing=1.5)
    axes[1, 1].set_axis_off()
    return fig


def _percent(value: float) -> str:
    return "no alarm" if np.isnan(value) else f"{100 * value:.0f}"


def threshold_browser(run: Record) -> VBox:
    """Return a slider over thresholds, which also works on a static page."""
    with figures.style():
        frames = {f"threshold {t:.1f}": threshold_frame(run, t) for t in THRESHOLDS}
        return browser(frames, "threshold")


def threshold_table(run: Record) -> pd.DataFrame:
    """Return every threshold of the slider in numbers."""
    found = decisions(run.predictions, THRESHOLDS)
    shown = pd.DataFrame(index=[f"{t:.1f}" for t in found.index]).rename_axis("threshold")
    shown["found"] = [f"{a} of {a + b}" for a, b in zip(found["tp"], found["fn"], strict=True)]
    pairs = zip(found["fp"], found["tn"], strict=True)
    shown["false alarms"] = [f"{a} of {a + b}" for a, b in pairs]
    for share in PREVALENCES:
        shown[f"right of 100 alarms, {share:.0%} ill"] = [
            _percent(value) for value in found[f"ppv at {share:g}"]
        ]
    shown["net benefit"] = [f"{value:+.3f}" for value in found["net_benefit"]]
    return shown


def facts(run: Record) -> dict[str, float | int | str]:
    """Return the numbers of the page's sentences."""
    area = intervals([run.predictions], ["auc"], resamples=200)["auc"]
    half = decisions(run.predictions, [0.5]).iloc[0]
    grid = decisions(run.predictions, np.arange(2, 99) / 100)
    better = grid.index[grid["net_benefit"] > grid[["treat_all"]].assign(none=0.0).max(axis=1)]
    return {
        "auc": area.value,
        "found": int(half["tp"]),
        "ill": int(half["tp"] + half["fn"]),
        "alarms": int(half["fp"]),
        "rare": 100 * half[f"ppv at {PREVALENCES[0]:g}"],
        "useful": len(better) / len(grid),
    }


# Augmentation


def slice_of(dataset: Dataset, size: int = 160, number: int = 0) -> torch.Tensor:
    """Return one image with COVID-19 as a batch, uint8, (1, 1, size, size)."""
    rows = dataset.table[dataset.table["label"] == dataset.classes[-1]].sort_values("sample")
    image = prepare(read_uint8(rows["path"].iloc[number], "minmax"), Preprocessing(size=size))
    return torch.from_numpy(np.ascontiguousarray(image))[None, None]


@cache
def reach(operation: str) -> tuple[float, float]:
    """Return the widest range in which the presets draw an operation."""
    found = [getattr(PRESETS[name], operation) for name in SHOWN]
    ranges = [chosen for chosen in found if chosen is not None]
    return min(r.low for r in ranges), max(r.high for r in ranges)


def strengths(image: torch.Tensor, operation: str) -> dict[str, np.ndarray]:
    """Return one operation alone from its weakest to its strongest, each image in [0, 1]."""
    values, draws = np.linspace(*reach(operation), STEPS), identity(STEPS)
    getattr(draws, OPERATIONS[operation][0])[:] = torch.from_numpy(values)
    done = apply(PRESETS["none"], image.expand(STEPS, -1, -1, -1), draws)
    return {f"{v:.3g}": d[0].numpy() for v, d in zip(values, done, strict=True)}


def draw_strengths(ax: Axes, image: torch.Tensor, operation: str) -> Axes:
    """Draw one operation from weak to strong in a row."""
    found = strengths(image, operation)
    figures.image_grid(ax, list(found.values()), list(found), columns=STEPS, limits=(0, 1))
    return ax.set_title(OPERATIONS[operation][1], fontsize=11) and ax


def operation_browser(image: torch.Tensor, *, phantom: bool = False) -> VBox:
    """Return a slider over the operations, which also works on a static page."""
    frames = {}
    with figures.style():
        for operation, (_, title) in OPERATIONS.items():
            fig, ax = plt.subplots(figsize=(7, 2.1))
            draw_strengths(ax, image, operation).set_title("")
            frames[title] = fig
        return browser(frames, "operation", phantom=phantom)


def draw_preset(ax: Axes, image: torch.Tensor, name: str, seed: int, count: int = 6) -> Axes:
    """Draw what a network sees of one image in several epochs."""
    chosen = PRESETS[name]
    done = apply(chosen, image.expand(count, -1, -1, -1), draw(chosen, count, (seed, 0, 0)))
    figures.image_grid(ax, [one[0].numpy() for one in done], columns=count, limits=(0, 1))
    return ax.set_title(name, fontsize=11) and ax
