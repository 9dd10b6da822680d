"""Three ways to learn from CT without labels (``notebooks/msatl/ssl_comparison.py``)."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from covidlib.data_page import PlainTable
from covidlib.evaluation.comparisons import minimum_detectable_difference
from covidlib.evaluation.predictions import scored
from covidlib.pages.overall import told
from covidlib.pages.results import METRICS, Results, mixed, paired_table
from covidlib.published import published

NAME = "msatl/ssl_comparison"
NAMES = {"ours": "SSTL-M", "moco": "MoCo", "simclr": "SimCLR"}
IMAGES = 203
RIVALS = ("moco", "simclr")
INDEPENDENT = 0.13  # share of images that one of two models gets right, each 93% by itself


def small(cell: Mapping[str, str]) -> bool:
    """Say which rows a page trains in seconds."""
    return cell["model"] == "r50" and cell["variant"] == "baseline"


def units(runs: Results, rival: str) -> list[list[tuple[float, str]]]:
    """Return SSTL-M minus a rival for every network whose two rows are recorded."""
    found = []
    for ours in runs.labels(ssl="ours"):
        cell = dict(next(row.cell for row in runs.chosen.rows if row.label == ours))
        (other,) = runs.labels(**cell | {"ssl": rival})
        if ours in runs.shown and other in runs.shown:
            found.append([(1.0, ours), (-1.0, other)])
    return found


def comparisons(runs: Results) -> PlainTable:
    """Compare SSTL-M with each rival, network by network and over all recorded networks."""
    lines = {}
    for rival in RIVALS:
        pairs = units(runs, rival)
        for pair in pairs:
            lines[f"{pair[0][1]} against {NAMES[rival]}"] = [pair]
        if len(pairs) > 1:
            lines[f"{len(pairs)} networks, SSTL-M against {NAMES[rival]}"] = pairs
        elif not pairs:
            lines[f"SSTL-M against {NAMES[rival]}"] = []
    return paired_table(runs.known, lines)


def printed_margins() -> pd.DataFrame:
    """Return SSTL-M minus each rival in print: columns metric, moco, simclr; six networks each."""
    frame = published("msatl", 3)
    index = ["model", "variant", "metric"]
    wide = frame.pivot_table(index=index, columns="ssl", values="number").reset_index()
    return wide.assign(**{rival: wide["ours"] - wide[rival] for rival in RIVALS})


def margins() -> PlainTable:
    """Return the range of the paper's own margins."""
    frame, rows = printed_margins(), {}
    for rival in RIVALS:
        own = 100 * frame.groupby("metric")[rival].agg(["min", "max"])
        rows[f"SSTL-M minus {NAMES[rival]}"] = {
            metric: f"{own.loc[metric, 'min']:+.1f} to {own.loc[metric, 'max']:+.1f}"
            for metric in METRICS
        }
    return PlainTable(
        pd.DataFrame(rows).T, "Printed margins over six networks, in points (Table 3)."
    )


def discordant(runs: Results) -> list[float]:
    """Return on what share of the test images exactly one of SSTL-M and a rival is right.

    One number per recorded pair of rows, from the first run of each.
    """
    shares = []
    for pair in (pair for rival in RIVALS for pair in units(runs, rival)):
        if mixed(record for _, label in pair for record in runs.shown[label]):
            continue
        one, two = (scored(runs.shown[label][0].predictions).sorted() for _, label in pair)
        shares.append(float(np.mean((one.predicted == one.truth) != (two.predicted == two.truth))))
    return shares


def sentences(runs: Results) -> dict[str, float | str]:
    """Return the numbers of the page's sentences."""
    frame = printed_margins().query("metric == 'accuracy'")
    largest = float(frame[list(RIVALS)].to_numpy().max())
    shares = discordant(runs)
    share = float(np.mean(shares or INDEPENDENT))
    return {
        **{f"{rival}_told": told(runs, units(runs, rival)) for rival in RIVALS},
        **{f"{rival}_networks": len(units(runs, rival)) for rival in RIVALS},
        "largest": 100 * largest,
        "images_of_largest": largest * IMAGES,
        "discordant": share,
        "pairs": f"the mean of {len(shares)} recorded pairs"
        if shares
        else "if they err independently and each is right on 93%; no pair is recorded yet",
        "detectable": 100 * minimum_detectable_difference(IMAGES, share),
    }
