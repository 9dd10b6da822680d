"""From which collections the sets of magsd are put together (``notebooks/magsd/data.py``)."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from covidlib.data import Dataset
from covidlib.data.composition_report import classes_table, parts_table
from covidlib.data.compositions import COMPOSITIONS
from covidlib.data_page import PlainTable
from covidlib.errors import DataError
from covidlib.files import save
from covidlib.pages.results import NOT_YET
from covidlib.runs.provenance import software

FILE = Path("magsd") / "data" / "collections.json"
COUNTS = ("available", "copies", "used")


def collections(dataset: Dataset) -> list[dict[str, Any]]:
    """Return what each part of a composed set is, in the set's order.

    Returns:
        For each part: ``releases`` of its collection, the best first; ``here``, the one that was
        taken, None if none is; ``missing``, those that would have been taken before it; and
        ``classes``, the counts of ``parts_table`` by class.
    """
    lines = iter(parts_table(dataset).to_dict("records"))
    found = []
    for part in COMPOSITIONS[dataset.name].parts:
        own = [next(lines) for _ in dict.fromkeys(part.labels.values())]
        here = own[0]["part"] if own[0]["here"] else None
        better = part.datasets.index(here) if here else len(part.datasets)
        found.append(
            {
                "releases": list(part.datasets),
                "here": here,
                "missing": list(part.datasets[:better]),
                "classes": {one["class"]: {name: one[name] for name in COUNTS} for one in own},
            }
        )
    return found


def kept(dataset: Dataset) -> dict[str, Any]:
    """Return what is kept of a set: its classes, their images here and missing, its collections.

    Raises:
        DataError: the set was drawn.
    """
    if dataset.phantom:
        raise DataError(f"{dataset.name}: only sets of real images are recorded")
    frame = classes_table(dataset, COMPOSITIONS[dataset.name])[["paper", "here", "missing"]]
    classes = {label: {k: int(n) for k, n in row.items()} for label, row in frame.iterrows()}
    facts = {"fingerprint": dataset.fingerprint, "classes": classes}
    return facts | {"collections": collections(dataset)}


def write(found: Mapping[str, Dataset], recorded: Path) -> Path:
    """Record the collections behind real sets, over an earlier record.

    Args:
        found: the sets by name.
        recorded: ``book/results``.
    """
    known = software()
    body = {"provenance": {name: known[name] for name in ("commit", "dirty")}}
    body["sets"] = {name: kept(dataset) for name, dataset in found.items()}
    return save(recorded / FILE, json.dumps(body, indent=1) + "\n")


def read(recorded: Path) -> dict[str, dict[str, Any]]:
    """Return what ``kept`` gave, by data set; empty where nothing is recorded."""
    path = recorded / FILE
    return json.loads(path.read_text("utf-8"))["sets"] if path.is_file() else {}


def table(found: Mapping[str, Dataset], recorded: Path) -> PlainTable:
    """Return what each collection gave to each set, recorded and in this run.

    Args:
        found: the page's data sets.
        recorded: ``book/results``.
    """
    known, lines = read(recorded), {}
    for name, dataset in found.items():
        own = collections(dataset)
        told = known[name]["collections"] if name in known else [None] * len(own)
        for part, record in zip(own, told, strict=True):
            for label, now in part["classes"].items():
                place = name.removeprefix("magsd-").capitalize(), " or ".join(part["releases"])
                drawn = f"phantoms: {now['used']}" if dataset.phantom else now["used"]
                lines[(*place, label)] = _recorded(record, label) | {"used, this run": drawn}
    frame = pd.DataFrame.from_dict(lines, orient="index")
    frame.index = pd.MultiIndex.from_tuples(frame.index)
    note = (
        "Of each collection the first release that is there is taken; missing are those before "
        "it. Available, copies and used are recorded from the sets at hand: images of that class, "
        "pictures that an earlier collection of the set has too, and images taken into the set."
    )
    return PlainTable(frame, note)


def _recorded(part: Mapping[str, Any] | None, label: str) -> dict[str, object]:
    if part is None:
        return dict.fromkeys(COUNTS) | {"recorded from": NOT_YET, "missing": None}
    counts = part["classes"][label]
    return {
        **{name: str(counts[name]) for name in COUNTS},
        "recorded from": part["here"] or "nothing",
        "missing": ", ".join(part["missing"]) or None,
    }


def absent(recorded: Path) -> str:
    """Name the releases that are missing in the recorded sets."""
    known = read(recorded)
    if not known:
        return NOT_YET
    parts = [part for one in known.values() for part in one["collections"]]
    names = dict.fromkeys(name for part in parts for name in part["missing"])
    return ", ".join(names) or "none"
