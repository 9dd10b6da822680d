"""Counts and figures of claims (``notebooks/across/claims.py``), and what the pages say of them."""

import math
from collections.abc import Mapping, Sequence
from html import escape

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from covidlib.claims import NOT_SUPPORTED, SUPPORTED, VERDICTS
from covidlib.claims.claim import FEWEST
from covidlib.evaluation.contrasts import Effect
from covidlib.figures import PALETTE, legend_below
from covidlib.pages.claims_blocks import MARKS, Html, anchor, framed, link, marked
from covidlib.pages.results import NOT_YET, nothing

Ledgers = Mapping[str, pd.DataFrame]
FAR = 4.0  # multiples of the smallest visible effect; what lies beyond is drawn at the edge


def counts(ledgers: Ledgers) -> pd.DataFrame:
    """Return how many claims of each paper have each verdict, and their sums."""
    rows = {}
    for paper, frame in ledgers.items():
        found = frame["verdict"].value_counts()
        rows[paper] = {"claims": len(frame)} | {name: int(found.get(name, 0)) for name in VERDICTS}
    table = pd.DataFrame.from_dict(rows, orient="index")
    table.loc["all"] = table.sum()
    return table


def overview(ledgers: Ledgers) -> Html:
    """Return the counts, each paper with a link to its page."""
    table = counts(ledgers)
    head = [f"{MARKS.get(name, '')} {name}".strip() for name in table.columns]
    body = [
        [link(f"../{name}/claims.html", name) if name in ledgers else f"<strong>{name}</strong>"]
        + [str(number) for number in row]
        for name, row in zip(table.index, table.to_numpy(), strict=True)
    ]
    return framed(["paper", *head], body, "Qualitative claims of each paper by verdict.")


def directory(ledgers: Ledgers) -> Html:
    """Return every claim with its verdict, and links to its block and its experiment's page."""
    body = []
    for paper, frame in ledgers.items():
        for name, line in frame.iterrows():
            where = f"../{paper}/claims.html#{anchor(name)}"
            topic = line["page"].replace("_", " ")
            body.append(
                [
                    f"{link(where, name)}<br>{escape(line['statement'])}",
                    marked(line["verdict"]),
                    link(f"../{paper}/{line['page']}.html", topic),
                ]
            )
    note = "Every claim: its name leads to test and records, the last column to the experiment."
    return framed(["claim", "verdict", "shown on"], body, note, "claims-list")


def effects(ledgers: Ledgers) -> pd.DataFrame:
    """Return the claims that have an effect, in multiples of what their test could see.

    Returns:
        By claim: paper, measure, value, low, high and printed over the smallest visible effect,
        and verdict. Effects whose test could see anything are left out.
    """
    rows = {}
    for paper, frame in ledgers.items():
        for name, line in frame.iterrows():
            effect = line["effect"]
            if not isinstance(effect, Effect) or not effect.smallest > 0:
                continue
            printed = np.nan if line["printed"] is None else float(line["printed"])
            values = np.array([effect.value, effect.low, effect.high, printed]) / effect.smallest
            rows[name] = {"paper": paper, "measure": line["measure"], "verdict": line["verdict"]}
            rows[name] |= dict(zip(("value", "low", "high", "printed"), values, strict=True))
    columns = ["paper", "measure", "verdict", "value", "low", "high", "printed"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


def draw_effects(ax: Axes, ledgers: Ledgers) -> Axes:
    """Draw every effect, its interval and the paper's, over the smallest effect its test sees."""
    found = effects(ledgers)
    if found.empty:
        return nothing(ax, NOT_YET)
    place = np.arange(len(found))[::-1]
    ax.axvspan(-1, 1, color="0.92", zorder=0, label="too small to be seen")
    ax.axvline(0, color="0.3", linewidth=1)
    inside = found[["value", "low", "high", "printed"]].clip(-FAR, FAR)
    for number, paper in enumerate(ledgers):
        own = (found["paper"] == paper).to_numpy()
        if not own.any():
            continue
        look = {"color": PALETTE[number], "marker": "osv"[number % 3]}
        line = inside[own]
        bars = np.abs([line["value"] - line["low"], line["high"] - line["value"]])
        ax.errorbar(
            line["value"], place[own], xerr=bars, linestyle="none", capsize=3, markersize=7,
            label=f"{paper}, 95% interval", **look,
        )  # fmt: skip
    for y, value in zip(place, found["value"], strict=True):
        if abs(value) > FAR:
            side = "right" if value > 0 else "left"
            ax.text(np.sign(value) * (FAR - 0.25), y, f"at {value:.1f}", ha=side, va="center")
    at = {"marker": "D", "linestyle": "none", "markersize": 5, "markerfacecolor": "none"}
    ax.plot(inside["printed"], place, color="black", label="in the paper's numbers", **at)
    names = [_name(one, row, len(ledgers) > 1) for one, row in found.iterrows()]
    ax.set(yticks=place, yticklabels=names, ylim=(-0.7, len(found) - 0.3))
    ax.set(xlim=(-FAR * 1.05, FAR * 1.05), xlabel="effect / smallest visible effect")
    ax.tick_params(axis="y", length=0)
    legend_below(ax, ncols=2)
    return ax


def _name(name: str, row: pd.Series, several: bool) -> str:
    """Name a row of the figure: measures are long and stand where there is room for them."""
    paper, _, number = name.partition("-")
    return f"{paper} {number}" if several else f"{number} {MARKS[row['verdict']]}"


def sentences(ledgers: Ledgers) -> dict[str, int | str]:
    """Return the numbers of a page's sentences: of one paper, or of all."""
    every = pd.concat(ledgers.values())
    told: dict[str, int | str] = {
        name.replace(" ", "_"): int((every["verdict"] == name).sum()) for name in VERDICTS
    }
    measured = every[every["effect"].notna()]
    asked = measured[measured["printed"].notna()]
    told_apart = asked["effect"].map(lambda one: one.smallest if one.runs >= FEWEST else math.inf)
    seeing = told_apart <= asked["printed"].astype(float).abs()
    return told | {
        "claims": len(every),
        "papers": len(ledgers),
        "measured": len(measured),
        "asked": len(asked),
        "seeing": int(seeing.sum()),
        "which_supported": named(every, SUPPORTED),
        "which_not_supported": named(every, NOT_SUPPORTED),
    }


def named(frame: pd.DataFrame, verdict: str) -> str:
    """Name the claims with a verdict, "none" where there are none."""
    found: Sequence[str] = list(frame.index[frame["verdict"] == verdict])
    return ", ".join(found) or "none"
