"""The bootstrap behind every interval: patients drawn with replacement, the same ones for all.

Images are drawn within their class, all images of a patient together. The draws depend on the
images alone: every run, metric and model that is tested on them sees the same drawn patients.
"""

import weakref
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from covidlib.errors import DataError
from covidlib.evaluation.metrics import compute
from covidlib.evaluation.predictions import Scored, scored
from covidlib.evaluation.resampling import draw, weighted

Runs = pd.DataFrame | Sequence[pd.DataFrame]
_KNOWN: dict[int, tuple[weakref.ref, dict[tuple, np.ndarray]]] = {}


@dataclass(frozen=True)
class Interval:
    """A number with its interval.

    Args:
        value: mean over runs; NaN if undefined.
        low, high: bounds; NaN if undefined.
        runs: how many predictions went in (seeds, or folds).
        images: how many distinct images went in.
        std: standard deviation over runs (n - 1); NaN for one run.
        reason: why the value is undefined, or what is special about the bounds.
    """

    value: float
    low: float
    high: float
    runs: int
    images: int
    std: float = float("nan")
    reason: str = ""


def drawn_patients(run: Scored, resamples: int, seed: int) -> np.ndarray:
    """Draw the patients of a run's images: how often each image comes. Shape: (resamples, N).

    Args:
        run: sorted, so that runs on the same images see the same draws.
        resamples, seed: how many draws, and from where.
    """
    names = zlib.crc32("\n".join(run.samples.astype(str)).encode())
    rng = np.random.default_rng([seed, resamples, names])
    return draw(run.clusters, run.truth, resamples, rng)


def drawn_scores(
    table: pd.DataFrame, metrics: Sequence[str], split: str | None, resamples: int, seed: int
) -> dict[str, np.ndarray]:
    """Return a run's scores, each followed by its values when patients are drawn anew.

    They are remembered as long as the table lives: one run serves many comparisons.

    Args:
        table: predictions of a run.
        metrics: names of ``METRICS``.
        split: which rows count; None takes all.
        resamples, seed: how many draws, and from where.

    Returns:
        By metric. Shape of each: (1 + resamples,).
    """
    place = id(table)
    if place not in _KNOWN:
        _KNOWN[place] = (weakref.ref(table, lambda _: _KNOWN.pop(place)), {})
    known = _KNOWN[place][1]
    keys = {metric: (metric, split, resamples, seed) for metric in metrics}
    if missing := [metric for metric, key in keys.items() if key not in known]:
        run = scored(table, split).sorted()
        drawn = drawn_patients(run, resamples, seed)
        for metric in missing:
            value = compute(run, metric).value
            known[keys[metric]] = np.concatenate([[value], weighted(run, metric, drawn)])
    return {metric: known[key] for metric, key in keys.items()}


def blocks_of(runs: list[Scored]) -> list[list[int]]:
    """Group runs on equal images; groups must not overlap, and labels must agree.

    Raises:
        DataError: different classes, two labels for one image, or images that overlap in part.
    """
    if len({run.classes for run in runs}) > 1:
        raise DataError(f"runs differ in classes: {sorted({run.classes for run in runs})}")
    groups: dict[tuple, list[int]] = {}
    for i, run in enumerate(runs):
        groups.setdefault(tuple(run.samples), []).append(i)
    seen: set = set()
    for names, members in groups.items():
        if seen & set(names):
            raise DataError("two runs share some of their images, but not all: not comparable")
        seen |= set(names)
        first = runs[members[0]]
        for i in members[1:]:
            if (runs[i].truth != first.truth).any():
                raise DataError("two runs disagree about the label of an image")
    return list(groups.values())
