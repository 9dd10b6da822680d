"""Every recorded run so far, and what would count as a change (``notebooks/across/history.py``)."""

import math
from html import escape
from textwrap import fill

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from covidlib.book import Page
from covidlib.runs.history import HISTORY, read
from covidlib.runs.regressions import (
    BETTER,
    EARLIER,
    LATEST,
    WORSE,
    NothingInCommonError,
    compare,
    outlook,
)

PREFERRED = ("auc", "auc_macro", "accuracy", "dice", "iou", "top1")
WIDTH, HEIGHT, MARGIN = 120, 28, 4  # of a sparkline, in pixels


def history(page: Page) -> pd.DataFrame:
    """Return the history that came with the book; see ``covidlib.runs.history.read``."""
    return read(page.recorded / HISTORY)


def leading(known: pd.DataFrame) -> pd.DataFrame:
    """Keep one metric of each family: the first of ``PREFERRED`` that it has, else its first."""
    rank = {name: place for place, name in enumerate(PREFERRED)}
    order = known["metric"].map(rank).fillna(len(rank))
    best = order.groupby(known["family"]).transform("min")
    kept = known[order == best]
    first = kept.groupby("family")["metric"].transform("first")
    return kept[kept["metric"] == first]


def facts(known: pd.DataFrame) -> dict[str, int | float]:
    """Return the numbers of the page's sentences."""
    runs = known.drop_duplicates(["key", "commit", "started"])
    seeds = runs.groupby("family")["seed"].nunique()
    return {
        "runs": len(runs),
        "commits": runs["commit"].nunique(),
        "devices": runs["hardware"].nunique(),
        "settings": len(seeds),
        "with_seeds": int((seeds > 1).sum()),
        "hours": float(runs["seconds"].sum()) / 3600,
    }


def runs_table(known: pd.DataFrame) -> pd.DataFrame:
    """Count runs by paper, profile, device and commit."""
    runs = known.drop_duplicates(["key", "commit", "started"])
    if runs.empty:
        return pd.DataFrame({"runs": [0]}, index=["nothing is recorded yet"])
    by = ["paper", "profile", "hardware", "commit"]
    found = runs.groupby(by, sort=False).agg(
        runs=("key", "size"), hours=("seconds", lambda s: f"{s.sum() / 3600:.1f}")
    )
    found = found.reset_index()
    found["commit"] = found["commit"].str[:8]
    return found.set_index("paper")


def sparkline(values: np.ndarray, low: float, high: float) -> str:
    """Return values in order as a small SVG with the last one marked, and as words."""
    span = (high - low) or 1.0
    x = np.linspace(MARGIN, WIDTH - MARGIN, len(values)) if len(values) > 1 else [WIDTH / 2]
    y = HEIGHT - MARGIN - (np.asarray(values) - low) / span * (HEIGHT - 2 * MARGIN)
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
    dots = "".join(f'<circle cx="{a:.1f}" cy="{b:.1f}" r="2"/>' for a, b in zip(x, y, strict=True))
    words = ", ".join(f"{value:.3f}" for value in values)
    return (
        f'<svg class="sparkline" role="img" aria-label="{escape(words)}" width="{WIDTH}" '
        f'height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}" fill="currentColor">'
        f'<polyline points="{points}" fill="none" stroke="currentColor"/>{dots}'
        f'<circle cx="{x[-1]:.1f}" cy="{y[-1]:.1f}" r="3.5" fill="#d55e00"/></svg>'
    )


class Sparklines:
    """The table of every family: its runs in order, and their mean.

    Args:
        known: see ``history``.
    """

    def __init__(self, known: pd.DataFrame) -> None:
        self.known = leading(known)

    def frame(self) -> pd.DataFrame:
        """Return one row per family, with the sparkline as HTML."""
        limits = self.known.groupby("metric")["value"].agg(["min", "max"])
        rows = []
        for (name, _), group in self.known.groupby(["name", "family"], sort=False):
            metric = group["metric"].iloc[0]
            values = group["value"].to_numpy(float)
            rows.append(
                {
                    "settings": escape(name),
                    "profile": group["profile"].iloc[-1],
                    "metric": metric,
                    "runs in order": sparkline(values, *limits.loc[metric]),
                    "mean": f"{values.mean():.3f} (n={len(values)})",
                }
            )
        return pd.DataFrame(rows)

    def _repr_html_(self) -> str:
        if self.known.empty:
            return "<p>Nothing is recorded yet: <code>covidlib results remember</code></p>"
        table = self.frame().to_html(escape=False, index=False, border=0, classes="dataframe")
        frame = '<div class="paper-table" role="region" aria-label="history" tabindex="0">'
        return f"{frame}{table}</div>"

    def __repr__(self) -> str:
        shown = self.frame() if len(self.known) else self.known
        return shown.drop(columns="runs in order", errors="ignore").to_string()


def visible(known: pd.DataFrame) -> pd.DataFrame:
    """Return the smallest loss that the next night would show, for rows whose spread is known.

    See ``covidlib.runs.regressions.outlook``; the rows that are seen best come first.
    """
    columns = ["row", "name", "metric", "mean", "folds", "seeds", "alone", "among_all"]
    found = outlook(known) if len(known) else pd.DataFrame(columns=columns)
    return found[found["alone"].notna()].sort_values(["metric", "alone"], ignore_index=True)


def visible_table(known: pd.DataFrame) -> pd.DataFrame:
    """Return ``visible`` with AUC and accuracy side by side, as text."""
    found = visible(known)
    if found.empty:
        return pd.DataFrame({"smallest loss": ["no settings with enough seeds"]}, index=["–"])
    rows = []
    for _, both in found.groupby("row", sort=False):
        first = both.iloc[0]
        size = {"folds": f"{first['folds']}", "seeds": f"{first['seeds']:g}"}
        row = {"settings": first["name"], **size}
        for name in ("auc", "accuracy"):
            one = both[both["metric"] == name]
            texts = [
                f"{value:.3f}" for value in one[["mean", "alone", "among_all"]].to_numpy().flat
            ]
            mean, alone, among = texts or ["–"] * 3
            label = {"auc": "AUC"}.get(name, name)
            row |= {label: mean, f"{label}: it alone": alone, f"{label}: all moved": among}
        rows.append(row)
    return pd.DataFrame(rows).set_index("settings")


def reach(known: pd.DataFrame) -> dict[str, float | int]:
    """Return the numbers of the page's sentences about the smallest visible loss."""
    found = visible(known)
    found = found[found["metric"] == "auc"]
    one, many = found[found["seeds"] < 2], found[found["seeds"] >= 2]
    return {
        "rows_seen": len(found),
        "best": float(found["alone"].min()) if len(found) else math.nan,
        "one_seed": float(one["alone"].median()) if len(one) else math.nan,
        "more_seeds": float(many["alone"].median()) if len(many) else math.nan,
        "all_moved": float(found["among_all"].median()) if len(found) else math.nan,
    }


def reach_height(known: pd.DataFrame) -> float:
    """Return the inches that ``draw_reach`` needs."""
    return 1.2 + 0.42 * max(1, int((visible(known)["metric"] == "auc").sum()))


def draw_reach(ax: Axes, known: pd.DataFrame) -> Axes:
    """Draw the AUC of every row, and how far down it would have to fall to be seen."""
    found = visible(known)
    found = found[found["metric"] == "auc"].reset_index(drop=True)
    if found.empty:
        ax.text(0.5, 0.5, "no settings with enough seeds yet", ha="center", transform=ax.transAxes)
        return ax
    for place, row in found.iterrows():
        mean = row["mean"]
        for name, height, colour in (("among_all", 0.16, "0.75"), ("alone", 0.42, "#56b4e9")):
            low = max(mean - row[name], 0.0)
            label = {"among_all": "if every row moved", "alone": "if it alone moved"}[name]
            ax.barh(
                place, mean - low, left=low, height=height, color=colour,
                label=label if place == 0 else None, zorder=1 + (name == "alone"),
            )  # fmt: skip
    ax.scatter(found["mean"], range(len(found)), color="black", zorder=3, label="today")
    ax.axvline(0.5, color="0.4", linestyle=":", label="chance, two classes")
    names = [
        fill(str(name).replace("-", " "), 34) + f", {seeds:g} x {folds}"
        for name, seeds, folds in found[["name", "seeds", "folds"]].itertuples(index=False)
    ]
    ax.set_yticks(range(len(found)), names)
    ax.invert_yaxis()
    ax.set(xlabel="AUC", ylabel="")
    ax.legend(loc="upper center", bbox_to_anchor=(0.4, -0.06), ncols=2)
    return ax


def changes_table(known: pd.DataFrame) -> pd.DataFrame:
    """Compare the commit of the last run with everything before it, where settings repeat."""
    try:
        found = compare(known, EARLIER, LATEST) if len(known) else known
    except NothingInCommonError:
        found = known.head(0)
    if found.empty:
        text = "no settings were run on two commits yet"
        return pd.DataFrame({"finding": [text]}, index=["–"])
    columns = ["name", "metric", "first", "second", "difference", "detectable", "p", "finding"]
    shown = found[columns].set_index("name").rename(columns={"first": "before", "second": "now"})
    for column in ("before", "now", "difference", "detectable", "p"):
        shown[column] = [("–" if math.isnan(v) else f"{v:.3f}") for v in shown[column]]
    return shown


def changes(known: pd.DataFrame) -> dict[str, int]:
    """Return how many comparisons of the last commit found something."""
    found = changes_table(known)["finding"]
    compared = found[found.index != "–"]
    return {"compared": len(compared), "changed": int(compared.isin([WORSE, BETTER]).sum())}
