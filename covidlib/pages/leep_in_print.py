"""What the printed values of LEEP imply (``notebooks/msatl/transferability.py``)."""

import math

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from scipy.optimize import brentq
from scipy.stats import entropy

from covidlib import figures
from covidlib.data.cards import card
from covidlib.data_page import PlainTable
from covidlib.plans.msatl_target import NAMES
from covidlib.published import published

STAGES = {"none": "w/o TL", "stl_n": "STL-N", "stl_n+stl_m": "STL-N, STL-M"}
NETWORKS = {
    (depth, variant): f"{depth.upper().replace('R', 'R-')} {name}"
    for depth in ("r50", "r101")
    for variant, name in NAMES.items()
}
LOG2 = math.log(2)


def splits() -> dict[str, np.ndarray]:
    """Return the label counts of COVID19-CT, as published, for each set that may be meant."""
    counts = card("covid-ct").counts
    names = sorted({label for _, label in counts})
    parts = {s: np.array([counts[s, n] for n in names]) for s in ("train", "val", "test")}
    return {"all images": sum(parts.values())} | parts


def printed() -> pd.DataFrame:
    """Return Table 6 as a table: networks by stages, as printed."""
    table = published("msatl", 6)
    table["network"] = [NETWORKS[key] for key in zip(table["model"], table["variant"], strict=True)]
    wide = table.pivot_table(index="network", columns="stages", values="number", sort=False)
    return wide.rename(columns=STAGES)[list(STAGES.values())]


def split_table() -> pd.DataFrame:
    """Return the lower bound on each set beside how many printed values reach it, by log base."""
    values = printed().to_numpy().ravel()
    half = float(published("msatl", 6)["half_width"].max())
    lines = {}
    for name, counts in splits().items():
        line: dict[str, object] = {"positive of all": f"{counts[0]} of {counts.sum()}"}
        for title, base in {"nats": math.e, "bits": 2, "base 10": 10}.items():
            bound = -entropy(counts, base=base)
            line[f"−H(Y), {title}"] = f"{bound:.3f}"
            line[f"possible, {title}"] = f"{int((values + half >= bound).sum())} of {len(values)}"
        lines[name] = line
    return pd.DataFrame(lines).T


def prior(unit: float = LOG2) -> float:
    """Return the label entropy of all images of COVID19-CT, in bits by default."""
    counts = splits()["all images"]
    return float(entropy(counts)) / unit


def draw_printed(ax: Axes) -> Axes:
    """Draw the 18 printed values by stage (msatl, figure 3) with the bounds in both units."""
    table = printed()
    for name, look in figures.looks(list(table.index)):
        ax.plot(range(3), table.loc[name], marker="o", label=name, **look)
    for value, text in ((-prior(1.0), "−H(Y) in nats"), (-prior(), "−H(Y) in bits")):
        ax.axhline(value, color="black", linewidth=1)
        ax.text(2.05, value, text, ha="right", va="bottom", fontsize="small")
    ax.set(xticks=range(3), xticklabels=list(table), ylabel="LEEP as printed", ylim=(-1.03, -0.64))
    figures.legend_below(ax, ncols=2)
    return ax


def accuracy_for(gain: float) -> float:
    """Return the accuracy at which a hard two-class source with even errors gains so many bits.

    Args:
        gain: in bits, between 0 and 1: 1 - h(accuracy), labels taken as even.
    """
    return float(brentq(lambda a: 1 - entropy([a, 1 - a], base=2) - gain, 0.5, 1.0))


def claims_table() -> PlainTable:
    """Check what section 6.7 says against the printed values, rounding taken into account."""
    table = printed()
    slack = 2 * float(published("msatl", 6)["half_width"].max())
    steps = table.diff(axis=1).iloc[:, 1:]
    rising = steps > slack
    larger = []
    for depth in ("R-50", "R-101"):
        base = steps.loc[f"{depth} baseline"]
        for name in ("1 ATTN", "5 ATTNs"):
            larger += list((steps.loc[f"{depth} {name}"] - base) > 2 * slack)
    frame = pd.DataFrame(
        {
            "statement": [
                "LEEP rises with each added stage, for every network",
                "attention gains more than the baseline, at both stages",
            ],
            "holds in print, beyond rounding": [
                f"{int(rising.to_numpy().sum())} of {rising.size}",
                f"{sum(larger)} of {len(larger)}",
            ],
        },
        index=["msatl-Q15", "msatl-Q14"],
    )
    return PlainTable(frame)
