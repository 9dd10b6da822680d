"""The network that finds lungs, drawn from itself (``notebooks/manet/segmentation.py``)."""

from collections.abc import Sequence

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch

from covidlib import figures
from covidlib.models.res_unet import ResUNet, ResUNetSettings


def draw_network(ax: Axes, size: int = 512) -> Axes:
    """Draw the network from itself: each block with the channels and the side it really has."""
    with torch.device("meta"):
        network: ResUNet = ResUNetSettings().build(2)
        seen: dict[str, tuple[int, ...]] = {}
        for name, blocks in (("down", network.down), ("up", network.up)):
            for number, block in enumerate(blocks):
                block.register_forward_hook(
                    lambda _, __, out, key=f"{name}{number}": seen.update({key: out.shape[1:]})
                )
        network(torch.empty(1, 1, size, size))
    depth = len(network.down)
    for number in range(depth):
        _box(ax, number, -number, seen[f"down{number}"], figures.PALETTE[0])
        if number:
            _arrow(ax, (number - 1, 1 - number), (number, -number))
    for number in range(depth - 1):
        column, level = depth + number, depth - 2 - number
        _box(ax, column, -level, seen[f"up{number}"], figures.PALETTE[2])
        _arrow(ax, (column - 1, -level - 1), (column, -level))
        _arrow(ax, (level, -level), (column, -level), "hand across")
    ax.text(-0.2, 0.62, f"image {size}²", ha="center", fontsize=9)
    ax.text(2 * depth - 2, 0.62, "1×1, sigmoid:\nlung", ha="center", va="bottom", fontsize=9)
    ax.text(0.6, -2.6, "down: pool by 2", ha="center", fontsize=9, color="0.35")
    ax.text(
        2 * depth - 2.6, -2.6, "up: transposed\nconvolution", ha="center", fontsize=9, color="0.35"
    )
    ax.set(xlim=(-0.8, 2 * depth - 1.2), ylim=(0.8 - depth - 0.3, 1.3))
    ax.set_axis_off()
    return ax


def _box(ax: Axes, x: float, y: float, shape: Sequence[int], colour: str) -> None:
    look = {"boxstyle": "round,pad=0,rounding_size=0.08", "facecolor": colour, "edgecolor": "none"}
    ax.add_patch(FancyBboxPatch((x - 0.38, y - 0.3), 0.76, 0.6, **look))
    text = f"residual\n{shape[0]} ch.\n{shape[1]}²"
    ax.text(x, y, text, ha="center", va="center", color="white", fontsize=8)


def _arrow(ax: Axes, start: tuple[int, int], end: tuple[int, int], text: str = "") -> None:
    """Draw an arrow between two boxes: level and dashed with its text, or down or up a level."""
    (x0, y0), (x1, y1) = start, end
    lift = 0.3 * np.sign(y1 - y0)
    look = {"arrowstyle": "->", "color": "0.35", "linestyle": "--" if y0 == y1 else "-"}
    ax.annotate("", (x1 - 0.38, y1 - lift), (x0 + 0.38, y0 + lift), arrowprops=look)
    ax.text((x0 + x1) / 2, y0 + 0.06, text, ha="center", fontsize=8, color="0.35")
