"""Maps, blocks and borders of mask attention (``notebooks/manet/mask_attention.py``)."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from ipywidgets import VBox
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from torch import BoolTensor, fx, nn

from covidlib import figures
from covidlib.data import Dataset
from covidlib.mask_findings import STOPS, MapFindings, all_ones, last_ones, lung_masks, masked
from covidlib.models.cxr_classifiers import BACKBONES, CxrClassifierSettings
from covidlib.models.mask_pooling import Path, receptive_field
from covidlib.widgets import browser

TITLES = {
    "resnet34": "ResNet34",
    "resnet50": "ResNet50",
    "vgg16": "VGG16",
    "inceptionv3": "Inceptionv3",
}
BLOCKS = {
    "VGG block": ("vgg16", r"features\.[012]"),
    "basic block": ("resnet34", r"layer1\.1"),
    "bottleneck": ("resnet50", r"layer1\.1"),
    "Inception module": ("inceptionv3", r"Mixed_5b"),
}
COLOURS = {"map": figures.PALETTE[1], "grows": figures.PALETTE[0], "other": "#777777"}


@dataclass(frozen=True)
class Stop:
    """A mask on its way: the map after one operation of a network.

    Args:
        name: of the operation, or "mask".
        shares: of lung. Shape: (H', W').
        field: rows and columns of the image that one value sums up.
    """

    name: str
    shares: np.ndarray
    field: tuple[int, int]

    @property
    def title(self) -> str:
        """Name, size and receptive field."""
        high, wide = self.shares.shape
        return f"{self.name}: {high}×{wide}, sees {self.field[0]}×{self.field[1]}"


def chest(dataset: Dataset, size: int, number: int = 0) -> tuple[np.ndarray, BoolTensor]:
    """Return one radiograph (H, W) and its lung mask (1, H, W)."""
    images, masks = lung_masks(dataset, size)
    return np.asarray(images[number]), masks[number : number + 1]


def journey(mask: BoolTensor, backbone: str = "resnet34") -> list[Stop]:
    """Return the mask, then its map after the stem, the pool and every residual block."""
    network = masked(backbone)
    maps = network.maps(mask)
    stops = [Stop("mask", mask[0].numpy().astype(float), (1, 1))]
    for name, path in network.paths.items():
        if name in ("conv1", "maxpool") or name.endswith(".add"):
            shown = name.removesuffix(".add")
            stops.append(Stop(shown, maps[name][0, 0].numpy(), receptive_field(path)))
    return stops


def draw_stop(axes: Sequence[Axes], image: np.ndarray, stop: Stop) -> None:
    """Draw a map by itself and over its radiograph, both from 0 to 1."""
    axes[0].imshow(stop.shares, cmap="inferno", vmin=0, vmax=1)
    axes[0].set_axis_off()
    figures.overlay(axes[1], image, stop.shares, limits=(0, 1))


def journey_browser(image: np.ndarray, stops: Sequence[Stop]) -> VBox:
    """Return a slider over the stops, which also works on a static page."""
    frames = {}
    for stop in stops:
        figure, axes = plt.subplots(1, 2, figsize=(5.4, 2.8), layout="constrained")
        draw_stop(axes, image, stop)
        frames[f"{stop.title}, largest share {stop.shares.max():.2f}"] = figure
    return browser(frames, "operation")


def draw_journey(axes: Sequence[Axes], stops: Sequence[Stop]) -> None:
    """Draw the mask and the maps at the ends of the stages, small, side by side."""
    last = {name.removesuffix(".add") for name in STOPS.values()} | {"mask"}
    chosen = [stop for stop in stops if stop.name in last]
    for ax, stop in zip(axes, chosen, strict=True):
        ax.imshow(stop.shares, cmap="inferno", vmin=0, vmax=1)
        ax.set_title(stop.title.replace(": ", "\n").replace(", ", "\n"), fontsize=9)
        ax.set_axis_off()


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


def draw_blocks(axes: Sequence[Axes]) -> None:
    """Draw one block of each network from its traced graph (manet, figure 5, redrawn)."""
    for ax, (title, (backbone, scope)) in zip(axes, BLOCKS.items(), strict=True):
        columns = _columns(masked(backbone).backbone, scope)
        trunk = columns.pop("")
        depth = max((len(labels) for labels in columns.values()), default=0)
        for place, labels in enumerate(columns.values()):
            _boxes(ax, place, 0, labels)
        _boxes(ax, (len(columns) - 1) / 2 if columns else 0, -depth, trunk)
        ax.set(xlim=(-0.6, max(len(columns), 1) - 0.4), ylim=(-10.7, 0.7), title=title)
        ax.set_axis_off()


def _columns(network: fx.GraphModule, scope: str) -> dict[str, list[str]]:
    """Return the labels of a block's operations, top down, by branch; "" is the trunk."""
    columns: dict[str, list[str]] = {}
    branches: dict[fx.Node, str] = {}
    for node in network.graph.nodes:
        stack = node.meta.get("nn_module_stack", {})
        where = next(reversed(stack.values()))[0] if stack else ""
        source = next(iter(node.all_input_nodes), None)
        if re.match(rf"{scope}(\.|$)", where):
            # A pool called as a function is written in the module, and belongs to its one user.
            user = next(iter(node.users))
            inner = user.target if "pool" in node.name and node.op == "call_function" else where
            found = re.search(r"\.(branch_?[a-z0-9]+)", inner)
            branches[node] = found[1] if found else ""
        elif node.target == "mask_product" and source in branches:
            branches[node] = branches[source]
        if node in branches:
            columns.setdefault(branches[node], []).append(_label(network, node))
    return {"": columns.pop("", [])} | columns


def _label(network: fx.GraphModule, node: fx.Node) -> str:
    layer = network.get_submodule(node.target) if node.op == "call_module" else None
    if node.target == "mask_product":
        return "⊙ map"
    if isinstance(layer, nn.Conv2d):
        return "conv {}×{}".format(*layer.kernel_size)
    if isinstance(layer, nn.BatchNorm2d):
        return "BN"
    kinds = {"relu": "ReLU", "add": "+ shortcut", "cat": "concatenate", "avg_pool2d": "mean pool"}
    word = type(layer).__name__.lower() if layer is not None else re.sub(r"_\d+$", "", node.name)
    return kinds.get(word, word)


def _boxes(ax: Axes, x: float, top: int, labels: Sequence[str]) -> None:
    for line, label in enumerate(labels):
        grows = label.startswith("conv") and label != "conv 1×1"
        colour = COLOURS["map" if label == "⊙ map" else "grows" if grows else "other"]
        box = {"facecolor": colour, "edgecolor": "none", "boxstyle": "round,pad=0.3"}
        ax.text(x, top - line, label, ha="center", va="center", color="white", fontsize=8, bbox=box)
