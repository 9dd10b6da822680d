"""LEEP's relatives, and sources of known worth (``notebooks/msatl/transferability.py``)."""

from collections.abc import Sequence
from textwrap import fill

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

from covidlib.transferability import chance_tau
from covidlib.transferability.simulation import FAMILIES, IMAGES, Source, agreement, draw, score_all

FACTS = {
    "LEEP": ("outputs", "−H(Y) to 0"),
    "NCE": ("outputs", "−H(Y) to 0"),
    "N-LEEP": ("features", "−H(Y) to 0"),
    "H-score": ("features", "0 to K − 1"),
    "regularised H-score": ("features", "0 to K − 1"),
    "LogME": ("features", "no bound"),
    "TransRate": ("features", "no bound"),
    "TransRate, classes centred": ("features", "no bound"),
    "GBC": ("features", "−K(K − 1) to 0"),
    "SFDA": ("features", "at most 0"),
    "5 neighbours": ("features", "0 to 1"),
    "linear probe": ("features", "0 to 1"),
}


def relatives(seed: int, shuffles: int) -> pd.DataFrame:
    """Return every score of a useful source, of a useless one, and with shuffled labels."""
    rng = np.random.default_rng(seed)
    useful, useless = Source(1.5), Source(0.0)
    features, theta, labels = draw(useful, IMAGES, rng)
    shuffled = [score_all(features, theta, rng.permutation(labels)) for _ in range(shuffles)]
    columns = {
        f"source of AUC {useful.auc:.2f}": score_all(features, theta, labels),
        "the same, labels shuffled": pd.DataFrame(shuffled).mean(),
        f"source of AUC {useless.auc:.2f}": score_all(*draw(useless, IMAGES, rng)),
    }
    facts = pd.DataFrame(FACTS, index=["reads", "range"]).T
    return facts.join(pd.DataFrame(columns).map("{:.3f}".format))


def simulate(repeats: int, seed: int) -> pd.DataFrame:
    """Return the mean weighted tau of every score (rows) in every family (columns)."""
    columns = {
        name: {score: taus.mean() for score, taus in agreement(name, repeats, seed).items()}
        for name in FAMILIES
    }
    return pd.DataFrame(columns)


def draw_simulation(ax: Axes, table: pd.DataFrame) -> Axes:
    """Draw the agreement of scores and truth as a table of colours."""
    shown = table.rename(columns=lambda name: fill(name, 13))
    sns.heatmap(
        shown, ax=ax, vmin=-1, vmax=1, cmap="PuOr", annot=True, fmt=".2f", linewidths=1,
        cbar_kws={"label": "weighted τ with the truth"},
    )  # fmt: skip
    ax.tick_params(length=0)
    ax.tick_params(axis="x", labelsize=9, rotation=0)
    ax.set_title("what differs beside the worth of the sources", fontsize=11)
    return ax


def luck(observed: float, models: Sequence[int] = (4, 5, 6)) -> pd.Series:
    """Return the share of random orders that reach a weighted tau, by number of models."""
    shares = {n: float((chance_tau(n) >= observed - 1e-9).mean()) for n in models}
    return pd.Series(shares, name=f"share of random orders with τ ≥ {observed}").rename_axis(
        "models"
    )
