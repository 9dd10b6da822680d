"""Experiments on recorded runs: weighted sums of a paper's rows, one per network."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from covidlib.errors import DataError
from covidlib.evaluation.contrasts import Effect, contrast, weakest
from covidlib.plans import PLANS, plan
from covidlib.published import paper_value
from covidlib.runs.record import Record
from covidlib.runs.recorded import by_profile

Cell = Mapping[str, str]
Unit = Sequence[tuple[float, Cell]]  # weights and cells of published tables: one number
Known = Sequence[tuple[Cell, list[Record]]]  # the cells of rows, with their recorded runs
Experiment = Callable[[Path], Effect | str]
NOT_RECORDED = "its runs are not recorded yet"


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
            whole = [
                [(weight, runs_of(cell, known)) for weight, cell in terms] for terms in self.units
            ]
            whole = [terms for terms in whole if all(runs for _, runs in terms)]
            if whole:
                tables = [[(w, [r.predictions for r in runs]) for w, runs in u] for u in whole]
                return contrast(tables, self.metric, margin=self.margin)
        return NOT_RECORDED

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
    """Several experiments that must all agree: the one that agrees least speaks for them.

    The larger p value is valid for "all of them hold" without a correction (Berger 1982).
    """

    parts: tuple[Experiment, ...]

    def __call__(self, results: Path) -> Effect | str:
        """Return the weakest effect, or the first reason."""
        found = [part(results) for part in self.parts]
        reasons = [one for one in found if isinstance(one, str)]
        return reasons[0] if reasons else weakest(found)

    @property
    def printed(self) -> float | None:
        """The smallest effect in the paper's own numbers."""
        values = [part.printed for part in self.parts]
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
        if any(one is None for _, one in values):
            return None
        sums.append(margin + sum(weight * one for weight, one in values))
    return sum(sums) / len(sums)


def cells_of(names: Sequence[str], results: Path) -> Iterator[Known]:
    """Yield the rows of some plans, those of no known name left out, profile by profile."""
    for plans in zip(*(_cells(name, results) for name in names if name in PLANS), strict=True):
        yield [row for rows in plans for row in rows]


@lru_cache
def _cells(name: str, results: Path) -> list[Known]:
    """Return the rows of a plan in every profile. Records keep their tables."""
    return [
        [(dict(row.cell) | {"label": row.label}, found[row.label]) for row in chosen.rows]
        for chosen, found in by_profile(name, results)
    ]


def runs_of(cell: Cell, known: Known) -> list[Record]:
    """Return the recorded runs of the first row that fits a cell; see ``cells_of``."""
    for columns, records in known:
        if records and cell.items() <= columns.items():
            return records
    return []
