"""Attention over outlined images (``notebooks/magsd/localization.py``)."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke

from covidlib import figures
from covidlib.evaluation.localization import enclosing_box, region
from covidlib.evaluation.overlap import counts, iou
from covidlib.localization_scores import MIDDLE
from covidlib.pages.localization import PRINTED, TITLES, Located


def draw(axes: Sequence[Axes], located: Located, threshold: float = MIDDLE) -> None:
    """Draw images under their mean attention, with the two shapes that their overlap compares.

    For a class that is measured by masks these are the outline of the lesions and that of the
    thresholded region, for one that is measured by boxes the rectangles around both.
    """
    cached, heat = located.cached, located.heat
    order = cached.table.groupby("label", sort=False).cumcount().argsort(kind="stable")
    for ax, number in zip(axes, order, strict=False):
        label, image = cached.table["label"].iloc[number], np.array(cached.images[number])
        truth, found = np.array(cached.lesions[number]) > 0, region(heat[number], threshold)
        measure = PRINTED[label]
        figures.overlay(ax, image, heat[number])
        if measure == "box":
            truth, found = enclosing_box(truth), enclosing_box(found)
        _edge(ax, truth, figures.PALETTE[4])
        _edge(ax, found, "white")
        value = iou(*counts(found, truth))
        ax.set_title(f"{label}\nIoU of {TITLES[measure]} {value:.2f}", fontsize="small")


def _edge(ax: Axes, mask: np.ndarray, colour: str) -> None:
    """Draw the edge of a mask over an image of its size; a filled rectangle's is a rectangle."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return
    rim = [withStroke(linewidth=3, foreground="0.2")]  # seen on white too, beside the image
    if (mask == enclosing_box(mask)).all():
        wide, high = np.ptp(columns) + 1, np.ptp(rows) + 1
        look = {"fill": False, "edgecolor": colour, "linewidth": 1.6, "clip_on": False}
        corner = (columns[0], rows[0])
        ax.add_patch(Rectangle(corner, wide, high, path_effects=rim, **look))
        return
    centres = [np.arange(-1, n + 1) + 0.5 for n in mask.shape[::-1]]  # closed at the border too
    padded = np.pad(mask, 1).astype(float)
    lines = ax.contour(*centres, padded, [0.5], colors=[colour], linewidths=1.6)
    lines.set(path_effects=rim, clip_on=False)
