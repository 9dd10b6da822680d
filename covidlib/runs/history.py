"""What was measured when, on which commit and device: one line per finished run, only appended."""

import hashlib
import json
import re
import sys
from collections.abc import Iterable
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from covidlib.errors import RunError
from covidlib.runs.record import RECORD, Record
from covidlib.runs.spec import described

HISTORY = "history.jsonl"
IDENTITY = ("key", "commit", "started")
FACTS = ("commit", "started", "profile", "phantom", "device", "hardware", "data", "seconds")


def line(record: Record, paper: str) -> dict[str, Any]:
    """Return what the history keeps of a finished run.

    ``family`` is the same for runs that differ in their seeds alone, and stays the same when a
    setting is added later at its default; ``name`` is its readable form.
    """
    body = record.body
    essence = json.dumps(_essence(body["spec"]), sort_keys=True)
    return {
        "paper": paper,
        "key": record.key,
        "name": re.sub(r"-s\d+-[0-9a-f]+$", "", record.key),
        "family": hashlib.sha256(essence.encode()).hexdigest()[:10],
        "seed": body["spec"]["seed"],
        "metrics": dict(body["metrics"]),
        **{fact: record.provenance.get(fact) for fact in FACTS},
    }


def _essence(node: Any) -> Any:
    """Return recorded settings without seeds and without what stands at its default."""
    if isinstance(node, list):
        return [_essence(item) for item in node]
    if not isinstance(node, dict):
        return node
    settings = _classes().get(node.get("is", ""))
    usual = _defaults(settings) if settings else {}
    return {
        name: _essence(value)
        for name, value in node.items()
        if not (node.get("is") == "RunSpec" and name == "seed")
        and not (name in usual and value == usual[name])
    }


def _defaults(settings: type) -> dict[str, Any]:
    """Return the defaults of a settings class as a record holds them."""
    found = {}
    for field in fields(settings):
        if field.default is not MISSING:
            found[field.name] = described(field.default)
        elif field.default_factory is not MISSING:
            found[field.name] = described(field.default_factory())
    return found


@cache
def _classes() -> dict[str, type]:
    """Return every settings class of the library by name."""
    import covidlib.plans  # noqa: F401 - brings in all that a spec can hold

    modules = [m for name, m in list(sys.modules.items()) if name.startswith("covidlib.")]
    found = (value for module in modules for value in vars(module).values())
    return {v.__name__: v for v in found if isinstance(v, type) and is_dataclass(v)}


def remember(records: Iterable[tuple[str | None, Record]], path: Path) -> int:
    """Append the runs that the history does not have yet, in the order in which they started.

    Args:
        records: pairs of paper and finished run; without a paper, that of earlier runs with the
            same settings is taken.
        path: of the history; made when missing. Lines that are there are never touched.

    Returns:
        How many lines were appended.
    """
    before = lines(path)
    known = {tuple(old[name] for name in IDENTITY) for old in before}
    papers = {old["family"]: old.get("paper") for old in before}
    fresh = [line(record, paper or "") for paper, record in records]
    for new in fresh:
        new["paper"] = new["paper"] or papers.get(new["family"]) or "unfiled"
    fresh = sorted(fresh, key=lambda new: (new["started"], new["key"]))
    fresh = [new for new in fresh if tuple(new[name] for name in IDENTITY) not in known]
    if fresh:
        path.parent.mkdir(parents=True, exist_ok=True)
        text = "".join(json.dumps(new, sort_keys=True) + "\n" for new in fresh)
        with path.open("a", encoding="utf-8") as file:
            file.write(text)
    return len(fresh)


def recorded_runs(results: Path) -> list[tuple[str, Record]]:
    """Return paper and run of everything under ``book/results``."""
    found = sorted(results.glob(f"*/*/{RECORD}"))
    return [(path.parts[-3], Record(path.parent)) for path in found]


def lines(path: Path) -> list[dict[str, Any]]:
    """Return every line of a history; none if there is no file.

    Raises:
        RunError: a line is broken, as after a full disk.
    """
    if not path.is_file():
        return []
    found = []
    for number, text in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            entry = json.loads(text)
            missing = {*IDENTITY, "family", "metrics"} - set(entry)
        except (json.JSONDecodeError, TypeError) as error:
            raise RunError(f"line {number} of {path} is broken: {error}") from error
        if missing:
            raise RunError(f"line {number} of {path} lacks {sorted(missing)}")
        found.append(entry)
    return found


def read(path: Path) -> pd.DataFrame:
    """Return the history as a table: one row per run and metric, in order of starting.

    Columns: paper, name, family, key, seed, profile, device, commit, started, metric, value, …

    Raises:
        RunError: a line is broken.
    """
    rows = [
        {k: v for k, v in entry.items() if k != "metrics"} | {"metric": metric, "value": value}
        for entry in lines(path)
        for metric, value in entry["metrics"].items()
    ]
    columns = ["paper", "name", "family", "key", "seed", *FACTS, "metric", "value"]
    frame = pd.DataFrame(rows, columns=columns)
    return frame.sort_values(["started", "key"], kind="stable", ignore_index=True)
