"""Experiments on recorded runs: weighted sums of a paper's rows, one per network."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from covidlib.claims.rows import Asked, Cell, cells_of, home, names_of, runs_of
from covidlib.errors import DataError
from covidlib.evaluation.contrasts import Effect, weakest
from covidlib.plans import PLANS, plan
from covidlib.published import paper_value
from covidlib.runs.recorded import contrast_of

Unit = Sequence[tuple[float, Cell]]  # weights and cells of published tables: one number
Experiment = Callable[[Path], Effect | str]
NOT_RECORDED = "its runs are not recorded yet"
NOT_ALL = "not all of its rows are recorded"


@dataclass(frozen=True)
class Contrast:
    """The mean over units of a weighted sum of rows, on the same test images.

    Units whose runs are not all recorded are left out, and the effect counts the others.

    Args:
        plans: where to look for the rows, in this order.
        units: one per network; a cell names a row by columns of its published table, or by its
            ``label`` where the paper has no such row.
        metric: a name of ``covidlib.evaluation.METRICS``.
        margin: above 0 asks "not worse by more than this".
    """

    plans: tuple[str, ...]
    units: tuple[Unit, ...]
    metric: str = "auc"
    margin: float = 0.0

    def __call__(self, results: Path) -> Effect | str:
        """Return the effect from the first profile that has a unit's runs, or a reason."""
        for known in cells_of(self.plans, results):
            asked = [
                (terms, [(weight, runs_of(cell, known)) for weight, cell in terms])
                for terms in self.units
            ]
            found = [(terms, sides) for terms, sides in asked if all(runs for _, runs in sides)]
            if found:
                units, whole = zip(*found, strict=True)
                used = (record for sides in whole for _, runs in sides for record in runs)
                effect = contrast_of(whole, self.metric, margin=self.margin)
                printed = printed_mean(units, self._printed, self.margin)
                return replace(effect, records=names_of(used), printed=printed)
        return NOT_RECORDED

    @property
    def asked(self) -> Asked:
        """The rows, each with the first plan that has it."""
        cells = [cell for terms in self.units for _, cell in terms]
        return tuple((home(self.plans, cell), cell) for cell in cells)

    @property
    def printed(self) -> float | None:
        """The same mean and margin in the paper's own numbers; None where a cell is not printed."""
        return printed_mean(self.units, self._printed, self.margin)

    def _printed(self, cell: Cell) -> float | None:
        for name in self.plans:
            table = _table(name)
            if not table or "label" in cell:
                continue
            paper, number = table.split("_table")
            try:
                return paper_value(paper, int(number), self.metric, **cell).value
            except DataError:  # the row is in another table, or in none
                continue
        return None


@dataclass(frozen=True)
class Every:
    """Several experiments that must all agree: the one that agrees least speaks for them."""

    parts: tuple[Experiment, ...]

    def __call__(self, results: Path) -> Effect | str:
        """Return the weakest effect, or the first reason."""
        found = [part(results) for part in self.parts]
        reasons = [one for one in found if isinstance(one, str)]
        return reasons[0] if reasons else worst(found)

    @property
    def asked(self) -> Asked:
        """The rows of all parts."""
        return tuple(row for part in self.parts for row in getattr(part, "asked", ()))

    @property
    def printed(self) -> float | None:
        """The smallest effect in the paper's own numbers."""
        return smallest(part.printed for part in self.parts)


def worst(effects: Sequence[Effect]) -> Effect:
    """Return the weakest effect, with its own printed one, computed from the records of all."""
    records = {name for one in effects for name in one.records}
    return replace(weakest(effects), records=tuple(sorted(records)))


def smallest(printed: Iterable[float | None]) -> float | None:
    """Return the smallest of printed effects; None where one is not printed."""
    values = list(printed)
    return None if None in values else min(values)


def unmeasured(reason: str) -> Experiment:
    """Return an experiment that cannot be done, and why."""

    def say(results: Path) -> str:
        return reason

    return say


@lru_cache
def _table(name: str) -> str:
    return plan(name, "smoke", phantoms=True).table if name in PLANS else ""


def printed_mean(
    units: Sequence[Unit], value: Callable[[Cell], float | None], margin: float
) -> float | None:
    """Return the mean over units of weighted sums, and the margin; None where a value is."""
    sums = []
    for terms in units:
        values = [(weight, value(cell)) for weight, cell in terms]
        whole = all(one is not None for _, one in values)
        sums.append(margin + sum(weight * one for weight, one in values) if whole else None)
    return mean_printed(sums)


def mean_printed(values: Iterable[float | None]) -> float | None:
    """Return the mean of printed numbers; None where one is not printed."""
    found = list(values)
    return None if None in found else sum(found) / len(found)
