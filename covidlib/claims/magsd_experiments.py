"""Experiments on the folds of a cross-validation (magsd): fold k against fold k."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from covidlib.claims.claim import Partly
from covidlib.claims.experiments import (
    NOT_ALL,
    NOT_RECORDED,
    Every,
    Unit,
    mean_printed,
    printed_mean,
    worst,
)
from covidlib.claims.rows import Asked, Cell, cells_of, names_of, runs_of
from covidlib.errors import DataError
from covidlib.evaluation import confusion
from covidlib.evaluation.comparisons import corrected_t
from covidlib.evaluation.effects import LEVEL, Effect
from covidlib.plans import plan
from covidlib.published import PaperValue, paper_value
from covidlib.runs.folds import by_fold, image_counts
from covidlib.runs.record import Record

BY_FOLDS = "t over folds, corrected for the images they share in training"


class Fold(NamedTuple):
    """What one fold gave, and the runs behind it."""

    value: float
    records: Sequence[Record]


Runs = Mapping[int, Sequence[Record]]  # those of several rows, by fold
Number = Callable[[Runs], Mapping[int, float]]  # by fold


class Wanted(NamedTuple):
    """Which rows a unit needs, what of them, and the same in the paper's own numbers."""

    cells: Sequence[Cell]
    number: Number
    printed: float | None = None


def measured(name: str, units: Sequence[Wanted], results: Path) -> Effect | Partly | str:
    """Return the mean over units of a number per fold, or why there is none.

    Units with fewer folds than others, or with one, are left out; what is left decides nothing
    about the mean over all. Over the units the number is averaged fold by fold; the test is the
    corrected t test (Nadeau and Bengio 2003). Data sets that share images divide them into folds
    each by itself, so that what an image decides may come into two folds; the test does not know.

    Args:
        name: of the plan.
        units: data sets, say.
        results: the folder ``book/results``.
    """
    most, some = 0, False
    for known in cells_of([name], results):
        some = some or any(runs_of(cell, known) for unit in units for cell in unit.cells)
        try:
            found = [numbers([runs_of(cell, known) for cell in u.cells], u.number) for u in units]
        except DataError as error:  # of other images
            return str(error)
        most = max(most, here := max(map(len, found)))
        if here > 1:
            kept = [(u, f) for u, f in zip(units, found, strict=True) if len(f) == here]
            effect = _effect([folds for _, folds in kept])
            if isinstance(effect, str):
                return effect
            effect = replace(effect, printed=mean_printed(unit.printed for unit, _ in kept))
            return part_of(effect, [unit.cells for unit, _ in kept], [u.cells for u in units])
    return "its rows have one fold in common: no test" if most else unrecorded(some)


def unrecorded(some: bool) -> str:
    """Say that runs are missing: all, or those of some rows."""
    return NOT_ALL if some else NOT_RECORDED


def part_of(
    effect: Effect, kept: Sequence[Sequence[Cell]], units: Sequence[Sequence[Cell]]
) -> Effect | Partly:
    """Return an effect of some units, which decides nothing that is claimed of the mean over more.

    Args:
        effect: of the units that are recorded.
        kept: the rows of each of these.
        units: the rows of each that is claimed.
    """
    if len(kept) == len(units):
        return effect
    own, all_sets = (
        ", ".join(sorted({cell["dataset"] for cells in which for cell in cells}))
        for which in (kept, units)
    )
    printed = "" if effect.printed is None else f", in print {effect.printed:+.3f}"
    return Partly(
        f"on {own} alone it is {effect.value:+.3f} [{effect.low:+.3f}, {effect.high:+.3f}]"
        f"{printed}; the claim is about {all_sets}",
        effect.records,
        (effect,),
    )


def numbers(rows: Sequence[Sequence[Record]], number: Number) -> dict[int, Fold]:
    """Return a number for every fold that all rows have."""
    folds = by_fold(rows)
    return {fold: Fold(value, folds[fold]) for fold, value in number(folds).items()}


def _effect(units: Sequence[Mapping[int, Fold]]) -> Effect | str:
    shared = sorted(set.intersection(*map(set, units)))
    if len(shared) < 2:
        return "its data sets have no two folds in common: no test"
    gaps = np.array([[unit[fold].value for unit in units] for fold in shared])  # (folds, units)
    counts = image_counts([units[0][fold].records[0] for fold in shared])  # as shares: of any unit
    found = corrected_t(gaps.mean(axis=1), *counts)
    if found.reason:
        return found.reason
    freedom = len(shared) - 1
    error = (found.high - found.low) / 2 / stats.t.ppf(0.975, freedom)
    used = [record for unit in units for fold in shared for record in unit[fold].records]
    return Effect(
        value=found.difference,
        low=found.low,
        high=found.high,
        p_value=found.p_value,
        error=error,
        freedom=freedom,
        units=len(units),
        runs=len(shared) * len(units),
        images=images_of(used),
        each=tuple(float(value) for value in gaps.mean(axis=0)),
        test=f"{BY_FOLDS}, {freedom} degrees of freedom",
        records=names_of(used),
    )


def images_of(records: Iterable[Record]) -> int:
    """Count the distinct test images of runs."""
    return len({sample for record in records for sample in record.test["sample"]})


def printed_value(name: str, metric: str, cell: Cell) -> PaperValue | None:
    """Return what the paper prints in a row of a plan, None where it prints nothing."""
    number = int(plan(name, "smoke", phantoms=True).table.split("_table")[1])
    try:
        return paper_value("magsd", number, metric, **cell)
    except DataError:  # AUCs are drawn, not printed; so are no rows of ours
        return None


@dataclass(frozen=True)
class FoldContrast:
    """The mean over units of a weighted sum of rows; see ``measured``.

    Args:
        plan: where the rows are.
        units: one per data set, say; weights and cells.
        metric: a name in the records.
        margin: added to the effect.
    """

    plan: str
    units: tuple[Unit, ...]
    metric: str = "accuracy"
    margin: float = 0.0

    def __call__(self, results: Path) -> Effect | Partly | str:
        """Return the effect from the first profile that has a unit's runs, or a reason."""
        asked = [
            Wanted(
                [cell for _, cell in terms],
                partial(self._sum, [weight for weight, _ in terms]),
                self._effect([terms]),
            )
            for terms in self.units
        ]
        return measured(self.plan, asked, results)

    def _sum(self, weights: Sequence[float], folds: Runs) -> dict[int, float]:
        values = {f: [run.metrics[self.metric] for run in runs] for f, runs in folds.items()}
        return {f: self.margin + float(np.dot(weights, own)) for f, own in values.items()}

    @property
    def asked(self) -> Asked:
        """The rows of all units."""
        return tuple((self.plan, cell) for terms in self.units for _, cell in terms)

    @property
    def printed(self) -> float | None:
        """The same mean and margin in the paper's own numbers.

        None where a cell is not printed, or where weights do not cancel: of a level the claim is
        the margin, not what the paper reached.
        """
        return self._effect(self.units)

    def _effect(self, units: Sequence[Unit]) -> float | None:
        if any(abs(sum(weight for weight, _ in terms)) > 1e-9 for terms in units):
            return None
        return printed_mean(units, self._printed, self.margin)

    def _printed(self, cell: Cell) -> float | None:
        found = printed_value(self.plan, self.metric, cell)
        return None if found is None else found.value


@dataclass(frozen=True)
class FoldNumber:
    """A number of several rows on one data set; see ``measured``."""

    plan: str
    cells: tuple[Cell, ...]
    number: Number
    printed: None = None

    def __call__(self, results: Path) -> Effect | Partly | str:
        """Return the effect, or a reason."""
        return measured(self.plan, [Wanted(self.cells, self.number)], results)

    @property
    def asked(self) -> Asked:
        """The rows."""
        return tuple((self.plan, cell) for cell in self.cells)


def ahead_of_third(folds: Runs) -> dict[int, float]:
    """Return by how much the first row's AUC exceeds that of the third best of the others.

    Which one that is, the means over folds decide: the third best of each fold, averaged, would
    lie above every row's mean.
    """
    table = {fold: [run.metrics["auc"] for run in runs] for fold, runs in folds.items()}
    if not table:
        return {}
    means = np.mean(list(table.values()), axis=0)
    third = 1 + int(np.argsort(means[1:])[-3])
    return {fold: values[0] - values[third] for fold, values in table.items()}


def hardest_pair(pair: tuple[str, str], folds: Runs) -> dict[int, float]:
    """Return how much more often two classes are confused than the next pair.

    Often: images of either class that are taken for the other, as a share of both classes' images.
    The next pair is that of the largest mean over folds.
    """
    if not folds:
        return {}
    table = pd.DataFrame({fold: confused(runs[0]) for fold, runs in folds.items()})
    own = table.loc[[frozenset(pair)]].iloc[0]
    others = table.drop(index=[frozenset(pair)])
    return (own - others.loc[[others.mean(axis=1).idxmax()]].iloc[0]).to_dict()


def confused(record: Record) -> dict[frozenset[str], float]:
    """Return for each pair of classes which share of their images is taken for the other one."""
    counts = confusion(record.predictions)
    names, table = list(counts.index), counts.to_numpy()
    return {
        frozenset((names[i], names[j])): (table[i, j] + table[j, i]) / table[[i, j]].sum()
        for i in range(len(names))
        for j in range(i)
    }


@dataclass(frozen=True)
class Each(Every):
    """Several experiments that must all agree; some of them can refute what all would support.

    While some are not recorded, or in part, the others are an effect only where they contradict the
    claim.
    """

    def __call__(self, results: Path) -> Effect | Partly | str:
        """Return the weakest effect, or a reason."""
        found = [part(results) for part in self.parts]
        whole = [one for one in found if isinstance(one, Effect)]
        partly = [effect for one in found if isinstance(one, Partly) for effect in one.effects]
        if not whole and not partly:
            return found[0]
        if len(whole) == len(found):
            return worst(whole)
        if whole and _contradicts(weakest := worst(whole)):
            part = f"{len(whole)} of the {len(found)} comparisons that must hold are tested"
            return replace(weakest, part=part)
        one = worst(whole + partly)
        extent = f", {len(partly)} of them on some of its data sets" if partly else ""
        return Partly(
            f"{len(whole + partly)} of the {len(found)} comparisons that must hold can be tested"
            f"{extent}; the weakest gives {one.value:+.3f} [{one.low:+.3f}, {one.high:+.3f}]",
            one.records,
            (one,),
        )


def _contradicts(effect: Effect) -> bool:
    """Say whether an effect speaks against a claim, whatever others give; see ``judge``."""
    if effect.p_value < LEVEL:
        return effect.value < 0
    return effect.falls_short(effect.printed)
