"""Scores of heatmaps under ``book/results``: one small file per map and network."""

from dataclasses import asdict
from pathlib import Path

import numpy as np

from covidlib.heat_scores.scoring import HeatScores
from covidlib.kept_scores import keep, kept

FOLDER = Path("msatl") / "heatmaps"


def write(found: HeatScores, results: Path) -> Path | None:
    """Keep scores on real slices; those that are there already are left alone.

    Raises:
        DataError: the slices were drawn, or the run was a small one.
    """
    body = asdict(found)
    for field in ("inside", "area"):
        body[field] = [None if np.isnan(v) else round(float(v), 4) for v in getattr(found, field)]
    body["randomised"] = {step: round(value, 4) for step, value in found.randomised.items()}
    name = f"{found.kind.split(',')[0].replace(' ', '-').lower()}-{found.key or found.seed}"
    return keep(body, results / FOLDER / f"{name}.json", "slices")


def read(results: Path) -> list[HeatScores]:
    """Return what ``write`` kept; of several profiles, the scores of the larger one alone."""
    found = []
    for body in kept(results / FOLDER):
        for field in ("inside", "area"):
            body[field] = np.array([np.nan if v is None else v for v in body[field]], dtype=float)
        body |= {name: tuple(body[name]) for name in ("grid", "samples", "patients")}
        found.append(HeatScores(**body))
    return found
