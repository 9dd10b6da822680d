"""LEEP, its bounds and its relatives (``notebooks/msatl/transferability.py``)."""

from collections.abc import Mapping, Sequence
from functools import partial
from textwrap import fill

import numpy as np
import pandas as pd
import seaborn as sns
from ipywidgets import VBox
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from covidlib import figures
from covidlib.pages.leep_in_print import LOG2, accuracy_for, printed, prior
from covidlib.transferability import (
    bounds,
    chance_tau,
    information_gain,
    permuted,
    softmax,
)
from covidlib.transferability.inputs import one_hot
from covidlib.transferability.leep import Bounds
from covidlib.transferability.simulation import (
    FAMILIES,
    IMAGES,
    SHARE,
    Source,
    agreement,
    draw,
    score_all,
)
from covidlib.widgets import browser

SHARPNESS = (0.55, 0.65, 0.75, 0.85, 0.95, 1.0)
NULL_HEADS = (3, 10, 30, 100, 300, 1000)


# The bounds


def random_cases(cases: int, seed: int) -> list[Bounds]:
    """Return LEEP and its bounds for random posteriors, soft to one-hot, and random labels."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(cases):
        n, heads = int(rng.integers(10, 200)), int(rng.integers(1, 12))
        labels = (rng.random(n) < rng.uniform(0.1, 0.9)).astype(int)
        told = rng.normal(size=(2, heads))[labels] * rng.exponential(1)
        theta = softmax((rng.normal(size=(n, heads)) + told) * rng.choice([0.1, 0.5, 2, 20]))
        found.append(bounds(theta, labels))
    return found


def draw_cases(axes: Sequence[Axes], cases: Sequence[Bounds]) -> None:
    """Draw LEEP against each of its bounds, and against NCE, which is none."""
    names = {"soft": "−H(Y | Z̃)", "prior": "−H(Y)", "nce": "NCE"}
    for ax, (name, title) in zip(axes, names.items(), strict=True):
        x = [getattr(case, name) for case in cases]
        ax.plot(x, [case.leep for case in cases], ".", markersize=2.5, alpha=0.5)
        ax.plot([-LOG2, 0], [-LOG2, 0], color="black", linewidth=1)
        ax.set(xlabel=f"{title}, nats", xlim=(-0.73, 0.02), ylim=(-0.73, 0.02))
    axes[0].set_ylabel("LEEP, nats")


def case_counts(cases: Sequence[Bounds]) -> dict[str, int]:
    """Return how many random cases keep to the bounds, and on which side of NCE they lie."""
    return {
        "cases": len(cases),
        "broken": sum(
            not (c.prior - 1e-12 <= c.soft <= c.leep + 1e-12 and c.leep <= 0) for c in cases
        ),
        "below_nce": sum(c.leep < c.nce - 1e-12 for c in cases),
        "above_nce": sum(c.leep > c.nce + 1e-12 for c in cases),
    }


# A source that knows nothing


def null_gains(images: int, repeats: int, seed: int) -> pd.DataFrame:
    """Return LEEP + H(Y), in bits, of sources whose outputs have nothing to do with the labels.

    Args:
        images: of the target.
        repeats: label shuffles per point, more for few classes, where they are cheap.
        seed: of outputs and shuffles.

    Returns:
        Columns heads, sharpness, gain.
    """
    labels = (np.arange(images) < round(SHARE * images)).astype(int)
    rng = np.random.default_rng(seed)
    in_bits = partial(information_gain, unit="bits")
    lines = []
    for heads in NULL_HEADS:
        noise = rng.normal(size=(images, heads))
        for name, theta in {
            "one-hot": one_hot(noise.argmax(axis=1), heads),
            "logits of deviation 5": softmax(5 * noise),
            "logits of deviation 1": softmax(noise),
        }.items():
            shuffles = repeats * max(1, 300 // heads)
            gain = permuted(in_bits, theta, labels, permutations=shuffles, seed=seed).mean()
            lines.append({"heads": heads, "sharpness": name, "gain": gain})
    return pd.DataFrame(lines)


def draw_null(ax: Axes, gains: pd.DataFrame, images: int) -> Axes:
    """Draw what a source without knowledge gains, and the band of the printed values."""
    table = printed().to_numpy() + prior()
    ax.axhspan(table.min(), table.max(), color="0.85", label="printed values, read as bits")
    for name, look in figures.looks(list(dict.fromkeys(gains["sharpness"]))):
        part = gains[gains["sharpness"] == name]
        ax.plot(part["heads"], part["gain"], marker="o", label=name, **look)
    heads = np.array(NULL_HEADS)
    theory = (heads - 1) / (2 * images * LOG2)
    few = theory < 0.3
    ax.plot(heads[few], theory[few], color="black", linestyle=":", label="(Z − 1) / 2N nats")
    ax.set(xscale="log", yscale="log", ylim=(3e-4, 1.2))
    ax.set(xlabel="source classes Z", ylabel="LEEP + H(Y), bits")
    figures.legend_below(ax, ncols=2)
    return ax


# The toy


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


# The relatives

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


# The simulation


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


def sentences(gains: pd.DataFrame, simulated: pd.DataFrame) -> Mapping[str, float | int]:
    """Return the numbers of the page's sentences."""
    table = printed()
    bits = table + prior()
    at = gains.set_index(["sharpness", "heads"])["gain"]
    return {
        "printed_low": float(table.min().min()),
        "printed_high": float(table.max().max()),
        "values": table.size,
        "bound_nats": -prior(1.0),
        "bound_any": -LOG2,
        "bound_bits": -prior(),
        "gain_low": float(bits.min().min()),
        "gain_high": float(bits.max().max()),
        "untrained_accuracy": accuracy_for(float(bits["w/o TL"].min())),
        "best_accuracy": accuracy_for(float(bits.max().max())),
        "null_three": float(at["one-hot", 3]),
        "null_hundred": float(at["one-hot", 100]),
        "null_soft": float(at["logits of deviation 1", 1000]),
        "null_thousand": float(at["one-hot", 1000]),
        "tau_plain": float(simulated.loc["LEEP", "nothing"]),
        "tau_blind": float(simulated.loc["LEEP", "head blind to the signal"]),
        "tau_classes": float(simulated.loc["LEEP", "better: fewer source classes"]),
        "tau_softer": float(simulated.loc["LEEP", "better: softer head"]),
        "tau_probe": float(simulated.loc["linear probe"].min()),
        "tau_transrate": float(simulated.loc["TransRate", "nothing"]),
        "tau_centred": float(simulated.loc["TransRate, classes centred", "nothing"]),
        "luck_six": float(luck(0.5)[6]),
    }
