"""How sure a number is: intervals of metrics and of ROC curves."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from statsmodels.stats.proportion import proportion_confint

from covidlib.errors import DataError
from covidlib.evaluation.bootstrap import (
    Interval,
    Runs,
    blocks_of,
    drawn_patients,
    drawn_scores,
)
from covidlib.evaluation.effects import ROUNDING, Repeats, spread_of
from covidlib.evaluation.metrics import compute, one_against_rest
from covidlib.evaluation.predictions import Scored, scored
from covidlib.evaluation.resampling import read_curves

BOUNDED = (0.0, 1.0)  # what a metric, or a rate of an ROC curve, cannot leave


def intervals(
    runs: Runs,
    metrics: Sequence[str] = ("accuracy", "f1", "auc"),
    split: str | None = "test",
    *,
    resamples: int = 2000,
    seed: int = 0,
) -> dict[str, Interval]:
    """Return several metrics of one model, means over its runs, with 95% intervals.

    One run varies with the drawn patients alone; several vary by themselves as well, see
    ``covidlib.evaluation.effects``. A model that is right, or wrong, about every image has an exact
    binomial bound.

    Args:
        runs: predictions of one run or more: all on the same images (seeds), on images that do not
            overlap (folds), or several seeds of each fold.
        metrics: names of ``METRICS``.
        split: which rows count; None takes all.
        resamples, seed: how many draws, and from where; the same seed gives the same bounds.

    Raises:
        DataError: runs that cannot be put together, or an unknown metric.
    """
    tables = _listed(runs)
    known = _together(tables, split)
    images = len({name for run in known for name in run.samples})
    drawn = [drawn_scores(table, metrics, split, resamples, seed) for table in tables]
    found = {}
    for metric in metrics:
        repeats = np.column_stack([scores[metric] for scores in drawn])
        found[metric] = _explained(mean_interval(repeats, images), known, metric)
    return found


def mean_interval(table: np.ndarray, images: int) -> Interval:
    """Return the mean over runs of a share, with its 95% interval.

    Args:
        table: first the share of each run, then its values when patients are drawn anew, the same
            ones for all. Shape: (1 + resamples, runs).
        images: how many went in.
    """
    values = table[0]
    value, count = float(values.mean()), len(values)
    std = float(values.std(ddof=1)) if count > 1 else float("nan")
    low, high, reason = np.nan, np.nan, "undefined in a run"
    if not np.isnan(value):
        try:
            spread = spread_of([Repeats(values, table[1:])])
            low, high = (float(bound) for bound in np.clip([spread.low, spread.high], *BOUNDED))
            reason = "every resample agrees" if _same(low, high) else ""
        except DataError as problem:
            reason = str(problem)
    return Interval(value, low, high, count, images, std, reason)


def _same(low: float, high: float) -> bool:
    """Say whether two bounds differ by rounding alone."""
    return bool(np.isclose(low, high, rtol=0, atol=ROUNDING))


def _together(tables: Sequence[pd.DataFrame], split: str | None) -> list[Scored]:
    """Return the checked predictions of runs whose mean makes sense."""
    if not tables:
        raise DataError("an interval needs the predictions of at least one run")
    runs = [scored(table, split).sorted() for table in tables]
    blocks_of(runs)
    return runs


def _explained(found: Interval, runs: Sequence[Scored], metric: str) -> Interval:
    """Say why a metric is undefined, and bound one that no image speaks against."""
    if np.isnan(found.value):
        reasons = (compute(run, metric).reason for run in runs)
        return replace(found, std=np.nan, reason=next(reason for reason in reasons if reason))
    if not _same(found.low, found.high) or found.value not in BOUNDED:
        return found
    people = _evidence(runs, metric)
    low, high = proportion_confint(people * found.value, people, method="beta")
    reason = f"{found.reason}; exact binomial bound"
    return replace(found, low=float(low), high=float(high), reason=reason)


def _evidence(runs: Sequence[Scored], metric: str) -> int:
    """How many independent trials went the same way, counted cautiously.

    Accuracy rests on every patient; an AUC of 1 on as many disjoint pairs as the smaller class has
    patients; the others on the patients of the smallest class.
    """
    if metric in ("accuracy", "top1", "top5"):
        return len({name for run in runs for name in run.clusters})
    run = runs[0]
    return min(len(set(run.clusters[run.truth == k])) for k in np.unique(run.truth))


def mean_roc(
    runs: Runs, positive: str | None = None, split: str | None = "test", *, points: int = 101
) -> pd.DataFrame:
    """Return the mean ROC curve over runs: columns fpr and tpr.

    Args:
        runs: predictions of one or more runs; see ``intervals``.
        positive: the class against the rest; may be left out when there are two.
        split: which rows count.
        points: false-positive rates at which the curve is read.
    """
    grid = np.linspace(0, 1, points)
    curves = [_read(run, positive, grid)[0] for run in _together(_listed(runs), split)]
    return pd.DataFrame({"fpr": grid, "tpr": np.mean(curves, axis=0)})


def roc_band(
    runs: Runs,
    positive: str | None = None,
    split: str | None = "test",
    *,
    resamples: int = 500,
    seed: int = 0,
    points: int = 101,
) -> pd.DataFrame:
    """Return the mean ROC curve with a pointwise 95% band: columns fpr, tpr, low, high.

    Args:
        runs, positive, split, points: see ``mean_roc``.
        resamples, seed: see ``intervals``.

    Returns:
        Where the draws leave the curve undefined, low and high are NaN.
    """
    grid = np.linspace(0, 1, points)
    read = np.stack(
        [
            _read(run, positive, grid, drawn_patients(run, resamples, seed))
            for run in _together(_listed(runs), split)
        ],
        axis=2,
    )  # (1 + resamples, points, runs)
    curve = pd.DataFrame({"fpr": grid, "tpr": read[0].mean(axis=1)})
    try:
        spreads = [spread_of([Repeats(at[0], at[1:])]) for at in read.swapaxes(0, 1)]
    except DataError:
        return curve.assign(low=np.nan, high=np.nan)
    low, high = np.clip([[s.low, s.high] for s in spreads], *BOUNDED).T
    return curve.assign(low=low, high=high)


def _listed(runs: Runs) -> list[pd.DataFrame]:
    return [runs] if isinstance(runs, pd.DataFrame) else list(runs)


def _read(
    run: Scored, positive: str | None, grid: np.ndarray, weights: np.ndarray | None = None
) -> np.ndarray:
    """Read a run's ROC curve at a grid: as it is, then under each row of weights. (1 + R, G)."""
    truth, values = one_against_rest(run, positive)
    drawn = np.empty((0, len(run))) if weights is None else weights
    return read_curves(truth, values, np.vstack([np.ones(len(run)), drawn]), grid)
