"""Is it a chest X-ray, a CT slice, or a photograph? Measured on 32×32 pixels, with known errors.

A model answers whatever it is shown. So images of another kind are refused before anything is
trained, and before anything is predicted. Two measurements decide; ``modality.json`` holds the
coefficients of the second and its error rates, and ``covidlib.own_images.modality_fit`` makes it.

1. Colour: how much of an image cannot be a tinted grey picture.
2. Kind: a logistic regression on the layout of light and dark, blind to size, brightness, contrast
   and everything finer than 1/32 of the image.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
from joblib import Parallel, delayed
from PIL import Image

from covidlib.data.decoding import FORMATS, Problem, read_pixels
from covidlib.data.pixels import Window, to_uint8
from covidlib.errors import DataError

KINDS = ("ct", "cxr", "photo")
NAMES = {"ct": "CT slice", "cxr": "chest X-ray", "photo": "photograph"}
SIDE, CELLS = 32, 8
COLOUR_SIDE = 64
# Grey levels off the line; JPEG's coarse colour moves a pixel by less.
COLOUR_DISTANCE = 16
# An arrow or a coloured heading covers less; see the rates in modality.json.
COLOURED = 0.1
# A kind with a smaller probability is ruled out. Chosen on the rates of modality.json: at 0.05 up
# to 32% of the X-rays of an unseen collection pass for CT; at 0.2 up to 6%, and 3% are refused.
RULED_OUT = 0.2


@dataclass(frozen=True)
class Look:
    """What one image looks like.

    Args:
        probabilities: of ``KINDS``; they sum to 1. Shape: (3,).
        coloured: share of pixels that no tinted grey picture has, in [0, 1].
    """

    probabilities: tuple[float, ...]
    coloured: float

    @property
    def kind(self) -> str:
        """The most probable kind; a coloured image is a photograph."""
        if self.coloured > COLOURED:
            return "photo"
        return KINDS[int(np.argmax(self.probabilities))]

    def excludes(self, kind: str) -> bool:
        """Whether the image is not of a kind: it is in colour, or the kind is ruled out."""
        return self.coloured > COLOURED or self.probabilities[KINDS.index(kind)] < RULED_OUT


def look(path: str, window: Window = "full") -> Look:
    """Look at one image.

    Args:
        path: of the image.
        window: by which a network will take it, see ``covidlib.data.decoding.read_uint8``.

    Raises:
        DataError: it cannot be decoded, or shows nothing in that window.
    """
    pixels = read_pixels(path)
    if pixels.values.dtype != np.uint8:
        to_uint8(pixels, window)
    grey = to_uint8(pixels, "minmax")
    return Look(tuple(kind_probabilities(features(grey)[None])[0].tolist()), coloured_share(path))


def look_at_all(
    paths: Iterable[str], workers: int | None = 1, window: Window = "full"
) -> list[Look | Problem]:
    """Look at many images; those that cannot be decoded are problems.

    Args:
        paths: image files.
        workers: processes, None for one per core.
        window: as for ``look``.
    """
    return Parallel(n_jobs=workers or -1)(delayed(_look)(path, window) for path in paths)


def _look(path: str, window: Window) -> Look | Problem:
    from pathlib import Path

    try:
        return look(path, window)
    except DataError as error:
        return Problem(Path(path), str(error))


def coloured_share(path: str) -> float:
    """Return the share of an image's pixels that lie off the line of its tint, in [0, 1].

    The pixels of a grey picture, tinted or not, lie near one line in the cube of red, green and
    blue: the main axis of their cloud. A pixel counts as coloured when it is more than 16 grey
    levels away from that line.
    """
    try:
        with Image.open(path, formats=FORMATS) as image:
            if image.mode in ("L", "LA", "1", "I", "F") or image.mode.startswith("I;16"):
                return 0.0
            image.draft("RGB", (4 * COLOUR_SIDE, 4 * COLOUR_SIDE))
            small = image.convert("RGB").resize((COLOUR_SIDE, COLOUR_SIDE), Image.Resampling.BOX)
    except OSError:  # DICOM, which is grey or was refused
        return 0.0
    return off_line(np.asarray(small))


def off_line(pixels: np.ndarray) -> float:
    """Return the share of pixels farther than 16 grey levels from the cloud's main axis.

    Args:
        pixels: uint8. Shape: (H, W, 3).

    >>> ramp = np.arange(256, dtype=np.uint8)[:, None, None]
    >>> off_line(np.concatenate([ramp, ramp // 2, ramp // 4], axis=2))
    0.0
    """
    cloud = pixels.reshape(-1, 3).astype(float)
    cloud -= cloud.mean(axis=0)
    axis = np.linalg.eigh(cloud.T @ cloud)[1][:, -1]
    away = cloud - (cloud @ axis)[:, None] * axis
    return float((np.linalg.norm(away, axis=1) > COLOUR_DISTANCE).mean())


def features(grey: np.ndarray) -> np.ndarray:
    """Describe where an image is light and dark, by 130 numbers.

    The image is squashed to 32×32; each pixel is replaced by its rank, so that neither brightness
    nor contrast counts. Then: the mean rank in each of 8×8 cells, the spread of grey in each cell,
    and how far the ranks differ from their mirror image, left-right and top-bottom.

    Args:
        grey: uint8. Shape: (H, W).

    Returns:
        In [0, 1]. Shape: (130,).
    """
    small = Image.fromarray(grey).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    values = np.asarray(small, dtype=float) / 255
    order = np.empty(SIDE**2)
    order[np.argsort(values.ravel(), kind="stable")] = np.linspace(0, 1, SIDE**2)
    ranks = order.reshape(SIDE, SIDE)
    width = SIDE // CELLS
    cells = (CELLS, width, CELLS, width)
    mirrored = [np.abs(ranks - other).mean() for other in (ranks[:, ::-1], ranks[::-1])]
    return np.concatenate(
        [
            ranks.reshape(cells).mean((1, 3)).ravel(),
            values.reshape(cells).std((1, 3)).ravel(),
            mirrored,
        ]
    )


def kind_probabilities(described: np.ndarray) -> np.ndarray:
    """Return the probabilities of ``KINDS``. Shapes: (N, 130) to (N, 3)."""
    weights = fitted()
    logits = described @ np.array(weights["slopes"]).T + np.array(weights["offsets"])
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


@cache
def fitted() -> dict:
    """Return slopes (3, 130), offsets (3,) and the measured error rates."""
    return json.loads((files("covidlib.own_images") / "modality.json").read_text("utf-8"))
