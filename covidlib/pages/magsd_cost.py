"""What a step of MAG-SD costs (``notebooks/magsd/attention_augmentation.py``)."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from covidlib.book import Page
from covidlib.data_page import PlainTable
from covidlib.pages.results import NOT_YET

STEP = Path("magsd", "cost", "step.json")  # below the folder of results
FLOOR, OURS = "four plain steps", "MAG-SD"
VECTORISED, LOOP = "its views, whole batch", "its views, image by image"
QUARTILES = (0.5, 0.25, 0.75)


def step_table(page: Page) -> PlainTable:
    """Return what a step of MAG-SD and its views cost, as it was measured.

    ``benchmarks/magsd.py`` keeps the seconds of each round by contestant: those of whole steps,
    and those of the views alone. The first contestant of either group is what the others are
    compared with, round by round.
    """
    source = page.recorded / STEP
    if not source.is_file():
        return PlainTable(pd.DataFrame({"seconds": [NOT_YET]}, index=[OURS]))
    body, rows = json.loads(source.read_text("utf-8")), {}
    for one in body["batches"]:
        for group in ("steps", "views"):
            for name, line in _lines(one[group]).items():
                rows[f"{one['batch']} images", name] = line
    frame = pd.DataFrame.from_dict(rows, orient="index")
    frame.index = pd.MultiIndex.from_tuples(frame.index)
    return PlainTable(frame, _note(body))


def _lines(seconds: Mapping[str, Sequence[float]]) -> dict[str, dict[str, str]]:
    first, *_ = seconds
    base = np.array(seconds[first])
    return {
        name: {
            "seconds": _quartiles(np.array(taken)),
            "ratio": "1" if name == first else _quartiles(np.array(taken) / base),
            "to": "" if name == first else first,
        }
        for name, taken in seconds.items()
    }


def _quartiles(values: np.ndarray) -> str:
    middle, low, high = (f"{value:.3g}" for value in np.quantile(values, QUARTILES))
    return f"{middle} [{low}, {high}]"


def _note(body: Mapping) -> str:
    about, threads = body["provenance"], body["threads"]
    rounds = len(body["batches"][0]["steps"][OURS])
    waits = " and ".join(f"{one['waits']} at {one['batch']} images" for one in body["batches"])
    return (
        f"{body['network']}, {body['size']} pixels; {threads} thread{'s' * (threads > 1)}, torch "
        f"{about['versions']['torch']}. Median and quartiles of {rounds} rounds of turns, ratios "
        "within a round."
        + (" Processor time of all threads." if about["device"] == "cpu" else "")
        + f" Host synchronisations in a step: {waits}, counted by the names of its operations; the "
        "looks at the loss, in the first step of an epoch and every 50 steps, come besides."
    )
