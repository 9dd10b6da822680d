"""Every recorded run so far, and what would count as a change (``notebooks/across/history.py``)."""

import math
from html import escape
from textwrap import fill

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from scipy.stats import t as student

from covidlib.book import Page
from covidlib.runs.history import HISTORY, read
from covidlib.runs.regressions import (
    EARLIER,
    LATEST,
    LEVEL,
    NO_CHANGE,
    NothingInCommonError,
    Spread,
    compare,
    spread,
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


def band(known: pd.DataFrame, group: pd.DataFrame) -> tuple[float, Spread] | None:
    """Return how far one more run may lie from the mean of a family, and the spread behind it.

    This is half the width of the 95% prediction interval.
    """
    found = spread([group["value"].to_numpy(float)], known, group.iloc[0])
    if found is None:
        return None
    reach = student.ppf(1 - LEVEL / 2, found.freedom) * found.deviation
    return float(reach * math.sqrt(1 + 1 / len(group))), found


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
    """The table of every family: its runs in order, the last value, and what would be a change.

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
            reach = band(self.known, group)
            rows.append(
                {
                    "settings": escape(name),
                    "profile": group["profile"].iloc[-1],
                    "metric": metric,
                    "runs in order": sparkline(values, *limits.loc[metric]),
                    "mean": f"{values.mean():.3f} (n={len(values)})",
                    "a change": f"±{reach[0]:.3f}" if reach else "not known",
                    "by": reach[1].source if reach else "one seed",
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


def bands_height(known: pd.DataFrame) -> float:
    """Return the inches that ``draw_bands`` needs."""
    seeds = known.groupby("family")["seed"].nunique()
    return 1.4 + 0.8 * max(1, int((seeds > 1).sum()))


def draw_bands(ax: Axes, known: pd.DataFrame) -> Axes:
    """Draw the runs of every family with several seeds, and where the next one may lie."""
    kept, names = leading(known), []
    for _, group in kept.groupby("family", sort=False):
        if group["seed"].nunique() < 2:
            continue
        place, values = len(names), group["value"].to_numpy(float)
        words = group["name"].iloc[0].replace("-", " ") + f": {group['metric'].iloc[0]}"
        names.append(fill(words, 20))
        if reach := band(kept, group):
            # Shares end at 1; a band that goes on would promise what cannot be.
            low = max(values.mean() - reach[0], 0.0)
            high = min(values.mean() + reach[0], 1.0)
            ax.barh(place, high - low, left=low, height=0.5, color="0.85")
        ax.scatter(values, [place] * len(values), color="#0072b2", zorder=2)
    if not names:
        ax.text(0.5, 0.5, "no settings with two seeds yet", ha="center", transform=ax.transAxes)
    ax.set_yticks(range(len(names)), names)
    ax.set(xlabel="value", ylabel="", ylim=(-0.6, max(len(names), 1) - 0.4))
    return ax


def changes_table(known: pd.DataFrame) -> pd.DataFrame:
    """Compare the commit of the last run with everything before it, where settings repeat."""
    try:
        found = compare(leading(known), EARLIER, LATEST) if len(known) else known
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
    return {
        "compared": len(compared),
        "changed": int((~compared.isin([NO_CHANGE, "spread unknown"])).sum()),
    }
