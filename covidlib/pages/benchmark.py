"""Tables and sentences of the benchmark over all papers (``notebooks/across/benchmark.py``)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from covidlib.benchmark import GROUPS, Board
from covidlib.benchmark.keeping import Kept, read
from covidlib.benchmark.sources import counts, overlap, splits
from covidlib.book import Page
from covidlib.data import Dataset, findings
from covidlib.data_page import PlainTable
from covidlib.pages.results import NOT_YET, Results, gather
from covidlib.plans.across import (
    CT,
    HELD_OUT,
    LEARNT,
    NAME,
    TITLES,
    VIEWS,
    XRAYS,
    images,
)
from covidlib.runs.record import Record
from covidlib.tables import NOTHING, run_title
from covidlib.training.data import training_data


@dataclass(frozen=True)
class Sides:
    """What is recorded and what this run trained, in one form.

    Args:
        results: of the plan.
        recorded, here: predictions by network and training set.
        kept: facts and floors of the real sources, by training set; may be empty.
        ct_floors: recorded forests on COVID19-CT.
        phantom: whether this run's images are drawn.
    """

    results: Results
    recorded: Board
    here: Board
    kept: Mapping[str, Kept]
    ct_floors: Mapping[str, Sequence[pd.DataFrame]]
    phantom: bool

    @property
    def boards(self) -> dict[str, Board]:
        """Both, by the name that a reader sees."""
        return {"recorded": self.recorded, run_title(self.phantom): self.here}

    @property
    def best_known(self) -> tuple[str, Board]:
        """The recorded runs where there are any, else this run's."""
        named = list(self.boards.items())
        return named[0] if self.recorded else named[1]


def small(cell: Mapping[str, str]) -> bool:
    """Say which rows a page trains in seconds."""
    if cell["network"] == "r50" and cell["view"] == "own":
        return cell["learnt"] in (CT, *XRAYS, HELD_OUT[0])
    return cell["learnt"] == "cxnet-nih" and cell["network"] in ("magsd", "ma", "convnext")


def results(page: Page) -> Sides:
    """Train, or find, the runs of this page, and read the recorded ones."""
    found = gather(page, NAME, small)
    return Sides(
        found,
        board(found, found.known),
        board(found, found.done),
        read(page.recorded),
        findings.read(page.recorded / "msatl" / "data").runs,
        page.phantom,
    )


def board(found: Results, runs: Mapping[str, Sequence[Record]]) -> Board:
    """Sort predictions by network and view, then by training set."""
    sorted_: dict[tuple[str, str], dict[str, list[pd.DataFrame]]] = {}
    for row in found.chosen.rows:
        cell = dict(row.cell)
        if tables := [record.predictions for record in runs.get(row.label, ())]:
            place = sorted_.setdefault((cell["network"], cell["view"]), {})
            place[cell["learnt"]] = tables
    return sorted_


def name_of(network: str, view: str) -> str:
    """Return a row's name: "R-50", "R-50, frame only"."""
    return TITLES[network] + ("" if view == "own" else VIEWS[view])


def rows_of(sides: Sides) -> list[tuple[str, str]]:
    """Return every network and view of the plan, in its order."""
    cells = [dict(row.cell) for row in sides.results.chosen.rows]
    return list(dict.fromkeys((cell["network"], cell["view"]) for cell in cells))


# Sources


@dataclass(frozen=True)
class Sources:
    """What this run learns from.

    Args:
        xrays: the X-rays of all sources.
        tables: images with their split, by training set.
    """

    xrays: Dataset
    tables: Mapping[str, pd.DataFrame]


def sources(page: Page) -> Sources:
    """Return the images of every training set of this run."""
    xrays, tables = splits(page.profile, page.root, page.phantom)
    slices = training_data(images(CT, page.profile, page.phantom), page.root).table
    return Sources(xrays, {CT: slices} | tables)


def seen_table(seen: Sources, sides: Sides) -> PlainTable:
    """Return which images each training learns from, here and in the recorded runs."""
    frame = counts(seen.tables).replace(0, NOTHING)
    heads = {group: tuple(title.split(", ")) for group, title in GROUPS.items()}
    frame.columns = pd.MultiIndex.from_tuples([heads.get(c, ("in all", c)) for c in frame])
    if sides.kept:
        known = {name: one.counts["training"] for name, one in sides.kept.items()}
        frame["recorded", "training"] = [known.get(name, NOTHING) for name in frame.index]
    caption = (
        "Training images by source and class, then all training, validation and test images. "
        "Every X-ray network is tested on the test images of all five groups."
    )
    return PlainTable(frame.rename(index=LEARNT), caption)


def overlap_table(seen: Sources, sides: Sides) -> PlainTable:
    """Return what training and test images share, here and in the recorded runs."""
    lines = {
        "left_out": "pictures that two collections have, here once",
        "joined": "people with pictures in two collections",
        "people": "test people who were learnt from",
        "pictures": "pairs of like pictures, one learnt from, one tested",
    }
    columns = {}
    for name in XRAYS:
        here = overlap(seen.xrays, seen.tables[name]) | {"pictures": "not compared"}
        known = sides.kept[name].overlap if name in sides.kept else dict.fromkeys(lines, NOT_YET)
        columns[LEARNT[name]] = {
            (text, side): facts[line]
            for line, text in lines.items()
            for side, facts in (("recorded", known), ("this run", here))
        }
    return PlainTable(
        pd.DataFrame(columns),
        "The last two lines must be 0. Drawn pictures resemble each other by construction, and "
        "real ones are compared where the recorded facts are made.",
    )


def sentences(sides: Sides) -> dict[str, object]:
    """Return the numbers of the page's sentences that do not come from the leaderboard."""
    spent = sides.results.spent()
    told: dict[str, object] = {
        "rows": len(sides.results.chosen.rows),
        "recorded_rows": len(sides.results.shown),
        "here_rows": sum(bool(runs) for runs in sides.results.done.values()),
        "trainings": spent["trainings"],
        "minutes": spent["minutes"],
    }
    copies = [one.overlap["left_out"] for one in sides.kept.values()]
    told["copies"] = copies[0] if copies else NOT_YET
    return told
