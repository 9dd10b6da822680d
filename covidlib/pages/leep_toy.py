"""Scores of a source with two classes, by confidence (``notebooks/msatl/transferability.py``)."""

import numpy as np
import pandas as pd
from ipywidgets import VBox
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from covidlib import figures
from covidlib.transferability import bounds
from covidlib.transferability.inputs import one_hot
from covidlib.widgets import browser

SHARPNESS = (0.55, 0.65, 0.75, 0.85, 0.95, 1.0)


def toy(sharpness: float, images: int = 400) -> pd.DataFrame:
    """Return the scores of a two-class source by how often its choice agrees with the label.

    Args:
        sharpness: probability that the source gives to the class of its choice.
        images: half of them positive.

    Returns:
        Columns agreement, LEEP, NCE, −H(Y | Z̃), accuracy; in bits.
    """
    labels = np.repeat([0, 1], images // 2)
    lines = []
    for right in range(images // 4, images // 2 + 1, images // 40):
        agrees = np.tile(np.arange(images // 2) < right, 2)
        chosen = np.where(agrees, labels, 1 - labels)
        theta = np.where(one_hot(chosen, 2) > 0, sharpness, 1 - sharpness)
        found = bounds(theta, labels, "bits")
        lines.append(
            {
                "agreement": 2 * right / images,
                "LEEP": found.leep,
                "NCE": found.nce,
                "−H(Y | Z̃)": found.soft,
                "accuracy": found.accuracy,
            }
        )
    return pd.DataFrame(lines)


def draw_toy(ax: Axes, sharpness: float) -> Axes:
    """Draw the scores of the toy against agreement, for one sharpness."""
    table = toy(sharpness)
    for name, look in figures.looks(["LEEP", "NCE", "−H(Y | Z̃)"]):
        ax.plot(table["agreement"], table[name], label=name, linewidth=2, **look)
    ax.plot(table["agreement"], table["accuracy"] - 1, ".", color="black", label="accuracy − 1")
    ax.set(xlabel="agreement", ylabel="bits", ylim=(-1.05, 0.05), xlim=(0.49, 1.01))
    ax.set_title(f"confidence {sharpness:.2f}", fontsize=11)
    return ax


def toy_browser() -> VBox:
    """Return a slider over the source's confidence, which also works on a static page."""
    frames = {}
    for value in SHARPNESS:
        figure, ax = plt.subplots(figsize=(5.4, 4.2))
        figures.legend_below(draw_toy(ax, value), ncols=2)
        frames[f"confidence {value:.2f}"] = figure
    return browser(frames, "confidence")
