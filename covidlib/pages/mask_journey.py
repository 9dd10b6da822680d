"""A lung mask on its way through a network (``notebooks/manet/mask_attention.py``)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ipywidgets import VBox
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from torch import BoolTensor

from covidlib import figures
from covidlib.data import Dataset
from covidlib.mask_findings import STOPS, lung_masks, masked
from covidlib.models.mask_pooling import receptive_field
from covidlib.widgets import browser


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


def journey_browser(image: np.ndarray, stops: Sequence[Stop], *, phantom: bool = False) -> VBox:
    """Return a slider over the stops, which also works on a static page."""
    frames = {}
    for stop in stops:
        figure, axes = plt.subplots(1, 2, figsize=(5.4, 2.8), layout="constrained")
        draw_stop(axes, image, stop)
        frames[f"{stop.title}, largest share {stop.shares.max():.2f}"] = figure
    return browser(frames, "operation", phantom=phantom)


def draw_journey(axes: Sequence[Axes], stops: Sequence[Stop]) -> None:
    """Draw the mask and the maps at the ends of the stages, small, side by side."""
    last = {name.removesuffix(".add") for name in STOPS.values()} | {"mask"}
    chosen = [stop for stop in stops if stop.name in last]
    for ax, stop in zip(axes, chosen, strict=True):
        ax.imshow(stop.shares, cmap="inferno", vmin=0, vmax=1)
        ax.set_title(stop.title.replace(": ", "\n").replace(", ", "\n"), fontsize=9)
        ax.set_axis_off()
