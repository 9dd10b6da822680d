"""How well a map finds a region: overlap of thresholded maps, boxes and outlines."""

import numpy as np

from covidlib.errors import DataError


def enclosing_box(mask: np.ndarray) -> np.ndarray:
    """Return the smallest upright rectangle around a mask, filled; empty for an empty mask.

    Args:
        mask: booleans. Shape: (H, W).
    """
    box = np.zeros_like(mask)
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if len(rows):
        box[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = True
    return box


def region(heat: np.ndarray, threshold: float) -> np.ndarray:
    """Return where a map reaches a share of the way from its lowest to its highest value.

    A constant map has no such place.

    Args:
        heat: Shape: (H, W).
        threshold: in [0, 1].
    """
    if not 0 <= threshold <= 1:
        raise DataError(f"threshold is in [0, 1], not {threshold}")
    low, high = float(heat.min()), float(heat.max())
    if high <= low:
        return np.zeros(heat.shape, dtype=bool)
    return (heat - low) / (high - low) >= threshold
