"""How much accuracy varies over folds, and where attention looks (magsd)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import special, stats

from covidlib.claims.experiments import NOT_RECORDED, Cell, cells_of, runs_of
from covidlib.claims.magsd_experiments import (
    Fold,
    by_fold,
    images_of,
    printed_value,
)
from covidlib.evaluation.contrasts import POWER, Effect, paired, weakest


@dataclass(frozen=True)
class Spread:
    """By how much more accuracy varies over folds in one row than in another.

    The effect is the logarithm of the ratio of standard deviations, the mean over data sets. The
    logarithm of a variance over n normal values has a variance of its own, ψ′((n-1)/2), whatever
    the folds have in common. Both rows see the same folds, which makes the test a cautious one.

    Args:
        plan: where the rows are.
        units: cells of the row that should vary more, and of the other, per data set.
    """

    plan: str
    units: tuple[tuple[Cell, Cell], ...]

    def __call__(self, results: Path) -> Effect | str:
        """Return the effect from the first profile that has three folds of a unit, or a reason."""
        for known in cells_of([self.plan], results):
            found = [
                by_fold([runs_of(cell, known) for cell in cells], lambda records: 0.0)
                for cells in self.units
            ]
            if whole := [folds for folds in found if len(folds) > 2]:
                return self._effect(whole)
        return NOT_RECORDED

    def _effect(self, units: Sequence[Mapping[int, Fold]]) -> Effect | str:
        logs, variances = [], []
        for folds in units:
            accuracies = [[r.metrics["accuracy"] for r in fold.records] for fold in folds.values()]
            more, less = np.std(accuracies, axis=0, ddof=1)
            if min(more, less) == 0:
                return "the accuracy is the same in all folds"
            logs.append(float(np.log(more / less)))
            # Half a log of a variance, on each of two sides.
            variances.append(2 * float(special.polygamma(1, (len(folds) - 1) / 2)) / 4)
        value, error = float(np.mean(logs)), float(np.sqrt(sum(variances))) / len(units)
        half = float(stats.norm.ppf(0.975)) * error
        runs = [record for u in units for fold in u.values() for record in fold.records]
        return Effect(
            value=value,
            low=value - half,
            high=value + half,
            p_value=float(2 * stats.norm.sf(abs(value) / error)),
            smallest=half + float(stats.norm.ppf(POWER)) * error,
            units=len(units),
            runs=sum(map(len, units)),
            images=images_of(runs),
            each=tuple(logs),
        )

    @property
    def printed(self) -> float:
        """The same in the standard deviations that the paper prints."""
        logs = []
        for cells in self.units:
            more, less = (printed_value(self.plan, "accuracy", cell).std for cell in cells)
            logs.append(np.log(more / less))
        return float(np.mean(logs))


def located(results: Path) -> Effect | str:
    """Return how much better attention overlaps outlines than a blob in the centre does.

    Outlines for COVID-19, boxes for other pneumonia, as in magsd sec. 4.4.6; the weaker speaks.
    """
    from covidlib.pages.localization import CLASSES, SOURCES, THRESHOLDS, recorded

    table = recorded(results)
    if table is None:
        return "its overlaps are not recorded yet"
    middle, effects = THRESHOLDS[len(THRESHOLDS) // 2], []
    for label, measure in zip(CLASSES, ("mask", "box"), strict=True):
        own = table[(table["label"] == label) & (table["threshold"] == middle)]
        sides = own.pivot(index="sample", columns="source", values=measure)
        if sides.empty:
            return f"no image of {label} has an outline"
        gain = sides[SOURCES[0]] - sides[SOURCES[2]]
        effects.append(paired([gain.to_numpy(float)]))
    return weakest(effects)
