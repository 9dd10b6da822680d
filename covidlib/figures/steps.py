"""A number along a sequence of stages, one line per model."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from covidlib.evaluation import Interval
from covidlib.figures.style import legend_below, looks


def steps(
    ax: Axes,
    lines: Mapping[str, Sequence[Interval]],
    stages: Sequence[str],
    label: str,
    *,
    digits: int = 3,
) -> Axes:
    """Draw one line per model with its intervals, and write how much each step gains.

    Args:
        ax: where to draw.
        lines: by model, one interval per stage; NaN where there is none. A model without any is
            not drawn, but keeps its colour for the panels beside this one.
        stages: names of the stages.
        label: of the y axis.
        digits: of the gains.
    """
    shifts = np.linspace(-0.09, 0.09, len(lines)) if len(lines) > 1 else [0.0]
    gains: list[list[str]] = [[] for _ in stages[1:]]
    for shift, (name, look) in zip(shifts, looks(list(lines)), strict=True):
        table = np.array([(i.value, i.low, i.high) for i in lines[name]], dtype=float)
        if np.isnan(table[:, 0]).all():
            continue
        at = np.arange(len(stages)) + shift
        ax.plot(at, table[:, 0], marker="o", markersize=5, label=name, linewidth=2, **look)
        bars = np.clip(np.abs(table[:, 1:] - table[:, :1]), 0, None).T
        ax.errorbar(
            at, table[:, 0], yerr=np.nan_to_num(bars), fmt="none", ecolor=look["color"], alpha=0.5,
            capsize=3,
        )  # fmt: skip
        for texts, gain in zip(gains, np.diff(table[:, 0]), strict=True):
            texts.append(f"{name}: {gain:+.{digits}f}" if np.isfinite(gain) else f"{name}: –")
    ax.set(xticks=range(len(stages)), xticklabels=stages, xlim=(-0.35, len(stages) - 0.65))
    ax.set_ylabel(label)
    for number, texts in enumerate(gains):
        # Slopes of lines that lie close cannot be read, so the gains stand above each step.
        look = {"ha": "center", "va": "bottom", "fontsize": 9, "linespacing": 1.3}
        ax.text(number + 0.5, 1.01, "\n".join(texts), transform=ax.get_xaxis_transform(), **look)
    legend_below(ax, ncols=3)
    return ax
