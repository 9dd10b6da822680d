"""Where the networks look (``notebooks/msatl/heatmaps.py``)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor, nn

from covidlib import figures
from covidlib.book import Page
from covidlib.data_page import PlainTable
from covidlib.evaluation.contrasts import paired
from covidlib.explain import stretch
from covidlib.heat_scores import (
    ATTENTION,
    BLOB,
    GRAD_CAM,
    KINDS,
    SIZE,
    HeatScores,
    Slices,
    maps_of,
    networks,
    positive_slices,
    score_pair,
    shown,
)
from covidlib.pages.overall import NAME, small
from covidlib.pages.results import NOT_YET, gather, nothing
from covidlib.runs.record import Record, recorded_folder
from covidlib.runs.running import load
from covidlib.runs.store import Store
from covidlib.tables import run_title
from covidlib.training.data import training_data

ALONE = (112, 112)  # pixels of a map without its slice
COLUMNS = (  # what the table is read for comes first: at 1280 pixels the last ones need a scroll
    "difference", "called positive", "heat in lungs", "chance", "cells", "slices", "without heat",
)  # fmt: skip
DRAWN = {GRAD_CAM: "Grad-CAM, R-50", ATTENTION: "attention, 5 ATTNs"}


@dataclass(frozen=True)
class Looks:
    """Two networks, the slices they see, and what their maps are worth.

    Args:
        pair: trained networks, "baseline" and "attn5".
        slices: positive test slices.
        scores: one per kind of map.
    """

    pair: dict[str, nn.Module]
    slices: Slices
    scores: list[HeatScores]

    @property
    def title(self) -> str:
        """What figures call this run."""
        return run_title(self.slices.phantom)


def this_run(page: Page) -> Looks:
    """Train, or find, the two networks of Figure 4, and score their maps."""
    gather(page, NAME, small)
    (specs,) = networks(page.profile, page.phantom, seeds=1)
    store = Store(page.store)
    first = specs["baseline"]
    source = training_data(first.data, page.root)
    pair = {name: load(store.get(spec), spec, source).network for name, spec in specs.items()}
    slices = positive_slices(first.data, first.training, SIZE[page.profile], page.root)
    check = 4 if page.profile == "smoke" else 16
    if page.profile == "smoke":
        slices = slices[:16]
    return Looks(pair, slices, score_pair(pair, slices, specs, profile=page.profile, check=check))


def figure_4(looks: Looks) -> Figure:
    """Draw the columns of the paper's Figure 4: slice, Grad-CAM, on it, attention map, on it."""
    rows = shown(looks.slices)
    few = {kind: maps_of(kind, looks.pair[KINDS[kind]], looks.slices)[rows] for kind in DRAWN}
    fig = _drawn(few, looks.slices)
    if looks.slices.phantom:
        figures.phantom_stamp(fig)
    return fig


def recorded_figure_4(page: Page, recorded: Sequence[HeatScores]) -> Figure:
    """Draw the recorded maps, on their slices where these are at hand, else by themselves."""
    for seed in sorted({one.seed for one in recorded}):
        own = {one.kind: one for one in recorded if one.seed == seed}
        if own.keys() >= DRAWN.keys():
            maps = {kind: torch.from_numpy(own[kind].maps) for kind in DRAWN}
            return _drawn(maps, _seen(page, own[ATTENTION]))
    fig, ax = plt.subplots(figsize=(10, 2))
    nothing(ax)
    return fig


def _seen(page: Page, scores: HeatScores) -> Slices | None:
    """Return the slices that recorded maps are of; None where the images are not the same."""
    if page.root is None:
        return None
    first = networks(str(scores.provenance["profile"]), phantoms=False)[0]["baseline"]
    slices = positive_slices(first.data, first.training, scores.size, page.root)
    return slices if slices.samples == scores.samples else None


def _drawn(maps: Mapping[str, Tensor], slices: Slices | None) -> Figure:
    """Draw a row for each shown slice: the slice, then each map alone and on the slice.

    Args:
        maps: by kind, of the shown slices. Shape of each: (rows, h, w).
        slices: all of them; without, the maps are drawn alone.
    """
    size = slices.inputs.shape[2:] if slices else ALONE
    heats = [stretch(own, size).numpy() for own in maps.values()]
    rows, width = len(heats[0]), 5 if slices else 2
    fig, axes = plt.subplots(rows, width, figsize=(2 * width, 2.05 * rows), squeeze=False)
    for row, line in enumerate(axes):
        places = iter(line)
        if slices:
            number = shown(slices)[row]
            picture, outline = slices.picture(number), slices.lungs[number].numpy()
            next(places).imshow(picture, cmap="gray")
        for heat in heats:
            next(places).imshow(heat[row], cmap="inferno")
            if slices:
                figures.overlay(next(places), picture, heat[row], outline=outline)
        for ax in line:
            ax.set_axis_off()
    titles = [DRAWN[kind] for kind in maps]
    if slices:
        titles = ["slice", *(part for title in titles for part in (title, "on the slice"))]
    for ax, title in zip(axes[0], titles, strict=True):
        ax.set_title(title, fontsize=10)
    return fig


def draw_randomised(ax: Axes, scores: Sequence[HeatScores], title: str) -> Axes:
    """Draw how alike maps stay while stage after stage loses its training."""
    ax.axhline(0, color="0.8", linewidth=1)
    checked = [one for one in scores if one.randomised]
    for name, look in figures.looks(list(KINDS)):  # a map has one colour in every panel
        runs = [list(one.randomised.values()) for one in checked if one.kind == name]
        if not runs:
            continue
        mean = np.mean(runs, axis=0)
        ax.plot(np.linspace(0, 1, len(mean)), mean, marker="o", markersize=4, label=name, **look)
    ax.set(xlabel="stages randomised, last first (share)", ylim=(-1.05, 1.08))
    ax.set_ylabel("rank correlation with the trained map")
    ax.set_title(title)
    if checked:
        figures.legend_below(ax)
    else:
        ax.text(0.5, 0.5, NOT_YET, ha="center", va="center", color="0.4")
    return ax


def draw_inside(ax: Axes, scores: Sequence[HeatScores], title: str) -> Axes:
    """Draw each map's heat inside the lungs minus the lungs' share of the image, per slice."""
    ax.axvline(0, color="0.8", linewidth=1)
    names = [kind for kind in KINDS if any(one.kind == kind for one in scores)]
    rng = np.random.default_rng(0)
    for place, kind in enumerate(names):
        values = np.concatenate([one.inside - one.area for one in scores if one.kind == kind])
        values = values[np.isfinite(values)]
        at = len(names) - 1 - place + rng.uniform(-0.16, 0.16, len(values))
        ax.plot(values, at, ".", color=figures.PALETTE[0], alpha=0.5)
        if len(values):
            ax.plot(values.mean(), len(names) - 1 - place, "D", color="black", markersize=7)
    ax.set(
        yticks=range(len(names)), yticklabels=names[::-1], xlabel="heat in lungs − area of lungs"
    )
    ax.set_title(title)
    if not names:
        ax.text(0.5, 0.5, NOT_YET, ha="center", va="center", color="0.4", transform=ax.transAxes)
    return ax


def at_home(page: Page, scores: Sequence[HeatScores]) -> dict[str, tuple[float, int]]:
    """Return how many positive test slices each network finds at the size that it learnt from.

    Returns:
        By key, the share and the size, pixels; networks without a record are left out.
    """
    found = {}
    for key in {one.key for one in scores}:
        own = Store(page.store).root / key
        record = Record(recorded_folder(page.recorded, "msatl", key) or own)
        if record.folder.is_dir():
            size = int(record.body["spec"]["training"]["size"])
            found[key] = (float(record.metrics["sensitivity"]), size)
    return found


def table(
    recorded: Sequence[HeatScores],
    done: Sequence[HeatScores],
    homes: Mapping[str, tuple[float, int]],
) -> PlainTable:
    """Return the share of heat inside the lungs against chance, recorded and of this run.

    Args:
        recorded, done: scores.
        homes: see ``at_home``.
    """
    rows = {}
    here = run_title(any(one.provenance["phantom"] for one in done))
    for kind in KINDS:
        for name, scores in (("recorded", recorded), (here, done)):
            own = [one for one in scores if one.kind == kind]
            rows[f"{kind}, {name}"] = _line(own, homes) if own else {"difference": NOT_YET}
    note = (
        "Difference: heat in the lungs minus chance, the share of the image that they cover, with "
        "its 95% interval over patients. Called positive: of these slices, at the size of the "
        "maps; then of all positive test slices at the size of training. Without heat: slices on "
        "which Grad-CAM is nowhere positive, in any seed."
    )
    frame = pd.DataFrame.from_dict(rows, orient="index")
    return PlainTable(frame.reindex(columns=list(COLUMNS)), note)


def _line(own: Sequence[HeatScores], homes: Mapping[str, tuple[float, int]]) -> dict[str, object]:
    inside, area = np.mean([o.inside for o in own], axis=0), own[0].area  # over seeds
    kept = np.isfinite(inside)
    line: dict[str, object] = {"slices": f"{len(inside)}", "without heat": f"{(~kept).sum()}"}
    if not kept.any():
        return line
    patients = np.array(own[0].patients)
    found = paired([inside[kept] - area[kept]], groups=patients[kept])
    called = None if own[0].kind == BLOB else f"{np.mean([o.called for o in own]):.0%}"
    if called and (home := _home(own, homes)):
        called += f"; {home[0]:.0%} at {home[1]} pixels"
    return line | {
        "difference": f"{found.value:+.3f} [{found.low:+.3f}, {found.high:+.3f}]",
        "called positive": called,  # by the network; the bell is none
        "heat in lungs": f"{inside[kept].mean():.3f}",
        "chance": f"{area[kept].mean():.3f}",
        "cells": f"{own[0].grid[0]}×{own[0].grid[1]}",
    }


def _home(
    own: Sequence[HeatScores], homes: Mapping[str, tuple[float, int]]
) -> tuple[float, int] | None:
    """Return the mean of ``at_home`` over seeds, None where one is not known."""
    found = [homes.get(one.key) for one in own]
    if None in found:
        return None
    return float(np.mean([share for share, _ in found])), found[0][1]


def out_of_place(recorded: Sequence[HeatScores], homes: Mapping[str, tuple[float, int]]) -> str:
    """Say what share of positive slices the networks of the recorded maps call positive."""
    lines = []
    for kind, name in ((GRAD_CAM, "R-50"), (ATTENTION, "R-50 with five attention layers")):
        own = [one for one in recorded if one.kind == kind]
        if own and (home := _home(own, homes)):
            called = np.mean([one.called for one in own])
            at = f"at {own[0].size} pixels {called:.0%}, at the {home[1]} of training {home[0]:.0%}"
            lines.append(f"{name} {at}")
    return "; ".join(lines) or NOT_YET


def told(recorded: Sequence[HeatScores]) -> str:
    """Say how much heat each kind of map has in the lungs beyond chance, as recorded."""
    kinds = {kind: [one for one in recorded if one.kind == kind] for kind in KINDS}
    lines = {kind: _line(own, {}) for kind, own in kinds.items() if own}
    found = [f"{kind} {line['difference']}" for kind, line in lines.items() if "difference" in line]
    return "; ".join(found) or NOT_YET


def sentences(
    looks: Looks, recorded: Sequence[HeatScores], homes: Mapping[str, tuple[float, int]]
) -> dict[str, object]:
    """Return the numbers of the page's sentences."""
    dice = looks.slices.dice
    return {
        "slices": len(looks.slices),
        "left_out": looks.slices.left_out,
        "size": looks.slices.inputs.shape[-1],
        "cells": looks.scores[0].grid[0],
        "recorded": told(recorded),
        "out_of_place": out_of_place(recorded, homes),
        "dice": "not known on real slices" if np.isnan(dice).any() else f"{dice.mean():.2f}",
    }
