"""How sure a number is: intervals of metrics, of differences and of ROC curves."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from covidlib.errors import DataError
from covidlib.evaluation.bootstrap import Interval, Resampled, Runs, blocks_of
from covidlib.evaluation.metrics import one_against_rest
from covidlib.evaluation.resampling import read_curves


def intervals(
    runs: Runs,
    metrics: Sequence[str] = ("accuracy", "f1", "auc"),
    split: str | None = "test",
    *,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> dict[str, Interval]:
    """Return several metrics of one model with their intervals, from the same draws.

    Args:
        runs: predictions of one run, or of several seeds or folds; see ``Resampled``.
        metrics: names of ``METRICS``.
        split: which rows count.
        level: coverage aimed at.
        resamples, seed: how many draws, and from where; the same seed gives the same bounds.

    Raises:
        DataError: runs that cannot be put together, or an unknown metric.
    """
    drawn = Resampled(runs, split, resamples, seed)
    return {metric: drawn.interval(metric, level) for metric in metrics}


def difference(
    first: Runs,
    second: Runs,
    metrics: Sequence[str] = ("accuracy", "f1", "auc"),
    split: str | None = "test",
    *,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> dict[str, Interval]:
    """Return second minus first, mean over each side's runs, with paired intervals.

    Both sides see the same drawn patients, so what is hard for both cancels. The ``std`` is NaN.

    Raises:
        DataError: the two sides were not tested on the same images.
    """
    sides = [[side] if isinstance(side, pd.DataFrame) else list(side) for side in (first, second)]
    if not all(sides):
        raise DataError("a difference needs at least one run on each side")
    signs = zip(sides, (-1, 1), strict=True)
    share = np.concatenate([np.full(len(side), sign / len(side)) for side, sign in signs])
    drawn = Resampled([*sides[0], *sides[1]], split, resamples, seed, share)
    for block in blocks_of(drawn.runs):
        if len(set(np.sign(share[block]))) < 2:
            raise DataError("the two sides were not tested on the same images")
    found = {metric: drawn.interval(metric, level) for metric in metrics}
    return {
        name: Interval(i.value, i.low, i.high, i.runs, i.images, np.nan, i.reason)
        for name, i in found.items()
    }


def roc_band(
    runs: Runs,
    positive: str | None = None,
    split: str | None = "test",
    *,
    level: float = 0.95,
    resamples: int = 500,
    seed: int = 0,
    points: int = 101,
) -> pd.DataFrame:
    """Return the mean ROC curve over runs with a pointwise band: columns fpr, tpr, low, high.

    Args:
        runs: predictions of one or more runs; see ``Resampled``.
        positive: the class against the rest; may be left out when there are two.
        split, level, resamples, seed: see ``intervals``.
        points: false-positive rates at which the curve is read.
    """
    drawn = Resampled(runs, split, resamples, seed)
    grid = np.linspace(0, 1, points)
    mean, band = np.zeros(points), np.zeros((resamples, points))
    for i, run in enumerate(drawn.runs):
        truth, values = one_against_rest(run, positive)
        mean += read_curves(truth, values, np.ones((1, len(run))), grid)[0] * drawn.share[i]
        used = drawn.times[:, i] > 0
        if not used.any():  # among few draws, one of several seeds may never come up
            continue
        times = drawn.times[used, i, None] * drawn.share[i]
        band[used] += times * read_curves(truth, values, drawn.weights[i][used], grid)
    low, high = np.nanquantile(band, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return pd.DataFrame({"fpr": grid, "tpr": mean, "low": low, "high": high})
