"""What MAG-SD confuses on its three data sets (``notebooks/magsd/distribution.py``)."""

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from covidlib import figures
from covidlib.evaluation import confusion
from covidlib.pages import results
from covidlib.pages.magsd_results import NOTE, table
from covidlib.pages.results import NOT_YET, Results
from covidlib.plans.magsd import PROPOSED
from covidlib.plans.magsd_runs import SETS
from covidlib.tables import ComparisonTable


def proposed_alone(cell: Mapping[str, str]) -> bool:
    """Say which rows of Table 3 are MAG-SD as proposed."""
    return cell["model"] == "magsd"


def draw_confusions(axes: Sequence[Axes], runs: Results, name: str, known: bool) -> None:
    """Draw the confusion matrix of one row on A, B and C, summed over its folds.

    Args:
        axes: one per data set.
        runs: of one plan.
        name: of the row, without the data set.
        known: the recorded runs, or those of this run.
    """
    for ax, letter in zip(axes, SETS, strict=True):
        source = runs.known if known else runs.done
        records = source.get(f"{letter}: {name}", ())
        if not records:
            results.nothing(ax)
        else:
            counts = sum(confusion(record.predictions) for record in records)
            figures.confusion(ax, _shortened(counts))
        ax.set_title(f"data set {letter}")


def _shortened(counts: pd.DataFrame) -> pd.DataFrame:
    """Write class names over two lines, so that they fit under a cell."""
    names = {name: name.replace(" ", "\n") for name in counts.index}
    return counts.rename(index=names, columns=names)


def proposed_table(runs: Results) -> ComparisonTable:
    """Return the proposed rows of Table 3 on all three sets in one table."""
    tables = []
    for letter in SETS:
        frame = table(runs, letter).frame
        own = frame[frame.index.get_level_values(0) == PROPOSED]
        tables.append(own.rename(index={PROPOSED: f"{PROPOSED} on {letter}"}, level=0))
    return ComparisonTable(pd.concat(tables), NOTE)


def sentences(runs: Results) -> dict[str, int | str]:
    """Return how many folds are recorded, and what is confused on C."""
    known = {letter: runs.known.get(f"{letter}: {PROPOSED}", ()) for letter in SETS}
    told: dict[str, int | str] = {f"folds_{letter}": len(k) for letter, k in known.items()}
    if not known["C"]:
        return told | dict.fromkeys(("viral_bacterial", "pair_right", "largest_pair"), NOT_YET)
    counts = sum(confusion(record.predictions) for record in known["C"])
    errors = counts.to_numpy().sum() - np.trace(counts.to_numpy())
    pair = ("viral pneumonia", "bacterial pneumonia")
    both = counts + counts.T
    one, two = max(combinations(counts.index, 2), key=lambda names: both.loc[names])
    right = (f"{name} {counts.loc[name, name]} of {counts.loc[name].sum()}" for name in pair)
    return told | {
        "viral_bacterial": f"{both.loc[pair]} of {errors}",
        "pair_right": ", ".join(right),
        "largest_pair": f"{one} and {two}, {both.loc[one, two]} of {errors}",
    }
