"""LEEP, its bounds, and false gains (``notebooks/msatl/transferability.py``)."""

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from scipy.special import softmax

from covidlib import figures
from covidlib.pages.leep_in_print import LOG2, accuracy_for, printed, prior
from covidlib.pages.leep_relatives import luck
from covidlib.transferability import bounds, information_gain, permuted
from covidlib.transferability.inputs import one_hot
from covidlib.transferability.leep import Bounds
from covidlib.transferability.simulation import SHARE

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
        logits = (rng.normal(size=(n, heads)) + told) * rng.choice([0.1, 0.5, 2, 20])
        theta = softmax(logits, axis=1)
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
            "logits of deviation 5": softmax(5 * noise, axis=1),
            "logits of deviation 1": softmax(noise, axis=1),
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


# The sentences


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
        "tau_softer": float(simulated.loc["LEEP", "better: softer head"]),
        "tau_probe": float(simulated.loc["linear probe"].min()),
        "tau_transrate": float(simulated.loc["TransRate", "nothing"]),
        "tau_centred": float(simulated.loc["TransRate, classes centred", "nothing"]),
        "luck_six": float(luck(0.5)[6]),
    }
