"""Figures of ``notebooks/across/benchmark.py``: matrices, reliability, decision curves."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from covidlib import figures
from covidlib.benchmark import GROUPS, TESTS, Board, called, crossed, group_of, tested
from covidlib.book import Page
from covidlib.evaluation.decisions import decisions
from covidlib.pages.benchmark import Sides, name_of
from covidlib.pages.results import nothing
from covidlib.plans.across import HELD_OUT, LEARNT, XRAYS, images
from covidlib.training.data import training_data

SHORT = {
    "cohen": "Cohen",
    "cxnet-nih": "CXNet +\nChestX-ray8",
    "cohen-kermany": "Cohen COVID\n+ Kermany",
}
COLUMNS = 3
FROM, ELSEWHERE = "cxnet-nih", "cohen"  # what the curves learn from, and where they go
THRESHOLDS = np.arange(2, 99) / 100


def examples(page: Page) -> dict[str, np.ndarray]:
    """Return the first test image of every group, (S, S), uint8."""
    data = training_data(images(XRAYS[0], page.profile, page.phantom), page.root)
    table = data.table[data.table["split"] == "test"]
    kinds = group_of(table)
    rows = {group: table.index[kinds == group] for group in GROUPS}
    return {
        GROUPS[group]: np.asarray(data.cached.images[found[0]])
        for group, found in rows.items()
        if len(found)
    }


def draw_examples(axes: Sequence[Axes], pictures: Mapping[str, np.ndarray]) -> None:
    """Draw one image of each source and class."""
    for ax in axes:
        ax.set_axis_off()
    for ax, (title, picture) in zip(axes, pictures.items(), strict=False):
        ax.imshow(picture, cmap="gray", vmin=0, vmax=255)
        ax.set_title(title.replace(", ", "\n"), fontsize=10)


def matrices_height(which: Board) -> float:
    """Return how high a figure of all matrices is, inches."""
    rows = max(1, -(-len(_crossable(which)) // COLUMNS))
    return 3.3 * rows + 0.5


def _crossable(which: Board) -> list[tuple[str, str]]:
    return [key for key, runs in which.items() if any(runs.get(name) for name in XRAYS)]


def draw_matrices(fig: Figure, which: Board, title: str) -> None:
    """Draw training set × test set of every network, AUC as colour and number."""
    keys = _crossable(which)
    fig.suptitle(title, x=0.01, ha="left", fontsize=11)
    if not keys:
        nothing(fig.add_subplot())
        return
    rows = -(-len(keys) // COLUMNS)
    for number, key in enumerate(keys):
        ax = fig.add_subplot(rows, COLUMNS, number + 1)
        runs = {name: which[key][name] for name in XRAYS if which[key].get(name)}
        found = crossed(runs, resamples=2).map(lambda cell: cell.value).reindex(list(XRAYS))
        notes = found.map(lambda v: "" if np.isnan(v) else f"{v:.2f}").to_numpy()
        sns.heatmap(
            found.astype(float), annot=notes, fmt="", vmin=0.3, vmax=1, center=0.5, cmap="RdBu_r",
            square=True, cbar=False, linewidths=1, linecolor="white", ax=ax,
        )  # fmt: skip
        ax.set_title(name_of(*key), fontsize=10)
        ax.set_xticklabels([SHORT[name] for name in TESTS], rotation=0, fontsize=7)
        ax.set_yticklabels([SHORT[name] for name in XRAYS], rotation=0, fontsize=7)
        ax.tick_params(length=0)
        ax.set_xlabel("tested on" if number >= len(keys) - COLUMNS else "", fontsize=9)
        ax.set_ylabel("learnt from" if number % COLUMNS == 0 else "", fontsize=9)


def draw_called(ax: Axes, which: Board, network: str = "r50") -> Axes:
    """Draw what a network calls COVID-19 in each group, by training set."""
    runs = which.get((network, "own"), {})
    names = [name for name in (*XRAYS, *HELD_OUT) if runs.get(name)]
    if not names:
        return nothing(ax)
    shares = pd.DataFrame(
        {name: {g: cell.value for g, cell in called(runs[name], resamples=2).items()}
         for name in names}
    ).T.reindex(columns=list(GROUPS))  # fmt: skip
    notes = shares.map(lambda v: "" if np.isnan(v) else f"{v:.0%}").to_numpy()
    sns.heatmap(
        shares, annot=notes, fmt="", vmin=0, vmax=1, cmap="Blues", cbar=False, linewidths=1,
        linecolor="white", ax=ax, annot_kws={"size": 9},
    )  # fmt: skip
    ax.axvline(2, color="black", linewidth=2)  # COVID-19 to its left
    titles = [title.replace(", ", "\n") for title in GROUPS.values()]
    ax.set_xticklabels(titles, rotation=0, fontsize=8)
    ax.set_yticklabels([LEARNT[name] for name in names], rotation=0, fontsize=9)
    ax.tick_params(length=0)
    return ax


def draw_reliability(axes: Sequence[Axes], sides: Sides, network: str = "r50") -> None:
    """Draw how sure a network is and how often right, at home and elsewhere; one side each."""
    for ax, (name, which) in zip(axes, sides.boards.items(), strict=True):
        if runs := which.get((network, "own"), {}).get(FROM):
            tests = {"own sources": FROM, "Cohen, never seen": ELSEWHERE}
            shown = {title: tested(runs[0], test) for title, test in tests.items()}
            figures.reliability(ax, shown, bins=6)
        else:
            nothing(ax)
        ax.set_title(name)


def draw_decisions(ax: Axes, which: Board, test: str) -> Axes:
    """Draw the net benefit of every network that learnt from ``FROM``, on one test set."""
    models = {name_of(*key): runs[FROM][0] for key, runs in which.items() if runs.get(FROM)}
    if not models:
        return nothing(ax)
    for name, look in figures.looks(list(models)):
        found = decisions(tested(models[name], test), THRESHOLDS)
        ax.plot(found.index, found["net_benefit"], label=name, **look)
    ax.plot(found.index, found["treat_all"], color="0.6", linewidth=1, label="call all positive")
    ax.axhline(0, color="0.3", linewidth=1)
    ax.set(xlabel="threshold", ylabel="net benefit", xlim=(0, 1))
    ax.set_ylim(-0.3, max(0.1, 1.08 * float(found["treat_all"].max())))
    return ax
