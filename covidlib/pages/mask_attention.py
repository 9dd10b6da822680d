"""Weights, borders, contrast of mask attention (``notebooks/manet/mask_attention.py``)."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes

from covidlib import figures
from covidlib.mask_findings import STOPS, MapFindings, all_ones, last_ones, masked
from covidlib.models.cxr_classifiers import BACKBONES, CxrClassifierSettings
from covidlib.models.mask_pooling import Path

TITLES = {
    "resnet34": "ResNet34",
    "resnet50": "ResNet50",
    "vgg16": "VGG16",
    "inceptionv3": "Inceptionv3",
}


def weights_seen(path: Path, axis: int = 0) -> np.ndarray:
    """Return what each row of the image counts in one value of a map, away from borders.

    Iterated averages are products of a row's and a column's weight, so one axis says it all.

    >>> from covidlib.models.mask_pooling import Step
    >>> weights_seen((Step((3, 3)), Step((3, 3)))) * 9
    array([1., 2., 3., 2., 1.])
    """
    weights, jump = np.ones(1), 1
    for step in path:
        kernel = np.zeros((step.kernel[axis] - 1) * jump + 1)
        kernel[::jump] = 1 / step.kernel[axis]
        weights = np.convolve(weights, kernel)
        jump *= step.stride[axis]
    return weights


def central_share(path: Path) -> float:
    """Return which share of a map's value the middle quarter of its receptive field decides."""
    weights = weights_seen(path)
    places = np.abs(np.arange(len(weights)) - (len(weights) - 1) / 2)
    return float(weights[places <= len(weights) / 4].sum() ** 2)


def draw_weights(ax: Axes) -> Axes:
    """Draw how rows count in the maps of ResNet34, each over its own receptive field.

    Means over one stride: strided windows overlap unevenly, so single rows go up and down.
    """
    network = masked("resnet34")
    names = ["pool", "layer 1", "layer 2", "layer 4"]
    for stop, look in figures.looks(names):
        path = network.paths[STOPS[stop]]
        weights, stride = weights_seen(path), math.prod(step.stride[0] for step in path)
        weights = np.convolve(weights, np.full(stride, 1 / stride), "same")
        place = np.linspace(-0.5, 0.5, len(weights))
        ax.plot(place, weights * len(weights), label=f"{stop}: {len(weights)} rows", **look)
    ax.axhline(1, color="0.45", linewidth=1)
    ax.text(0.5, 1.08, "plain share", ha="right", fontsize="small", color="0.45")
    ax.set(xlabel="row, from edge to edge of the receptive field", ylabel="weight (plain share: 1)")
    figures.legend_below(ax, ncols=2)
    return ax


def draw_borders(axes: Sequence[Axes], size: int) -> dict[str, np.ndarray]:
    """Draw the maps of a mask of ones, outside counted as no lung; return them by stop."""
    maps = all_ones(size, "zeros")
    for ax, (stop, values) in zip(axes, maps.items(), strict=True):
        picture = ax.imshow(values, cmap="inferno", vmin=0, vmax=1)
        ax.set_title(f"{stop}\nmean {values.mean():.2f}", fontsize=10)
        ax.set_axis_off()
    axes[-1].figure.colorbar(picture, ax=list(axes), shrink=0.8)
    return maps


def draw_last_ones(ax: Axes, sizes: Sequence[int] = (96, 128, 160, 192, 224, 299, 512)) -> Axes:
    """Draw the mean last map of a mask of ones by side of the image, a line per network."""
    for number, backbone in enumerate(BACKBONES):
        left = last_ones(backbone, sizes)
        look = {"marker": "o", "color": figures.PALETTE[number]}
        ax.plot(left.index, left, label=TITLES[backbone], **look)
    ax.set(xscale="log", yscale="log", xlabel="side of the image, pixels", ylabel="mean last map")
    ax.set_xticks(sizes, [f"{size}" for size in sizes])
    ax.minorticks_off()
    ax.legend()
    return ax


def draw_contrast(ax: Axes, findings: MapFindings, title: str) -> Axes:
    """Draw the mean map in the lungs and elsewhere, stop by stop, under both borders."""
    for borders, dash in (("zeros", "-"), ("visible", (0, (4, 2)))):
        for kind, colour in (("lung", figures.PALETTE[0]), ("elsewhere", figures.PALETTE[1])):
            values = findings.contrast[borders, kind]
            look = {"marker": "o", "linestyle": dash, "color": colour}
            ax.plot(range(len(values)), values, label=f"{kind}, borders: {borders}", **look)
    ax.set_xticks(range(len(values)), values.index, rotation=30, ha="right")
    ax.set(ylim=(0, 1.02), ylabel="mean map", title=title)
    return ax


def draw_skips(axes: Sequence[Axes], findings: Mapping[str, MapFindings]) -> None:
    """Draw the mismatch at every sum, a panel per network, a line per data set."""
    for ax, backbone in zip(axes, ("resnet34", "resnet50"), strict=True):
        for number, (name, found) in enumerate(findings.items()):
            rows = found.skips[found.skips["backbone"] == backbone]
            place = np.arange(len(rows))
            # The same masks give the same lines: the first is wider, so that both are seen.
            look = {"color": figures.PALETTE[number], "linewidth": 1.5 if number else 5}
            ax.plot(place, rows["mean"], marker="o", label=f"{name}: mean", **look)
            ax.plot(place, rows["maximum"], ":", label=f"{name}: largest", **look)
        ax.set_xticks(place[::2], rows["block"].str.removeprefix("layer").iloc[::2])
        ax.set(xlabel="residual block", ylim=(0, None), title=TITLES[backbone])
    axes[0].set_ylabel("|map of branch − map of shortcut|")


def products() -> pd.DataFrame:
    """Return how often each network multiplies, and how many map poolings that takes."""
    rows = {}
    for backbone in BACKBONES:
        network = masked(backbone)
        pools = sum(".mask_pools." in name for name, _ in network.named_modules())
        plain = CxrClassifierSettings(backbone)
        with torch.device("meta"):
            before = sum(p.numel() for p in plain.build(5).parameters())
        rows[TITLES[backbone]] = {
            "products with a map": len(network.products),
            "poolings of the map": pools,
            "parameters added": sum(p.numel() for p in network.parameters()) - before,
        }
    return pd.DataFrame(rows).T
