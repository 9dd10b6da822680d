"""Scores that need weights, kept as small files under ``book/results``, never overwritten."""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from covidlib.errors import DataError
from covidlib.files import save
from covidlib.runs.record import Record
from covidlib.runs.recorded import PROFILES
from covidlib.runs.spec import RunSpec
from covidlib.runs.store import Store
from covidlib.verdicts import counts


def keep(body: Mapping[str, Any], target: Path, what: str = "images") -> Path | None:
    """Write scores with their ``provenance``; a file that is there already is left alone.

    Args:
        body: what the file holds.
        target: the file.
        what: was scored, for the message.

    Raises:
        DataError: the images were drawn, or the run was a small one.
    """
    if not counts(body["provenance"]):
        raise DataError(f"only scores on real {what}, in the profiles laptop and paper, are kept")
    if target.exists():
        return None
    return save(target, json.dumps(body) + "\n")


def place(folder: Path, key: str) -> Path:
    """Return the file of a folder that keeps the scores of a run."""
    return folder / f"{key}.json"


def unkept(
    specs: Iterable[RunSpec], store: Store, folder: Path
) -> Iterator[tuple[RunSpec, Record]]:
    """Yield the runs that are in a store and whose scores are not in a folder.

    Raises:
        DataError: none of them is in the store.
    """
    there = [(spec, record) for spec in specs if (record := store.get(spec)) is not None]
    if not there:
        raise DataError(f"none of these runs is in {store.root}; --store names where they are")
    for spec, record in there:
        if not place(folder, spec.key).exists():
            yield spec, record


def kept(folder: Path) -> list[dict[str, Any]]:
    """Return what ``keep`` wrote, by file name; of several profiles, the larger one alone."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]
    for profile in PROFILES:
        if chosen := [body for body in found if body["provenance"]["profile"] == profile]:
            return chosen
    return []
