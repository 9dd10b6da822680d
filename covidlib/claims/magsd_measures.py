"""How much accuracy varies over folds, and where attention looks (magsd)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from scipy import special, stats

from covidlib.claims.claim import Counted, Partly
from covidlib.claims.magsd_experiments import (
    images_of,
    part_of,
    printed_value,
    unrecorded,
)
from covidlib.claims.rows import Asked, Cell, cells_of, kept_of, names_of, runs_of
from covidlib.errors import DataError
from covidlib.evaluation.contrasts import Effect, over_draws, weakest
from covidlib.evaluation.effects import ROUNDING
from covidlib.localization_scores import (
    BLOB,
    CLASSES,
    FOLDER,
    LETTERS,
    MEAN,
    MEASURES,
    MIDDLE,
    Overlaps,
    drawn_means,
    recorded,
)
from covidlib.plans import plan
from covidlib.runs.folds import by_fold
from covidlib.runs.record import Record

MILLION = 1e6


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

    def __call__(self, results: Path) -> Effect | Partly | str:
        """Return the effect from the first profile that has three folds of a unit, or a reason."""
        most, some = 0, False
        for known in cells_of([self.plan], results):
            some = some or any(runs_of(cell, known) for cells in self.units for cell in cells)
            try:
                found = [by_fold([runs_of(cell, known) for cell in cells]) for cells in self.units]
            except DataError as error:  # of other images
                return str(error)
            most = max(most, *map(len, found))
            if whole := [u for u, folds in zip(self.units, found, strict=True) if len(folds) > 2]:
                effect = self._effect([folds for folds in found if len(folds) > 2])
                if isinstance(effect, str):
                    return effect
                return part_of(replace(effect, printed=self._printed(whole)), whole, self.units)
        return "fewer than three folds are recorded: no test" if most else unrecorded(some)

    def _effect(self, units: Sequence[Mapping[int, Sequence[Record]]]) -> Effect | str:
        logs, variances = [], []
        for folds in units:
            accuracies = [[run.metrics["accuracy"] for run in runs] for runs in folds.values()]
            more, less = np.std(accuracies, axis=0, ddof=1)
            if min(more, less) < ROUNDING:
                return "the accuracy is the same in all folds"
            logs.append(float(np.log(more / less)))
            # Half a log of a variance, on each of two sides.
            variances.append(2 * float(special.polygamma(1, (len(folds) - 1) / 2)) / 4)
        value, error = float(np.mean(logs)), float(np.sqrt(sum(variances))) / len(units)
        half = float(stats.norm.ppf(0.975)) * error
        runs = [record for folds in units for records in folds.values() for record in records]
        return Effect(
            value=value,
            low=value - half,
            high=value + half,
            p_value=float(2 * stats.norm.sf(abs(value) / error)),
            error=error,
            units=len(units),
            runs=sum(map(len, units)),
            images=images_of(runs),
            each=tuple(logs),
            test="normal, of the logarithm of a variance",
            records=names_of(runs),
        )

    @property
    def asked(self) -> Asked:
        """The rows of all units."""
        return tuple((self.plan, cell) for cells in self.units for cell in cells)

    @property
    def printed(self) -> float:
        """The same in the standard deviations that the paper prints."""
        return self._printed(self.units)

    def _printed(self, units: Sequence[tuple[Cell, Cell]]) -> float:
        logs = []
        for cells in units:
            more, less = (printed_value(self.plan, "accuracy", cell).std for cell in cells)
            logs.append(np.log(more / less))
        return float(np.mean(logs))


def located(results: Path) -> Effect | str:
    """Return how much better attention overlaps outlines than a blob in the centre does.

    Outlines for COVID-19, boxes for other pneumonia, as in magsd sec. 4.4.6; the weaker speaks.
    Networks are the trainings; each is asked about the images that it was not trained on.
    """
    own = recorded(results)
    if not own:
        return "its overlaps are not recorded yet"
    effects = []
    for label, measure in zip(CLASSES, MEASURES, strict=True):
        gains = [_gain(one, label, measure) for one in own]
        if any(gain.empty for gain in gains):
            return f"no image of {label} has an outline"
        images = len(set().union(*(gain.index for gain in gains)))
        effects.append(over_draws(drawn_means(gains, "gain"), images))
    files = kept_of(results, FOLDER, (one.key for one in own))
    letter, theirs = own[0].letter, LETTERS[0]  # the networks that speak are of one set
    part = "" if letter == theirs else f"the networks learnt set {letter}, the paper's set {theirs}"
    return replace(weakest(effects), records=files, part=part)


def _gain(found: Overlaps, label: str, measure: str) -> pd.DataFrame:
    """Return a row per image, by sample: patient, and attention's overlap minus the blob's."""
    table = found.table
    table = table[(table["label"] == label) & (table["threshold"] == MIDDLE)]
    sides = [table[table["source"] == name].set_index("sample") for name in (MEAN, BLOB)]
    gain = (sides[0][measure] - sides[1][measure]).rename("gain").to_frame()
    return gain.assign(patient=sides[0]["patient"].reindex(gain.index))


@cache
def _networks(name: str) -> set[tuple[object, int]]:
    """Return the networks of a plan's rows and their parameters."""
    chosen = plan(name, "paper", phantoms=False)
    with torch.device("meta"):
        return {
            (network, sum(weight.numel() for weight in network.build(2).parameters()))
            for network in {spec.network for spec in chosen.specs}
        }


def adds_nothing(results: Path) -> Counted:
    """Say whether all rows of magsd Table 8 train one network, whatever the regularisation."""
    found = _networks("magsd/regularisation")
    sizes = " or ".join(sorted({f"{count / MILLION:.2f} M" for _, count in found}))
    return Counted(
        len(found) == 1,
        "by construction, since the distances are functions without parameters; counted: "
        f"{sizes} with the soft distance, with L2 and without either",
    )
