"""Facts and floors of the sources, kept as numbers: they need the images, not any network."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from covidlib.benchmark.sources import counts, overlap
from covidlib.data.floors import floor_runs
from covidlib.data.same_pictures import NO_PAIRS, recall_pairs
from covidlib.evaluation.predictions import PREFIX, classes_of
from covidlib.kept_scores import keep, kept, place
from covidlib.plans.across import images
from covidlib.runs.provenance import of_images
from covidlib.training.data import training_data

FOLDER = Path("across") / "benchmark"
FLOORS = ("size and shape", "grey statistics", "frame")
FACTS = ["sample", "patient", "split", "label"]


@dataclass(frozen=True)
class Kept:
    """What one training set of real X-rays is, and what can be told without a network.

    Args:
        learnt: name of the training set.
        counts: images by group and split, see ``covidlib.benchmark.sources.counts``.
        overlap: see ``covidlib.benchmark.sources.overlap``.
        floors: predictions of each forest for the test images of all sources.
        provenance: commit, fingerprint, phantom, profile.
    """

    learnt: str
    counts: Mapping[str, int]
    overlap: Mapping[str, int]
    floors: Mapping[str, pd.DataFrame]
    provenance: Mapping[str, object]


def measure(
    learnt: str, profile: str, root: Path | None, *, phantoms: bool = False, seed: int = 0
) -> Kept:
    """Count, compare and fit the floors of one training set.

    Args:
        learnt: one of ``TESTS``.
        profile: written into the provenance; sizes of images play no part.
        root: the data root; phantoms need none.
        phantoms: whether the images are drawn; drawn pictures resemble each other, so they are
            not compared.
        seed: of the forests.
    """
    data = training_data(images(learnt, profile, phantoms), root)
    pairs = NO_PAIRS if phantoms else recall_pairs(data.table)
    dataset = replace(data.dataset, table=data.table)
    found = floor_runs(dataset, [seed], names=FLOORS)
    return Kept(
        learnt,
        {name: int(value) for name, value in counts({learnt: data.table}).loc[learnt].items()},
        overlap(data.dataset, data.table, pairs),
        {name: run for name, (run,) in found.items()},
        of_images(data.dataset, profile),
    )


def write(found: Kept, results: Path) -> Path | None:
    """Keep the facts of real images under ``book/results``; what is there is left alone.

    Raises:
        DataError: the images were drawn, or the profile is "smoke".
    """
    first = found.floors[FLOORS[0]]
    classes = classes_of(first)
    body = {
        "learnt": found.learnt,
        "counts": dict(found.counts),
        "overlap": dict(found.overlap),
        "images": first[FACTS].astype(object).where(first[FACTS].notna(), None).to_dict("list"),
        "classes": list(classes),
        "floors": {
            name: run[PREFIX + classes[-1]].round(4).tolist() for name, run in found.floors.items()
        },
        "provenance": dict(found.provenance),
    }
    return keep(body, _file(found.learnt, found.provenance["profile"], results))


def is_kept(learnt: str, profile: str, results: Path) -> bool:
    """Return whether the facts of a training set are kept."""
    return _file(learnt, profile, results).exists()


def _file(learnt: str, profile: str, results: Path) -> Path:
    return place(results / FOLDER, f"{profile}-{learnt}")


def read(results: Path) -> dict[str, Kept]:
    """Return what ``write`` kept, by training set; of several profiles, the larger one alone."""
    found = {}
    for body in kept(results / FOLDER):
        table = pd.DataFrame(body["images"])
        other, positive = body["classes"]
        floors = {
            name: table.assign(**{PREFIX + other: 1 - np.array(values), PREFIX + positive: values})
            for name, values in body["floors"].items()
        }
        found[body["learnt"]] = Kept(
            body["learnt"], body["counts"], body["overlap"], floors, body["provenance"]
        )
    return found
