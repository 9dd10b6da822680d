"""Scores of the released evaluation under ``book/results``: one small file per run."""

from dataclasses import asdict
from pathlib import Path

import numpy as np

from covidlib.kept_scores import keep, kept, place
from covidlib.protocol_scores.scoring import ProtocolScores

FOLDER = Path("magsd") / "protocol"


def write(found: ProtocolScores, results: Path) -> Path | None:
    """Keep scores on real images; those that are there already are left alone.

    Raises:
        DataError: the images were drawn, or the run was a small one.
    """
    body = asdict(found) | {"draws": found.draws.tolist(), "hits": found.hits.tolist()}
    body["repeats"] = [
        {name: None if np.isnan(value) else round(value, 6) for name, value in one.items()}
        for one in found.repeats
    ]
    return keep(body, place(results / FOLDER, found.key))


def read(results: Path) -> dict[str, ProtocolScores]:
    """Return what ``write`` kept by key of the run; of several profiles, the larger one alone."""
    found = {}
    for body in kept(results / FOLDER):
        body |= {"draws": np.array(body["draws"]), "hits": np.array(body["hits"])}
        body["samples"] = tuple(body["samples"])
        body["repeats"] = tuple(
            {name: np.nan if value is None else value for name, value in one.items()}
            for one in body["repeats"]
        )
        found[body["key"]] = ProtocolScores(**body)
    return found
