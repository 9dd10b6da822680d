"""Scores of stages under ``book/results``: one small file per stage, never overwritten."""

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from covidlib.errors import DataError
from covidlib.evaluation import Interval
from covidlib.stage_scores.scoring import StageScores

FOLDER = Path("msatl") / "leep_scores"
PROFILES = ("paper", "laptop")  # the first that has scores speaks


def write(found: StageScores, results: Path) -> Path | None:
    """Keep the scores of one stage on real images; one that is there already is left alone.

    Raises:
        DataError: the images were drawn, or the run was a small one.
    """
    facts = found.provenance
    if facts.get("phantom") is not False or facts.get("profile") == "smoke":
        raise DataError("only scores on real images, in the profiles laptop and paper, are kept")
    target = results / FOLDER / f"{found.stages}-{found.key}.json"
    if target.exists():
        return None
    target.parent.mkdir(parents=True, exist_ok=True)
    body = asdict(replace(found, likelihoods=np.round(found.likelihoods, 4).tolist()))
    body["scores"] = {name: _plain(score) for name, score in found.scores.items()}
    target.write_text(json.dumps(body, sort_keys=True) + "\n", encoding="utf-8")
    return target


def _plain(score: Interval) -> list[float]:
    values = (score.value,) if np.isnan(score.low) else (score.value, score.low, score.high)
    return [round(value, 6) for value in values]


def read(results: Path) -> list[StageScores]:
    """Return what ``write`` kept; of several profiles, the scores of the larger one alone."""
    found = []
    for path in sorted((results / FOLDER).glob("*.json")):
        body = json.loads(path.read_text(encoding="utf-8"))
        body["likelihoods"] = np.array(body["likelihoods"])
        body["scores"] = {
            name: _interval(values, body["images"]) for name, values in body["scores"].items()
        }
        found.append(StageScores(**body))
    for profile in PROFILES:
        if chosen := [one for one in found if one.provenance["profile"] == profile]:
            return chosen
    return []


def _interval(values: Sequence[float], images: int) -> Interval:
    value, low, high = (*values, np.nan, np.nan)[:3]
    return Interval(value, low, high, runs=1, images=images)


def by_network(found: Sequence[StageScores]) -> dict[tuple[str, str], dict[str, list[StageScores]]]:
    """Return the scores by network and stages; several seeds stand in one list."""
    table: dict[tuple[str, str], dict[str, list[StageScores]]] = {}
    for one in found:
        table.setdefault(one.network, {}).setdefault(one.stages, []).append(one)
    return table
