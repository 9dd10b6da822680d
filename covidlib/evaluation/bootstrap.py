"""The bootstrap behind every interval: patients and seeds, drawn once for all metrics.

Images are drawn with replacement within their class, all images of a patient together; a run's
seeds are drawn too, and every seed sees the same drawn patients (a hierarchical bootstrap). The
interval is that of the mean over seeds.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from covidlib.errors import DataError
from covidlib.evaluation.metrics import compute
from covidlib.evaluation.predictions import Scored, scored
from covidlib.evaluation.resampling import draw, weighted

Runs = pd.DataFrame | Sequence[pd.DataFrame]
BOUNDED = (0.0, 1.0)


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


class Resampled:
    """Runs on shared images, and the drawn patients and runs that all metrics share.

    Args:
        runs: predictions of one or more runs; all on the same images (seeds), or on sets of images
            that do not overlap (folds), or several seeds of each fold.
        split: which rows count; None takes all.
        resamples, seed: how many draws, and from where.
        share: what each run weighs in the mean; equal by default. Shape: (runs,).

    Raises:
        DataError: no run, different classes, two labels for one image, or images that overlap in
            part.
    """

    def __init__(
        self,
        runs: Runs,
        split: str | None = "test",
        resamples: int = 2000,
        seed: int = 0,
        share: np.ndarray | None = None,
    ) -> None:
        tables = [runs] if isinstance(runs, pd.DataFrame) else list(runs)
        if not tables:
            raise DataError("an interval needs the predictions of at least one run")
        self.runs = [scored(table, split).sorted() for table in tables]
        if len({run.classes for run in self.runs}) > 1:
            raise DataError(f"runs differ in classes: {sorted({r.classes for r in self.runs})}")
        self.share = np.full(len(tables), 1 / len(tables)) if share is None else share
        rng = np.random.default_rng([seed, resamples])
        blocks = blocks_of(self.runs)
        self.images = sum(len(self.runs[block[0]]) for block in blocks)
        self.clusters = 0
        self.weights: list[np.ndarray] = [np.empty(0)] * len(tables)
        self.times = np.empty((resamples, len(tables)))
        for block in blocks:
            self._draw_block(block, resamples, rng)

    def _draw_block(self, block: list[int], resamples: int, rng: np.random.Generator) -> None:
        first = self.runs[block[0]]
        self.clusters += len(set(first.clusters))
        drawn = draw(first.clusters, first.truth, resamples, rng)
        # Runs that are compared carry shares of opposite sign: each side is drawn on its own.
        for side in (1, -1):
            members = [i for i in block if np.sign(self.share[i]) == side]
            if members:
                even = np.full(len(members), 1 / len(members))
                self.times[:, members] = rng.multinomial(len(members), even, size=resamples)
        for i in block:
            self.weights[i] = drawn

    def interval(self, metric: str, level: float = 0.95) -> Interval:
        """Return the mean of a metric over runs with its percentile interval."""
        found = [compute(run, metric) for run in self.runs]
        values = np.array([score.value for score in found])
        spread = float(values.std(ddof=1)) if len(values) > 1 else float("nan")
        value, count = float(values @ self.share), len(values)
        if np.isnan(values).any():
            reason = next(score.reason for score in found if score.reason)
            return Interval(value, np.nan, np.nan, count, self.images, np.nan, reason)
        draws = [weighted(run, metric, w) for run, w in zip(self.runs, self.weights, strict=True)]
        means = (np.column_stack(draws) * self.times * self.share).sum(axis=1)
        low, high, reason = _bounds(means, level)
        if reason and value in BOUNDED and (self.share > 0).all():
            low, high = _exact(value, self._evidence(metric), level)
            reason = "every resample agrees; exact binomial bound"
        return Interval(value, low, high, count, self.images, spread, reason)

    def _evidence(self, metric: str) -> int:
        """How many independent trials went the same way, counted cautiously.

        Accuracy rests on every patient; an AUC of 1 on as many disjoint pairs as the smaller class
        has patients; the others on the patients of the smallest class.
        """
        if metric in ("accuracy", "top1", "top5"):
            return self.clusters
        run = self.runs[0]
        return min(len(set(run.clusters[run.truth == k])) for k in np.unique(run.truth))


def blocks_of(runs: list[Scored]) -> list[list[int]]:
    """Group runs on equal images; groups must not overlap, and labels must agree."""
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


def _bounds(draws: np.ndarray, level: float) -> tuple[float, float, str]:
    defined = draws[np.isfinite(draws)]
    # A resample may lose a class where patients have images of both; a few do no harm.
    if len(defined) < 0.9 * len(draws):
        return np.nan, np.nan, f"undefined in {1 - len(defined) / len(draws):.0%} of resamples"
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high), "every resample agrees" if np.ptp(defined) == 0 else ""


def _exact(value: float, trials: int, level: float) -> tuple[float, float]:
    """Clopper-Pearson bounds when every trial went the same way."""
    edge = float(stats.beta.ppf((1 - level) / 2, trials, 1))
    return (edge, 1.0) if value == 1 else (0.0, 1 - edge)
