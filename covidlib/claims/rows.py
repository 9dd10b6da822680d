"""The rows of plans that an experiment asks for, and their recorded runs."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from pathlib import Path

from covidlib.evaluation.predictions import PREFIX
from covidlib.plans import PLANS, plan
from covidlib.runs.folds import counted
from covidlib.runs.record import Record
from covidlib.runs.recorded import by_profile

Cell = Mapping[str, str]
Known = Sequence[tuple[Cell, list[Record]]]  # the cells of rows, with their recorded runs
Asked = tuple[tuple[str, Cell], ...]  # rows: the plan to look for each in, and its cell
NAMED = 4  # missing rows that are named; of more only their number


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


def names_of(records: Iterable[Record]) -> tuple[str, ...]:
    """Return where runs are recorded, below the folder of results, each once."""
    folders = {record.folder for record in records}
    return tuple(sorted(f"{folder.parent.name}/{folder.name}" for folder in folders))


def kept_of(results: Path, folder: Path, keys: Iterable[str]) -> tuple[str, ...]:
    """Return the files of a folder that keep scores of some runs, below the folder of results.

    Args:
        results, folder: where to look.
        keys: how the names of the files end: keys of runs, or whole names.
    """
    ends = tuple(set(keys))
    found = (results / folder).glob("*.json")
    return tuple(sorted((folder / one.name).as_posix() for one in found if one.stem.endswith(ends)))


def asked_of(experiment: object) -> dict[tuple[str, str], Cell]:
    """Return the rows of an experiment, by plan and label; nothing where it asks for none."""
    asked: Asked = getattr(experiment, "asked", ())
    return {(name, _label(name, cell)): cell for name, cell in asked if _label(name, cell)}


def lacking(experiment: object, results: Path) -> str:
    """Say which rows of an experiment lack runs, or folds; "" where none does or none is asked."""
    rows = asked_of(experiment)
    missing = [
        (name, label + short)
        for (name, label), cell in rows.items()
        if (short := _short(name, cell, results)) is not None
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
        f"`make reference PAPER={paper} PROFILE=laptop DATA=FOLDER`"
    )


def _short(name: str, cell: Cell, results: Path) -> str | None:
    """Return how many of a row's folds are recorded, "" where nothing is, None where all are."""
    found = (runs_of(cell, known) for known in cells_of([name], results))
    have = [counted(records) for records in found if records]
    if not have:
        return ""
    folds, of = max(have)
    return None if folds == of else f", {folds} of {of} folds"


def never_named(experiment: object, results: Path) -> str:
    """Say which recorded rows of an experiment leave out some class in each of their runs.

    A network that names one class for every image has not learnt to tell classes apart in its
    budget, at its rate; that says little of its design.

    Returns:
        "" where each row names all its classes in some run, or none is recorded.
    """
    told = []
    for (name, label), cell in asked_of(experiment).items():
        known = (runs_of(cell, rows) for rows in cells_of([name], results))
        records = next((found for found in known if found), [])
        named = [_named(record) for record in records]
        if named and max(named)[0] < named[0][1]:
            told.append(f"{label} ({max(named)[0]} of {named[0][1]} classes)")
    more = f"; and {len(told) - NAMED} more" if len(told) > NAMED else ""
    return "; ".join(told[:NAMED]) + more


@cache
def _named(record: Record) -> tuple[int, int]:
    """Return how many classes a run names for its test images, and how many there are."""
    chances = record.test.filter(regex=f"^{PREFIX}")
    if chances.empty:  # of a network that draws lungs
        return 0, 0
    return chances.idxmax(axis=1).nunique(), chances.shape[1]


def home(plans: Sequence[str], cell: Cell) -> str:
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
