"""The runs on real images that came with the book."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from covidlib.evaluation.contrasts import Effect, contrast
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
            Record(folder, spec.init.key if spec.init else "").check(spec)
            for spec in row.specs
            if (folder := recorded_folder(results, chosen.paper, spec.key))
        ]
        for row in chosen.rows
    }


def contrast_of(
    units: Sequence[Sequence[tuple[float, Sequence[Record]]]], metric: str, **options: float
) -> Effect:
    """Return a contrast of recorded runs; those that share their pre-training count as one.

    Fine-tunings of one pre-trained network say nothing of how much its pre-training matters.

    Args:
        units: as of ``covidlib.evaluation.contrasts.contrast``, with records as runs.
        metric: a name of ``METRICS``.
        **options: of ``contrast``.

    Raises:
        DataError: as ``contrast``.
    """
    tables = [[(weight, [one.predictions for one in runs]) for weight, runs in u] for u in units]
    found = contrast(tables, metric, **options)
    return replace(found, runs=sum(min(_trainings(runs) for _, runs in terms) for terms in units))


def _trainings(runs: Sequence[Record]) -> int:
    return len({one.start or one.key for one in runs})
