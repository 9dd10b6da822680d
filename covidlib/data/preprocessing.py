"""From a decoded image to the square of uint8 that is kept."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image

from covidlib.data.pixels import Window
from covidlib.errors import DataError


@dataclass(frozen=True)
class Preprocessing:
    """From a decoded image to the square of uint8 that is kept.

    In this order: window to 8 bits, resize, CLAHE, lung mask, padding. Resizing is Pillow's
    bilinear filter, whose support grows with the reduction: it is antialiased going down, plain
    bilinear going up, per axis, and is what torchvision's Resize does to the images of the
    papers' own pipelines. (OpenCV's INTER_AREA falls back to an aliased filter as soon as one
    axis is enlarged, which "squash" does to wide CT slices.)

    Args:
        size: side S of the square in pixels; msatl sec. 6.2 scales "to 256x256".
        fit: "squash" to S x S; "pad": longer side to S, the rest black; "crop": shorter side to S,
            the central square.
        clahe_clip: contrast limit of CLAHE (magsd sec. 3.1) in OpenCV's unit, multiples of an even
            histogram of 256 bins (magsd's code: 4); scikit-image's is this divided by 256.
            scikit-image also stretches each image to the whole range, which OpenCV does not.
        clahe_grid: tiles per side (magsd's code: 4).
        apply_lung_mask: black outside the lungs; an image without lung mask is then a problem.
        window: how more than 8 bits become 8, see ``covidlib.data.decoding.read_uint8``.
        colour: keep red, green and blue, for natural images; without CLAHE.

    Raises:
        DataError: a setting outside its range.
    """

    size: int = 256
    fit: Literal["squash", "pad", "crop"] = "squash"
    clahe_clip: float | None = None
    clahe_grid: int = 4
    apply_lung_mask: bool = False
    window: Window = "full"
    colour: bool = False

    def __post_init__(self) -> None:
        if not 8 <= self.size <= 4096:
            raise DataError(f"size is a side of 8 to 4096 pixels, got {self.size}")
        if self.fit not in ("squash", "pad", "crop"):
            raise DataError(f'fit is "squash", "pad" or "crop", got {self.fit!r}')
        if self.clahe_clip is not None and not 0 < self.clahe_clip <= 256:
            raise DataError(f"clahe_clip is in (0, 256], got {self.clahe_clip}")
        if self.clahe_clip is not None and not 1 <= self.clahe_grid <= self.size // 8:
            raise DataError(f"clahe_grid leaves tiles of 8 pixels or more, got {self.clahe_grid}")
        if self.window not in ("full", "minmax") and not (
            len(self.window) == 2 and float(self.window[0]) < float(self.window[1])
        ):
            raise DataError(f'window is "full", "minmax" or (low, high), got {self.window!r}')
        if self.colour and self.clahe_clip is not None:
            raise DataError("CLAHE is for grey images, and colour is set")

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one image in the cache: (S, S), or (3, S, S) in colour."""
        square = (self.size, self.size)
        return (3, *square) if self.colour else square


def prepare(
    image: np.ndarray, preprocessing: Preprocessing, lung: np.ndarray | None = None
) -> np.ndarray:
    """Apply every step of ``Preprocessing`` to one image.

    Args:
        image: uint8. Shape: (H, W) if grey, (H, W, 3) in colour.
        preprocessing: the settings.
        lung: boolean mask of the same view, needed by ``apply_lung_mask``. Shape: (H', W').

    Returns:
        uint8. Shape: (S, S), or (3, S, S) in colour.
    """
    shape = "(H, W, 3)" if preprocessing.colour else "(H, W)"
    if image.dtype != np.uint8 or image.shape[2:] != ((3,) if preprocessing.colour else ()):
        raise DataError(f"expected uint8 of shape {shape}, got {image.dtype} {image.shape}")
    content = _resize(image, preprocessing, Image.Resampling.BILINEAR)
    if preprocessing.clahe_clip is not None:
        content = _equalise(content, preprocessing.clahe_clip, preprocessing.clahe_grid)
    prepared = _pad(content, preprocessing.size)
    if preprocessing.colour:
        prepared = prepared.transpose(2, 0, 1)
    if preprocessing.apply_lung_mask:
        if lung is None:
            raise DataError("apply_lung_mask, and no lung mask")
        prepared = prepared * prepare_mask(lung, preprocessing)
    return prepared


def prepare_mask(mask: np.ndarray, preprocessing: Preprocessing) -> np.ndarray:
    """Bring a boolean mask to the geometry of its image: 1 where it covers half a pixel or more.

    Returns:
        uint8 of 0 and 1. Shape: (S, S).
    """
    if mask.dtype != np.bool_ or mask.ndim != 2:
        raise DataError(f"expected booleans of shape (H, W), got {mask.dtype} {mask.shape}")
    covered = _resize(mask.astype(np.uint8) * 255, preprocessing, Image.Resampling.BOX)
    return _pad((covered > 127).astype(np.uint8), preprocessing.size)


def _resize(image: np.ndarray, settings: Preprocessing, filter_: Image.Resampling) -> np.ndarray:
    """Return the part of the square that shows the image, before padding."""
    height, width = image.shape[:2]
    size, box = (settings.size, settings.size), None
    if settings.fit == "pad":
        scale = settings.size / max(width, height)
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
    elif settings.fit == "crop":
        # Cut in the same step: 1 x 10,000,000 pixels must not become 256 x 2,560,000,000 first.
        left, top = (width - min(height, width)) / 2, (height - min(height, width)) / 2
        box = (left, top, width - left, height - top)
    return np.asarray(Image.fromarray(image).resize(size, filter_, box=box))


def _pad(content: np.ndarray, size: int) -> np.ndarray:
    rows, columns = (size - content.shape[0]), (size - content.shape[1])
    sides = [(rows // 2, rows - rows // 2), (columns // 2, columns - columns // 2)]
    return np.pad(content, [*sides, *[(0, 0)] * (content.ndim - 2)])


def _equalise(image: np.ndarray, clip: float, grid: int) -> np.ndarray:
    from skimage.exposure import equalize_adapthist

    if image.min() == image.max():
        return image  # nothing to stretch; scikit-image would divide by the zero range
    tile = [math.ceil(side / grid) for side in image.shape]
    equal = equalize_adapthist(image, kernel_size=tile, clip_limit=clip / 256, nbins=256)
    return np.rint(equal * 255).astype(np.uint8)
