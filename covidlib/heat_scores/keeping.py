"""Scores of heatmaps under ``book/results``: one small file per map and network."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np

from covidlib.errors import DataError
from covidlib.heat_scores.scoring import KINDS, HeatScores, named
from covidlib.kept_scores import keep, kept, place
from covidlib.runs.spec import RunSpec

FOLDER = Path("msatl") / "heatmaps"


def write(found: HeatScores, results: Path) -> Path | None:
    """Keep scores on real slices; those that are there already are left alone.

    Raises:
        DataError: the slices were drawn, or the run was a small one.
    """
    body = asdict(found)
    for field in ("inside", "area"):
        body[field] = [None if np.isnan(v) else round(float(v), 4) for v in getattr(found, field)]
    body["maps"] = [[[float(f"{v:.4g}") for v in row] for row in one] for one in found.maps]
    body["randomised"] = {step: round(value, 4) for step, value in found.randomised.items()}
    return keep(body, place(results / FOLDER, name_of(found.kind, found.key)), "slices")


def is_kept(specs: Mapping[str, RunSpec], results: Path) -> bool:
    """Return whether every score of a pair of networks is kept; see ``score_pair``."""
    names = [name_of(kind, str(named(kind, specs)["key"])) for kind in KINDS]
    return all(place(results / FOLDER, name).exists() for name in names)


def name_of(kind: str, key: str) -> str:
    """Return the name of the file that keeps the scores of one kind of maps of one run."""
    return f"{kind.split(',')[0].replace(' ', '-').lower()}-{key}"


def read(results: Path) -> list[HeatScores]:
    """Return what ``write`` kept; of several profiles, the scores of the larger one alone.

    Raises:
        DataError: an older version kept them, without maps.
    """
    found = []
    for body in kept(results / FOLDER):
        for field in ("inside", "area"):
            body[field] = np.array([np.nan if v is None else v for v in body[field]], dtype=float)
        if "maps" not in body:
            raise DataError(
                f"scores of {body['key']} in {results / FOLDER} are older than the maps kept with "
                "them; delete them and score again: make scores PAPER=msatl"
            )
        body["maps"] = np.array(body["maps"])
        body |= {name: tuple(body[name]) for name in ("grid", "samples", "patients")}
        found.append(HeatScores(**body))
    return found
