"""Does attention find the pneumonia? (``notebooks/magsd/localization.py``)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from covidlib import figures
from covidlib.book import Page
from covidlib.data.cache import Cached
from covidlib.evaluation import Interval
from covidlib.evaluation.intervals import mean_interval
from covidlib.localization_scores import (
    BLOB,
    CLASSES,
    COARSE,
    FEWEST,
    LETTERS,
    LUNGS,
    MEAN,
    MEASURES,
    MIDDLE,
    SIZE,
    THRESHOLDS,
    Overlaps,
    drawn_means,
    outlined,
    place,
    scores,
    specs,
)
from covidlib.localization_scores import mean_attention as attention
from covidlib.localization_scores.scoring import decoded
from covidlib.pages.results import NOT_YET, nothing
from covidlib.published import PaperValue, claimed_value
from covidlib.runs.provenance import of_images
from covidlib.runs.running import load, run
from covidlib.runs.store import Store
from covidlib.tables import ComparisonTable, Row, comparison_table, left_open
from covidlib.training.data import training_data
from covidlib.verdicts import ABOVE, REPRODUCED, Measured

SOURCES = (MEAN, LUNGS, BLOB, COARSE)
# "masks for COVID-19 cases … boxes for other pneumonia" (magsd sec. 4.4.6).
PRINTED = dict(zip(CLASSES, MEASURES, strict=True))
TITLES = {"mask": "masks", "box": "boxes"}


@dataclass(frozen=True)
class Located:
    """What this run's network attends to.

    Args:
        cached: images with outlines.
        heat: its mean attention over them. Shape: (N, S, S).
        found: the overlaps.
    """

    cached: Cached
    heat: np.ndarray
    found: Overlaps


def locate(page: Page) -> Located:
    """Score MAG-SD on the first fold of data set B ("trained on the Dataset B") in this run.

    The network is that of the page's store, or is trained now.
    """
    spec = specs(page.profile, LETTERS[0], page.phantom)[0]
    data = training_data(spec.data, page.root)
    record = run(spec, Store(page.store), page.root, profile=page.profile)
    dataset = outlined(data, page.root, page.phantom)
    cached = decoded(dataset, SIZE)
    heat = attention(load(record, spec, data), cached)
    table = scores({MEAN: heat}, cached)
    found = Overlaps(spec.key, LETTERS[0], 0, table, of_images(dataset, page.profile))
    return Located(cached, heat, found)


def interval(
    found: Sequence[Overlaps], label: str, source: str, threshold: float, measure: str
) -> Interval | None:
    """Return a mean overlap over images and networks with a 95% interval; None without images.

    One network varies with its patients alone; several also by themselves, as trainings do in
    every other table (see ``covidlib.evaluation.effects``).

    Args:
        found: of runs.
        label: one of ``CLASSES``.
        source: one of ``SOURCES``.
        threshold: one of ``THRESHOLDS``; of no meaning for the lungs.
        measure: one of ``MEASURES``.
    """
    networks = []
    for one in found:
        own = one.table[(one.table["label"] == label) & (one.table["source"] == source)]
        if source != LUNGS:
            own = own[own["threshold"] == threshold]
        if len(own):
            networks.append(own.set_index("sample"))
    if not networks:
        return None
    images = len(set().union(*(own.index for own in networks)))
    return mean_interval(drawn_means(networks, measure), images)


def table(found: Sequence[Overlaps], known: Sequence[Overlaps]) -> ComparisonTable:
    """Return paper, recorded, this run and verdict by class and source, above the middle threshold.

    Args:
        found: of this run.
        known: recorded.
    """
    printed, rows = lower_bound(), []
    for label in CLASSES:
        for source in SOURCES:
            name = f"{label}: {source}" + ("" if source == LUNGS else f", above {MIDDLE:g}")
            sides = [_measured(side, label, source) for side in (known, found)]
            if all(side == () for side in sides):
                continue
            paper = {TITLES[PRINTED[label]]: printed} if source == MEAN else {}
            link = f"../../results/{place(known[0].key, Path())}" if known else None
            rows.append(Row(name, paper, *sides, link=link))
    note = (
        "Mean over networks of the mean IoU over their images, with 95% intervals over patients "
        "and networks; n: networks. The "
        "paper's number is a lower bound: an overlap can be below it, and one that is not "
        f"reproduces nothing yet. Recorded: {trained_on(known)}."
    )
    found = comparison_table(rows, tuple(TITLES.values()), note=note)
    reached = found.frame.index[found.frame["verdict"].isin([REPRODUCED, ABOVE])]
    return left_open(found, {name for name, _ in reached})


def _measured(found: Sequence[Overlaps], label: str, source: str) -> Measured | tuple[()]:
    each = {TITLES[m]: interval(found, label, source, MIDDLE, m) for m in MEASURES}
    if None in each.values():
        return ()
    return Measured(each, tuple(one.provenance for one in found))


def lower_bound() -> PaperValue:
    """Return what the paper says that its overlaps exceed (claim magsd-P15)."""
    return replace(claimed_value("magsd", "magsd-P15"), half_width=0.0)


def trained_on(known: Sequence[Overlaps]) -> str:
    """Name the data set and the folds of recorded networks."""
    if not known:
        return NOT_YET
    folds = "one fold" if len(known) == 1 else f"{len(known)} folds"
    return f"networks of {folds} of data set {known[0].letter}"


def draw_overlaps(axes: Sequence[Axes], found: Sequence[Overlaps]) -> None:
    """Draw overlap over threshold, a panel per class in the paper's measure for it.

    Args:
        axes: one per class.
        found: of the runs that are drawn.
    """
    for ax, (label, measure) in zip(axes, PRINTED.items(), strict=True):
        for source, look in figures.looks(SOURCES):
            each = {t: interval(found, label, source, t, measure) for t in THRESHOLDS}
            known = {t: i for t, i in each.items() if i is not None}
            if not known:
                continue
            low, value, high = np.array([(i.low, i.value, i.high) for i in known.values()]).T
            ax.plot(list(known), value, marker="o", label=source, **look)
            ax.fill_between(list(known), low, high, color=look["color"], alpha=0.15, linewidth=0)
        if not ax.lines:
            nothing(ax)
            continue
        ax.axhline(lower_bound().value, color="0.3", linewidth=1, label="paper: more than this")
        ax.set(title=f"{label}, {TITLES[measure]}", xlabel="threshold", xticks=THRESHOLDS)
        ax.set(ylabel="mean IoU", ylim=(0, None))


def sentences(
    found: Overlaps, known: Sequence[Overlaps], kept: Sequence[Overlaps]
) -> Mapping[str, str | float | int]:
    """Return the numbers of the page's text.

    Args:
        found: of this run.
        known: of the recorded networks that speak.
        kept: of all recorded networks.
    """
    each = {letter: sum(one.letter == letter for one in kept) for letter in LETTERS[::-1]}
    told: dict[str, str | float | int] = {
        "fewest": FEWEST,
        "each": " and ".join(f"{count or 'no'} networks of {name}" for name, count in each.items()),
        "claimed": lower_bound().value,
        "images": int(found.table["sample"].nunique()),
        "networks": trained_on(known),
    }
    for (label, measure), name in zip(PRINTED.items(), ("covid", "pneumonia"), strict=True):
        for source, end in ((MEAN, ""), (LUNGS, "_lungs"), (BLOB, "_blob")):
            value = interval(known, label, source, MIDDLE, measure)
            told[name + end] = NOT_YET if value is None else _short(value)
    return told | {"located": located(known)}


def located(known: Sequence[Overlaps]) -> str:
    """Name the classes where recorded attention has the higher mean overlap than both floors."""
    better = []
    for label, measure in PRINTED.items():
        found = [interval(known, label, s, MIDDLE, measure) for s in (MEAN, LUNGS, BLOB)]
        if None in found:
            return NOT_YET
        attention, *floors = (one.value for one in found)
        if attention > max(floors):
            better.append(label)
    return " and ".join(better) or "neither class"


def _short(value: Interval) -> str:
    return f"{value.value:.2f} [{value.low:.2f}, {value.high:.2f}]"
