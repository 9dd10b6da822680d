"""Experiments on recorded runs: weighted sums of a paper's rows, one per network."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
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
Asked = tuple[tuple[str, Cell], ...]  # rows: the plan to look for each in, and its cell
NOT_RECORDED = "its runs are not recorded yet"
NAMED = 4  # missing rows that are named; of more only their number


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
                used = (record for terms in whole for _, runs in terms for record in runs)
                effect = contrast(tables, self.metric, margin=self.margin)
                return replace(effect, records=names_of(used))
        return NOT_RECORDED

    @property
    def asked(self) -> Asked:
        """The rows, each with the first plan that has it."""
        cells = [cell for terms in self.units for _, cell in terms]
        return tuple((_home(self.plans, cell), cell) for cell in cells)

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
        return reasons[0] if reasons else replace(weakest(found), records=_together(found))

    @property
    def asked(self) -> Asked:
        """The rows of all parts."""
        return tuple(row for part in self.parts for row in getattr(part, "asked", ()))

    @property
    def printed(self) -> float | None:
        """The smallest effect in the paper's own numbers."""
        values = [part.printed for part in self.parts]
        return None if None in values else min(values)


def names_of(records: Iterable[Record]) -> tuple[str, ...]:
    """Return where runs are recorded, below the folder of results, each once."""
    folders = {record.folder for record in records}
    return tuple(sorted(f"{folder.parent.name}/{folder.name}" for folder in folders))


def kept_of(results: Path, folder: Path, keys: Iterable[str]) -> tuple[str, ...]:
    """Return the files of a folder that keep scores of some runs, below the folder of results."""
    ends = tuple(set(keys))
    found = (results / folder).glob("*.json")
    return tuple(sorted((folder / one.name).as_posix() for one in found if one.stem.endswith(ends)))


def lacking(experiment: Experiment, results: Path) -> str:
    """Say which rows of an experiment have no recorded run, "" where all have or none is asked."""
    asked: Asked = getattr(experiment, "asked", ())
    rows = {(name, _label(name, cell)): cell for name, cell in asked if _label(name, cell)}
    missing = [
        (name, label)
        for (name, label), cell in rows.items()
        if not any(runs_of(cell, known) for known in cells_of([name], results))
    ]
    if not missing:
        return ""
    named: dict[str, list[str]] = {}
    for name, label in missing[:NAMED]:
        named.setdefault(name, []).append(label)
    told = "; ".join(f"{', '.join(labels)} of {name}" for name, labels in named.items())
    more = f"; and {len(missing) - NAMED} more" if len(missing) > NAMED else ""
    paper = missing[0][0].partition("/")[0]
    return (
        f"runs of {len(missing)} of its {len(rows)} rows ({told}{more}), by "
        f"`make reference PAPER={paper}`"
    )


def _home(plans: Sequence[str], cell: Cell) -> str:
    """Return the first plan that has a row; the first of all where none has."""
    known = [name for name in plans if name in PLANS]
    return next((name for name in known if _label(name, cell)), plans[0])


@lru_cache
def _labels(name: str) -> list[tuple[Cell, str]]:
    rows = plan(name, "smoke", phantoms=True).rows
    return [(dict(row.cell) | {"label": row.label}, row.label) for row in rows]


def _label(name: str, cell: Cell) -> str:
    """Return what a plan calls a row, "" where it has none."""
    fits = (label for own, label in _labels(name) if cell.items() <= own.items())
    return next(fits, "")


def _together(effects: Iterable[Effect]) -> tuple[str, ...]:
    """Return what any of several effects was computed from."""
    return tuple(sorted({name for one in effects for name in one.records}))


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
