"""What was measured when, on which commit and device: one line per finished run, only appended."""

import hashlib
import json
import sys
from collections.abc import Iterable
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from covidlib.errors import RunError
from covidlib.runs.image_errors import image_errors
from covidlib.runs.record import RECORD, Record
from covidlib.runs.spec import described, name_of

HISTORY = "history.jsonl"
IDENTITY = ("key", "commit", "started")
FACTS = ("commit", "started", "profile", "phantom", "device", "hardware", "data", "seconds")


def line(record: Record, paper: str) -> dict[str, Any]:
    """Return what the history keeps of a finished run.

    ``family`` is the same for runs that differ in their seeds alone, and stays the same when a
    setting is added later at its default; ``name`` is its readable form. ``row`` is the same for
    the folds of a family too, as in a row of a printed table. ``errors``: see ``image_errors``.
    """
    body = record.body
    return {
        "paper": paper,
        "key": record.key,
        "name": name_of(record.key),
        "family": _digest(_essence(body["spec"], ("seed",))),
        **_of_predictions(record),
        "seed": body["spec"]["seed"],
        "metrics": dict(body["metrics"]),
        **{fact: record.provenance.get(fact) for fact in FACTS},
    }


def _of_predictions(record: Record) -> dict[str, Any]:
    """Return what lines from before these columns lack."""
    row = _digest(_essence(record.body["spec"], ("seed", "fold")))
    return {"row": row, "errors": image_errors(record)}


def _digest(essence: Any) -> str:
    return hashlib.sha256(json.dumps(essence, sort_keys=True).encode()).hexdigest()[:10]


def _essence(node: Any, without: tuple[str, ...]) -> Any:
    """Return recorded settings without some names and without what stands at its default.

    The names are left out where they are the run's own or its data's: other settings may have a
    seed that is not a repetition.
    """
    if isinstance(node, list):
        return [_essence(item, without) for item in node]
    if not isinstance(node, dict):
        return node
    settings = _classes().get(node.get("is", ""))
    usual = _defaults(settings) if settings else {}
    left_out = without if node.get("is") in ("RunSpec", "DataSettings") else ()
    return {
        name: _essence(value, without)
        for name, value in node.items()
        if name not in left_out and not (name in usual and value == usual[name])
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


def read(path: Path, results: Path | None = None) -> pd.DataFrame:
    """Return the history as a table: one row per run and metric, in order of starting.

    Columns: paper, name, family, row, key, seed, profile, device, commit, started, metric, value,
    error (over test images, NaN where unknown), recorded (whether the run lies in ``results``),
    digest (equal where two runs of a seed agree in every metric), …

    Args:
        path: of the history.
        results: the recorded runs; by default those beside the history.

    Raises:
        RunError: a line is broken.
    """
    results = results or path.parent
    rows = [row for entry in lines(path) for row in _rows(entry, results)]
    columns = ["paper", "name", "family", "row", "key", "seed", *FACTS]
    frame = pd.DataFrame(rows, columns=[*columns, "metric", "value", "error", "recorded", "digest"])
    return frame.sort_values(["started", "key"], kind="stable", ignore_index=True)


def _rows(entry: dict[str, Any], results: Path) -> list[dict[str, Any]]:
    record = Record(results / (entry.get("paper") or "") / entry["key"])
    exists = (record.folder / RECORD).is_file()
    recorded = exists and record.provenance["started"] == entry["started"]
    if "row" not in entry:
        known = _of_predictions(record) if exists else {"row": entry["family"], "errors": {}}
        entry = entry | known
    facts = {k: v for k, v in entry.items() if k not in ("metrics", "errors")}
    facts |= {"recorded": recorded, "digest": _digest(entry["metrics"])}
    return [
        facts | {"metric": metric, "value": value, "error": entry["errors"].get(metric)}
        for metric, value in entry["metrics"].items()
    ]
