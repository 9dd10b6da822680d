"""Grey values of any depth, and how they become 8 bits."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from covidlib.errors import DataError

# 8000 x 8000: four times the largest chest X-ray detector, below the size that Pillow warns of.
MAX_PIXELS = 64_000_000
# A 12-bit picture in a 16-bit file fills 1/16 of its range; so little is never meant to be seen.
SMALLEST_SPAN = 1 / 16

Window = tuple[float, float] | Literal["full", "minmax"]


@dataclass(frozen=True)
class Pixels:
    """Grey values with the range that they are meant to be shown in.

    Args:
        values: uint8 or uint16 as stored, or float32 in the units of a DICOM file. Shape: (H, W).
        low: the value shown black (white if inverted).
        high: the value shown white (black if inverted).
        inverted: high values are dark (DICOM's MONOCHROME1).
    """

    values: np.ndarray
    low: float
    high: float
    inverted: bool = False


def to_uint8(pixels: Pixels, window: Window = "full") -> np.ndarray:
    """Map grey values to 0..255 by a window, see ``read_uint8``.

    >>> to_uint8(Pixels(np.array([[0, 257, 65535]], np.uint16), 0, 65535))
    array([[  0,   1, 255]], dtype=uint8)
    """
    least, most = float(pixels.values.min()), float(pixels.values.max())
    if window == "minmax":
        low, high = least, max(most, least + 1)
    elif window == "full":
        low, high = pixels.low, pixels.high
        shown = np.clip(most, low, high) - np.clip(least, low, high)
        if shown < SMALLEST_SPAN * (high - low):
            raise DataError(
                f"values from {least:g} to {most:g} are nearly uniform in the range {low:g} to "
                f"{high:g}: spread them over it when the file is written, or from Python give "
                'window=(low, high) or "minmax"'
            )
    else:
        low, high = window
        if not low < high:
            raise DataError(f"a window needs low < high, got {window}")
    return scaled(pixels, low, high, np.uint8)


def scaled(pixels: Pixels, low: float, high: float, dtype: type[np.integer]) -> np.ndarray:
    """Map low..high to the whole range of an integer type, and turn MONOCHROME1 over."""
    top = np.iinfo(dtype).max
    share = (np.clip(pixels.values, low, high).astype(np.float64) - low) / (high - low)
    return np.rint((1 - share if pixels.inverted else share) * top).astype(dtype)


def check_size(width: int, height: int) -> None:
    """Raise DataError unless a picture is of a size that somebody may have meant."""
    if width * height > MAX_PIXELS:
        raise DataError(f"{width} x {height} pixels, more than {MAX_PIXELS:,} are refused")
