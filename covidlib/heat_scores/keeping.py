"""Scores of heatmaps under ``book/results``: one small file per map and network."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np

from covidlib.errors import DataError
from covidlib.heat_scores.scoring import HeatScores

FOLDER = Path("msatl") / "heatmaps"
PROFILES = ("paper", "laptop")  # the first that has scores speaks


def write(found: HeatScores, results: Path) -> Path | None:
    """Keep scores on real slices; those that are there already are left alone.

    Raises:
        DataError: the slices were drawn, or the run was a small one.
    """
    facts = found.provenance
    if facts.get("phantom") is not False or facts.get("profile") == "smoke":
        raise DataError("only scores on real slices, in the profiles laptop and paper, are kept")
    name = f"{found.kind.split(',')[0].replace(' ', '-').lower()}-{found.key or found.seed}"
    target = results / FOLDER / f"{name}.json"
    if target.exists():
        return None
    target.parent.mkdir(parents=True, exist_ok=True)
    body = asdict(found)
    for field in ("inside", "area"):
        body[field] = [None if np.isnan(v) else round(float(v), 4) for v in getattr(found, field)]
    body["randomised"] = {step: round(value, 4) for step, value in found.randomised.items()}
    target.write_text(json.dumps(body) + "\n", encoding="utf-8")
    return target


def read(results: Path) -> list[HeatScores]:
    """Return what ``write`` kept; of several profiles, the scores of the larger one alone."""
    found = []
    for path in sorted((results / FOLDER).glob("*.json")):
        body = json.loads(path.read_text(encoding="utf-8"))
        for field in ("inside", "area"):
            body[field] = np.array([np.nan if v is None else v for v in body[field]], dtype=float)
        body |= {"grid": tuple(body["grid"]), "samples": tuple(body["samples"])}
        found.append(HeatScores(**body))
    for profile in PROFILES:
        if chosen := [one for one in found if one.provenance["profile"] == profile]:
            return chosen
    return []
