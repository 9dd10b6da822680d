"""Equation 2 of msatl with random negatives, drawn: its temperature and its many negatives."""

from collections.abc import Sequence

import numpy as np
from ipywidgets import VBox
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from scipy.special import gammaln, ive

from covidlib.figures.style import PALETTE, legend_below

TEMPERATURES = (0.03, 0.07, 0.1, 0.2, 0.5, 1.0)
COUNTS = (15, 255, 4095, 65535)  # negatives; the last is MoCo's queue
WIDTH = 128  # D


def mean_weight(sharpness: float, width: int = WIDTH) -> float:
    """Return the logarithm of the mean of exp(k t), t the cosine of random directions.

    For vectors spread evenly over the unit sphere in D dimensions this is the logarithm of
    Gamma(D/2) (2/k)^(D/2 - 1) I_(D/2 - 1)(k), the constant of the von Mises-Fisher distribution.

    Args:
        sharpness: k, one over the temperature.
        width: D.
    """
    order = width / 2 - 1
    return float(
        gammaln(width / 2)
        + order * np.log(2 / sharpness)
        + np.log(ive(order, sharpness))
        + sharpness
    )


def loss_at(
    similarity: np.ndarray, temperature: float, count: int, printed: bool = False
) -> np.ndarray:
    """Return equation 2 for many random negatives: the mean stands for their sum.

    Args:
        similarity: of query and key, in [-1, 1].
        temperature: tau.
        count: n.
        printed: whether the temperature divides the positive similarity only.
    """
    negatives = np.log(count) + mean_weight(1 if printed else 1 / temperature)
    return np.logaddexp(0, negatives - np.asarray(similarity) / temperature)


def draw_loss(axes: Sequence[Axes], temperature: float) -> None:
    """Draw the loss against the similarity of a pair, and which negatives push at it.

    Args:
        axes: two of them.
        temperature: tau.
    """
    similarity = np.linspace(-0.2, 1, 200)
    for count, colour in zip(COUNTS, PALETTE, strict=False):
        axes[0].plot(
            similarity, loss_at(similarity, temperature, count), color=colour, label=f"n = {count}"
        )
        axes[0].axhline(np.log(count + 1), color=colour, linewidth=0.7, linestyle=":")
    axes[0].plot(
        similarity, loss_at(similarity, temperature, COUNTS[1], printed=True), "k--", linewidth=1,
        label=f"as printed, n = {COUNTS[1]}",
    )  # fmt: skip
    axes[0].set(xlabel="similarity of query and key", ylabel="loss, nats", ylim=(0, 14))
    cosine = np.linspace(-0.5, 0.8, 400)
    density = np.exp((WIDTH - 3) / 2 * np.log1p(-(cosine**2)))
    step = cosine[1] - cosine[0]
    for values, label, style in (
        (density, "negatives", {"color": "0.6"}),
        (density * np.exp(cosine / temperature), "their share of the push", {"color": PALETTE[1]}),
    ):
        shown = values / (values.sum() * step)
        axes[1].plot(cosine, shown, label=label, **style)
    axes[1].set(xlabel="similarity of query and negative", ylabel="density", yticks=[], ylim=0)
    for ax in axes:
        legend_below(ax, ncols=2)


def loss_browser() -> VBox:
    """Return a slider over temperatures, which also works on a static page."""
    from covidlib.widgets import browser

    frames = {}
    for temperature in TEMPERATURES:
        fig, axes = plt.subplots(1, 2, figsize=(9, 4.2))
        draw_loss(axes, temperature)
        frames[f"temperature {temperature:g}"] = fig
    return browser(frames, "temperature")


def pull_at(similarity: np.ndarray, temperature: float, count: int) -> np.ndarray:
    """Return what share of its force still draws a query to its key: 1 minus the softmax's share.

    The derivative of the loss by the similarity of the pair is minus this, over the temperature.

    Args:
        similarity: of query and key, in [-1, 1].
        temperature: tau.
        count: n random negatives.
    """
    return -np.expm1(-loss_at(similarity, temperature, count))


def release(temperature: float, count: int) -> float:
    """Return the similarity at which half of the pull is left; above 1 no pair gets there.

    Args:
        temperature: tau.
        count: n random negatives.
    """
    return temperature * float(np.log(count) + mean_weight(1 / temperature))


def draw_count(ax: Axes, count: int) -> Axes:
    """Draw how strongly pairs still attract each other among so many negatives, by temperature."""
    similarity = np.linspace(-0.2, 1, 200)
    for temperature, colour in zip(TEMPERATURES, PALETTE, strict=True):
        pull = pull_at(similarity, temperature, count)
        ax.plot(similarity, pull, color=colour, label=f"τ = {temperature:g}")
    ax.set(xlabel="similarity of query and key", ylabel="pull, 1 = full", ylim=(-0.03, 1.03))
    ax.set_title(f"{count} negatives", fontsize=11)
    return ax


def count_browser() -> VBox:
    """Return a slider over the number of negatives, which also works on a static page."""
    from covidlib.widgets import browser

    frames = {}
    for count in COUNTS:
        fig, ax = plt.subplots(figsize=(5.6, 4.4))
        legend_below(draw_count(ax, count), ncols=3)
        frames[f"{count} negatives"] = fig
    return browser(frames, "number of negatives")
