"""The leaderboard of ``notebooks/across/benchmark.py``: one row per network and floor."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from ipywidgets import VBox

from covidlib.benchmark import Board, standing
from covidlib.benchmark.costs import Price
from covidlib.data_page import PlainTable
from covidlib.evaluation import Interval
from covidlib.pages.benchmark import Sides, name_of, rows_of
from covidlib.pages.results import NOT_YET
from covidlib.plans.across import CT, TITLES
from covidlib.tables import format_interval
from covidlib.widgets import browser

NOT_ON_CT = "not applicable: no lungs"
FOREST = "forest"  # stands where a network's name does, for a classifier without anatomy
# What the rows can be sorted by, and whether the smallest value stands first.
SORTS = {
    "AUC elsewhere": False,
    "AUC, own sources": False,
    "AUC, CT": False,
    "fall": True,
    "ECE elsewhere": True,
    "multiply-adds, M": True,
}
TITLE_OF = {"ct": "AUC, CT", "own": "AUC, own sources", "elsewhere": "AUC elsewhere"}


def floors(sides: Sides) -> Board:
    """Return the recorded forests that see no anatomy, as rows of the leaderboard."""
    found: dict[tuple[str, str], dict[str, Sequence[pd.DataFrame]]] = {}
    for learnt, one in sides.kept.items():
        for floor, run in one.floors.items():
            place = found.setdefault((FOREST, floor), {CT: sides.ct_floors[floor]})
            place[learnt] = [run]
    return found


def leaderboards(sides: Sides, prices: Mapping[str, Price]) -> dict[str, pd.DataFrame]:
    """Return the leaderboards of the recorded runs and of this run, by what a reader calls them."""
    return {side: leaderboard(sides, which, prices) for side, which in sides.boards.items()}


def leaderboard(sides: Sides, which: Board, prices: Mapping[str, Price]) -> pd.DataFrame:
    """Return the rows of the recorded runs or of this run: intervals and numbers, not yet text.

    Args:
        sides: both; recorded runs stand beside the recorded forests.
        which: one of ``sides.boards``.
        prices: by network.
    """
    rows = {name: which[name] for name in rows_of(sides) if name in which}
    if which is sides.recorded:
        rows |= floors(sides)
    frame = standing(rows).rename(columns=TITLE_OF | {"error": "ECE elsewhere"})
    adds = [prices[n].multiply_adds / 1e6 if n in prices else None for n, _ in frame.index]
    return frame.assign(**{"multiply-adds, M": pd.Series(adds, frame.index, dtype=object)})


def ranked(frame: pd.DataFrame, by: str) -> pd.DataFrame:
    """Sort a leaderboard; rows without the number stand last, in their own order."""
    values = pd.Series([_number(cell) for cell in frame[by]], dtype=float)
    order = values.sort_values(ascending=SORTS[by], kind="stable", na_position="last").index
    return frame.iloc[order.to_numpy()]


def _number(cell: object) -> float:
    if cell is None:
        return np.nan
    return cell.value if isinstance(cell, Interval) else float(cell)


def shown(frame: pd.DataFrame, where: str, by: str = "AUC elsewhere") -> PlainTable:
    """Return a leaderboard as text, its first column the one it is sorted by.

    Args:
        frame: see ``leaderboard``.
        where: whose runs they are, for the caption.
        by: one of ``SORTS``.
    """
    columns = [by, *(name for name in SORTS if name != by)]
    if frame.empty:
        missing = NOT_YET if where == "recorded" else "not trained"
        text = pd.DataFrame(missing, index=["all networks"], columns=columns)
        return PlainTable(text, f"{where.capitalize()}.")
    frame = ranked(frame, by)
    names = [_title(*key) for key in frame.index]
    cells = {name: [_text(cell, name) for cell in frame[name]] for name in columns}
    text = pd.DataFrame(cells, index=names, dtype=object)
    text.loc[text.index == TITLES["ma"], "AUC, CT"] = NOT_ON_CT
    return PlainTable(
        text,
        f"{where.capitalize()}, sorted by {by}. AUC: on CT, and means over the three X-ray "
        "training sets, with 95% intervals over patients; a network that lacks one of the sets has "
        "no mean. Fall: own minus elsewhere. ECE: at the temperature of the validation images. "
        "Multiply-adds: for one image at the size of this page.",
    )


def _title(network: str, view: str) -> str:
    return f"{FOREST}: {view}" if network == FOREST else name_of(network, view)


def _text(cell: object, column: str) -> str | None:
    if cell is None:
        return None
    if isinstance(cell, Interval):
        return format_interval(cell)
    return f"{cell:.0f}" if column.startswith("multiply") else f"{cell:.3f}"


def sortable(frame: pd.DataFrame, where: str) -> VBox:
    """Return a slider over what the leaderboard is sorted by; it works on a static page."""
    frames = {f"by {name}": shown(frame, where, name)._repr_html_() for name in SORTS}
    return browser(frames, "sort by")


@dataclass(frozen=True)
class Stacked:
    """Tables one below the other in one output."""

    tables: tuple[PlainTable, ...]

    def _repr_html_(self) -> str:
        return "\n".join(table._repr_html_() for table in self.tables)

    def __repr__(self) -> str:
        return "\n\n".join(map(repr, self.tables))


def both(frames: Mapping[str, pd.DataFrame]) -> Stacked:
    """Return what ``leaderboards`` gives as tables, the static twin of ``sortable``."""
    return Stacked(tuple(shown(frame, side) for side, frame in frames.items()))


def sentences(frames: Mapping[str, pd.DataFrame]) -> dict[str, str]:
    """Return what the page says of the recorded leaderboard and of this run's."""
    told: dict[str, str] = {}
    for side, frame in zip(("recorded", "here"), frames.values(), strict=True):
        key = ("r50", "own")
        for name in ("AUC, own sources", "AUC elsewhere"):
            cell = frame.loc[key, name] if key in frame.index else None
            short = name.split()[-1]
            told[f"{side}_{short}"] = NOT_YET if cell is None else format_interval(cell)
        best = ranked(frame, "AUC elsewhere")
        cells = [cell for cell in best["AUC elsewhere"] if cell is not None]
        told[f"{side}_first"] = NOT_YET
        if cells:
            meet = sum(cell.high >= cells[0].low for cell in cells[1:])
            others = f"whose interval meets those of {meet} of the {len(cells) - 1} others"
            alone = "the only one with all three training sets"
            told[f"{side}_first"] = f"{_title(*best.index[0])}, {others if cells[1:] else alone}"
        told[f"{side}_above"] = _above(best["AUC elsewhere"].dropna())
    return told


def _above(cells: pd.Series) -> str:
    """Say how many networks stand above every forest, which see no anatomy."""
    values = cells.map(_number)
    names, views = (values.index.get_level_values(level) for level in (0, 1))
    sighted, forests = values[views == "own"], values[names == FOREST]
    if sighted.empty or forests.empty:
        return NOT_YET
    return f"{(sighted > forests.max()).sum()} of {len(sighted)}"
