"""Pictures: grids, heatmaps over images, and the stamp on whatever phantoms made."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from covidlib.errors import DataError
from covidlib.figures.style import PALETTE, STAMP, WARNING


def image_grid(
    ax: Axes,
    images: Sequence[np.ndarray],
    titles: Sequence[str] = (),
    *,
    columns: int = 4,
    limits: tuple[float, float] | None = None,
    cmap: str = "gray",
) -> Axes:
    """Draw images side by side on one Axes, each whole, in its own shape, under its title.

    Args:
        ax: where to draw.
        images: grey (H, W) or colour (H, W, 3); sizes may differ.
        titles: one per image, or none.
        columns: images per line.
        limits: grey values of black and white; 0 and 255 for uint8, else each image's own range.
        cmap: of grey images.

    Raises:
        DataError: no image, or another number of titles.
    """
    if not len(images) or (len(titles) and len(titles) != len(images)):
        raise DataError(f"got {len(images)} images and {len(titles)} titles")
    room = 0.16 if len(titles) else 0.0
    columns = min(columns, len(images))
    lines = -(-len(images) // columns)
    for i, image in enumerate(images):
        left, top = (i % columns) * 1.05, (i // columns) * (1.05 + room) + room
        high, wide = np.array(image.shape[:2]) / max(image.shape[:2])
        x, y = left + (1 - wide) / 2, top + (1 - high) / 2
        low_high = limits or ((0, 255) if image.dtype == np.uint8 else (None, None))
        box = (x, x + wide, y + high, y)
        ax.imshow(image, extent=box, cmap=cmap, vmin=low_high[0], vmax=low_high[1])
        if len(titles):
            look = {"ha": "center", "va": "bottom", "fontsize": "small"}
            ax.text(left + 0.5, top - 0.02, titles[i], **look)
    ax.set(xlim=(0, columns * 1.05 - 0.05), ylim=(lines * (1.05 + room) - 0.05, 0))
    ax.set_axis_off()
    return ax


def overlay(
    ax: Axes,
    image: np.ndarray,
    heat: np.ndarray,
    *,
    outline: np.ndarray | None = None,
    limits: tuple[float, float] | None = None,
    strength: float = 0.65,
    cmap: str = "inferno",
) -> Axes:
    """Lay a heatmap on a grey image; the hotter, the less the image shows through.

    Args:
        ax: where to draw.
        image: grey. Shape: (H, W).
        heat: any size, stretched over the image. Shape: (h, w).
        outline: a mask drawn as a line, such as the lungs. Shape: (H, W), bool.
        limits: heat that is transparent and heat that is hottest; the map's own range by default.
            Give the same limits to maps that are compared.
        strength: opacity of the hottest place.
        cmap: of the heat.

    Raises:
        DataError: heat is not finite, or the outline has another size than the image.
    """
    if not np.isfinite(heat).all():
        raise DataError("the heatmap holds values that are not finite")
    if outline is not None and outline.shape != image.shape[:2]:
        raise DataError(f"the outline is {outline.shape}, the image {image.shape[:2]}")
    low, high = limits or (float(heat.min()), float(heat.max()))
    # A constant map has no hottest place: nothing is laid over the image.
    share = np.clip((heat - low) / (high - low), 0, 1) if high > low else np.zeros(heat.shape)
    box = (0, image.shape[1], image.shape[0], 0)
    grey = (0, 255) if image.dtype == np.uint8 else (None, None)
    ax.imshow(image, extent=box, cmap="gray", vmin=grey[0], vmax=grey[1])
    ax.imshow(
        share, extent=box, cmap=cmap, vmin=0, vmax=1, interpolation="bilinear",
        alpha=strength * share,
    )  # fmt: skip
    if outline is not None and outline.any() and not outline.all():
        centres = [np.arange(n) + 0.5 for n in image.shape[1::-1]]
        ax.contour(*centres, outline.astype(float), [0.5], colors=[PALETTE[4]], linewidths=1.2)
    ax.set_axis_off()
    return ax


def phantom_stamp(fig: Figure) -> Figure:
    """Mark a figure made from phantoms, unmistakably: a frame, a headline and a watermark.

    Stamping twice changes nothing.
    """
    if any(artist.get_gid() == STAMP for artist in fig.texts):
        return fig
    if fig.get_layout_engine() is None:
        fig.set_layout_engine("constrained")  # makes room for the headline
    fig.get_layout_engine().set(w_pad=0.12, h_pad=0.1)  # and for the frame
    title = fig.get_suptitle()
    box = {"facecolor": WARNING, "edgecolor": "none", "boxstyle": "square,pad=0.35"}
    head = f"{STAMP.upper()}\n{title}" if title else STAMP.upper()
    fig.suptitle(head, color="white", weight="bold", fontsize=12, bbox=box)
    frame = Rectangle((0, 0), 1, 1, transform=fig.transFigure, fill=False, edgecolor=WARNING)
    frame.set(linewidth=6, clip_on=False, zorder=10)
    frame.set_in_layout(False)
    fig.add_artist(frame)
    mark = fig.text(0.5, 0.5, STAMP, rotation=28, ha="center", va="center", gid=STAMP, zorder=9)
    mark.set(color=WARNING, alpha=0.22, fontsize=5.6 * fig.get_figwidth(), weight="bold")
    mark.set_in_layout(False)
    return fig
