"""Three ways to learn from CT without labels (``notebooks/msatl/ssl_comparison.py``)."""

from collections.abc import Mapping

import pandas as pd

from covidlib.data_page import PlainTable
from covidlib.evaluation.comparisons import minimum_detectable_difference
from covidlib.pages.overall import told
from covidlib.pages.results import METRICS, Results, paired_table
from covidlib.published import published

NAME = "msatl/ssl_comparison"
NAMES = {"ours": "SSTL-M", "moco": "MoCo", "simclr": "SimCLR"}
IMAGES = 203
DISCORDANT = 0.06  # share of images that exactly one of two models gets right


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
    for rival in ("moco", "simclr"):
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
    return wide.assign(**{rival: wide["ours"] - wide[rival] for rival in ("moco", "simclr")})


def margins() -> PlainTable:
    """Return the range of the paper's own margins."""
    frame, rows = printed_margins(), {}
    for rival in ("moco", "simclr"):
        own = 100 * frame.groupby("metric")[rival].agg(["min", "max"])
        rows[f"SSTL-M minus {NAMES[rival]}"] = {
            metric: f"{own.loc[metric, 'min']:+.1f} to {own.loc[metric, 'max']:+.1f}"
            for metric in METRICS
        }
    return PlainTable(
        pd.DataFrame(rows).T, "Printed margins over six networks, in points (Table 3)."
    )


def detectable(discordant: float = DISCORDANT) -> float:
    """Return the accuracy margin that a paired test on the test images finds in four of five cases.

    Args:
        discordant: share of images that exactly one of two models gets right; two models that are
            each right on 93% and err independently differ on 13%, alike ones on less.
    """
    return minimum_detectable_difference(IMAGES, discordant)


def sentences(runs: Results) -> dict[str, float | str]:
    """Return the numbers of the page's sentences."""
    frame = printed_margins().query("metric == 'accuracy'")
    largest = float(frame[["moco", "simclr"]].to_numpy().max())
    return {
        "moco_told": told(runs, units(runs, "moco")),
        "simclr_told": told(runs, units(runs, "simclr")),
        "largest": 100 * largest,
        "images_of_largest": largest * IMAGES,
        "discordant": DISCORDANT,
        "detectable": 100 * detectable(),
    }
