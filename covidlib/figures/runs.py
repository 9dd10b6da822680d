"""What runs did: training curves, and results beside the paper's."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from covidlib.errors import DataError
from covidlib.figures.style import PALETTE, legend_below, looks
from covidlib.tables import ComparisonTable, run_title


def training_curves(
    ax: Axes,
    curves: Mapping[str, pd.DataFrame | Sequence[pd.DataFrame]],
    y: str,
    *,
    x: str = "epoch",
    label: str | None = None,
    names: Sequence[str] = (),
) -> Axes:
    """Draw one quantity per epoch: a thin line per run, a thick one for the mean over runs.

    Args:
        ax: where to draw.
        curves: the ``curve.csv`` of one or more runs, by model. Epochs without a value are joined.
        y, x: columns.
        label: what the y axis says; the column's name by default.
        names: every model of this panel and of those beside it, so that all give it one colour.

    Raises:
        DataError: a curve lacks a column.
    """
    for name, look in looks(list(dict.fromkeys([*names, *curves]))):
        if name not in curves:
            continue
        given = curves[name]
        runs = [given] if isinstance(given, pd.DataFrame) else list(given)
        if lacking := [column for run in runs for column in (x, y) if column not in run]:
            raise DataError(f"curves of {name!r} lack the columns {sorted(set(lacking))}")
        runs = [run[[x, y]].dropna() for run in runs]
        if len(runs) > 1:
            for run in runs:
                ax.plot(run[x], run[y], color=look["color"], linewidth=0.8, alpha=0.4)
        mean = pd.concat(runs).groupby(x)[y].mean()
        point = {"marker": "o"} if len(mean) == 1 else {}  # a line of one epoch shows nothing
        ax.plot(mean.index, mean, linewidth=2, label=f"{name} (n={len(runs)})", **look, **point)
    ax.set(xlabel=x, ylabel=label or y.replace("_", " "))
    low, high = ax.get_xlim()
    if high - low < 1:
        ax.set_xlim((low + high) / 2 - 0.5, (low + high) / 2 + 0.5)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    longest = max((len(name) for name in curves), default=0)
    legend_below(ax, ncols=1 if longest > 16 else 2)  # two long ones run into the next panel
    return ax


def forest(ax: Axes, table: ComparisonTable, metric: str) -> Axes:
    """Draw the paper's number, the recorded interval and this run's, one line per model.

    Args:
        ax: where to draw.
        table: see ``covidlib.tables.comparison_table``.
        metric: as the table prints it, "AUC".
    """
    rows = table.frame.xs(metric, level="metric")
    phantom = bool(rows["phantom"].any())
    place = np.arange(len(rows))[::-1]
    series = (
        ("recorded", "recorded", 0.0, {"color": PALETTE[0], "marker": "o"}),
        (
            "this run", run_title(phantom), -0.22,
            {"color": PALETTE[1], "marker": "s", "markerfacecolor": "white" if phantom else None},
        ),
    )  # fmt: skip
    printed = [np.nan if p is None else p.value for p in rows["paper"]]
    look = {"marker": "D", "color": "black", "linestyle": "none", "markersize": 6}
    ax.plot(printed, place + 0.22, label="paper", **look)
    for column, label, shift, look in series:
        found = [(y, i) for y, i in zip(place, rows[column], strict=True) if i is not None]
        if not found:
            continue
        values = np.array([(i.value, i.low, i.high) for _, i in found]).T
        bars = np.clip([values[0] - values[1], values[2] - values[0]], 0, None)
        at = np.array([y for y, _ in found]) + shift
        ax.errorbar(
            values[0], at, xerr=bars, label=label, linestyle="none", capsize=3, markersize=6, **look
        )
    ax.set(yticks=place, yticklabels=rows.index, ylim=(-0.6, len(rows) - 0.4), xlabel=metric)
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="x", color="0.9")
    ax.set_axisbelow(True)
    legend_below(ax, ncols=3)
    return ax
