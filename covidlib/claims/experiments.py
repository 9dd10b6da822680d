"""Experiments on recorded runs: weighted sums of a paper's rows, one per network."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from covidlib.errors import DataError
from covidlib.evaluation.contrasts import Effect, contrast, weakest
from covidlib.plans import PLANS, plan
from covidlib.published import paper_value
from covidlib.runs.record import Record
from covidlib.runs.recorded import PROFILES, rows

Cell = Mapping[str, str]
Unit = Sequence[tuple[float, Cell]]  # weights and cells of published tables: one number


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
        for profile in PROFILES:
            plans = [name for name in self.plans if name in PLANS]
            known = [row for name in plans for row in cells_of(name, profile, results)]
            whole = [
                [(weight, runs_of(cell, known)) for weight, cell in terms] for terms in self.units
            ]
            whole = [terms for terms in whole if all(runs for _, runs in terms)]
            if whole:
                tables = [[(w, [r.predictions for r in runs]) for w, runs in u] for u in whole]
                return contrast(tables, self.metric, margin=self.margin)
        return "its runs are not recorded yet"

    @property
    def printed(self) -> float | None:
        """The same mean in the paper's own numbers; None where a cell is not printed."""
        sums = []
        for terms in self.units:
            values = [(weight, self._printed(cell)) for weight, cell in terms]
            if any(value is None for _, value in values):
                return None
            sums.append(sum(weight * value for weight, value in values))
        return sum(sums) / len(sums)

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

    parts: tuple[Contrast, ...]

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


def unmeasured(reason: str):
    """Return an experiment that cannot be done, and why."""

    def say(results: Path) -> str:
        return reason

    return say


@lru_cache
def _table(name: str) -> str:
    return plan(name, "smoke", phantoms=True).table if name in PLANS else ""


@lru_cache
def cells_of(name: str, profile: str, results: Path) -> list[tuple[dict[str, str], list[Record]]]:
    """Return the cells of a plan's rows with their recorded runs. Records keep their tables."""
    chosen = plan(name, profile, phantoms=False)
    found = rows(chosen, results)
    return [(dict(row.cell) | {"label": row.label}, found[row.label]) for row in chosen.rows]


def runs_of(cell: Cell, known: Sequence[tuple[dict[str, str], list[Record]]]) -> list[Record]:
    """Return the recorded runs of the first row that fits a cell; see ``cells_of``."""
    for columns, records in known:
        if records and cell.items() <= columns.items():
            return records
    return []
