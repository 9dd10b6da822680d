"""Scores of stages under ``book/results``: one small file per stage, never overwritten."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from covidlib.evaluation import Interval
from covidlib.kept_scores import keep, kept, place
from covidlib.stage_scores.scoring import StageScores

FOLDER = Path("msatl") / "leep_scores"


def write(found: StageScores, results: Path) -> Path | None:
    """Keep the scores of one stage on real images; one that is there already is left alone.

    Raises:
        DataError: the images were drawn, or the run was a small one.
    """
    body = asdict(replace(found, likelihoods=np.round(found.likelihoods, 4).tolist()))
    body["scores"] = {name: _plain(score) for name, score in sorted(found.scores.items())}
    body["bounds"] = dict(sorted(found.bounds.items()))
    return keep(body, _file(found.cell, found.key, results))


def is_kept(cell: Mapping[str, str], key: str, results: Path) -> bool:
    """Return whether the scores of one stage are kept."""
    return _file(cell, key, results).exists()


def _file(cell: Mapping[str, str], key: str, results: Path) -> Path:
    # The untrained network of a stage has the key of its run.
    return place(results / FOLDER, f"{cell['stages']}-{key}")


def _plain(score: Interval) -> list[float]:
    values = (score.value,) if np.isnan(score.low) else (score.value, score.low, score.high)
    return [round(value, 6) for value in values]


def read(results: Path) -> list[StageScores]:
    """Return what ``write`` kept; of several profiles, the scores of the larger one alone."""
    found = []
    for body in kept(results / FOLDER):
        body["likelihoods"] = np.array(body["likelihoods"])
        body["patients"] = tuple(body.get("patients", ()))
        body["scores"] = {
            name: _interval(values, body["images"]) for name, values in body["scores"].items()
        }
        found.append(StageScores(**body))
    return found


def _interval(values: Sequence[float], images: int) -> Interval:
    value, low, high = (*values, np.nan, np.nan)[:3]
    return Interval(value, low, high, runs=1, images=images)


def by_network(found: Sequence[StageScores]) -> dict[tuple[str, str], dict[str, list[StageScores]]]:
    """Return the scores by network and stages; several seeds stand in one list."""
    table: dict[tuple[str, str], dict[str, list[StageScores]]] = {}
    for one in found:
        table.setdefault(one.network, {}).setdefault(one.stages, []).append(one)
    return table
