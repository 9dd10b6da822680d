"""The runs on real images that came with the book."""

from collections.abc import Iterator
from pathlib import Path

from covidlib.plans import Plan, plan
from covidlib.runs.record import Record, recorded_folder

PROFILES = ("paper", "laptop")  # the first that has a row's runs speaks for it


def recorded(name: str, results: Path) -> dict[str, list[Record]]:
    """Return the recorded runs of each row of a plan, from one profile per row.

    Args:
        name: of the plan, "paper/topic".
        results: the folder ``book/results``.

    Returns:
        Rows by label, in the plan's order; an empty list where nothing is recorded.
    """
    found: dict[str, list[Record]] = {}
    for _, known in by_profile(name, results):
        for row, records in known.items():
            if not found.get(row):
                found[row] = records
    return found


def by_profile(name: str, results: Path) -> Iterator[tuple[Plan, dict[str, list[Record]]]]:
    """Yield a plan and the recorded runs of its rows, profile by profile, as they may speak."""
    for profile in PROFILES:
        chosen = plan(name, profile, phantoms=False)
        yield chosen, rows(chosen, results)


def rows(chosen: Plan, results: Path) -> dict[str, list[Record]]:
    """Return the recorded runs of each row of one plan at its own profile."""
    return {
        row.label: [
            Record(folder).check(spec)
            for spec in row.specs
            if (folder := recorded_folder(results, chosen.paper, spec.key))
        ]
        for row in chosen.rows
    }
