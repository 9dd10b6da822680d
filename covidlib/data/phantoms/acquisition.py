"""How a place makes images: window, grey curve, blur, grain, frame, letters, compression."""

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from covidlib.data.phantoms.fields import noise


@dataclass(frozen=True)
class Style:
    """The look of one source.

    Args:
        gamma: exponent of the grey curve; below 1 is brighter.
        blur: standard deviation in units of 1/1000 of the image's side.
        grain: standard deviation of the noise, grey levels in [0, 1].
        window: centre and width in Hounsfield units (CT only).
        frame: width of the border as a share of the side, and its grey value.
        letters: text in a corner, with corner "nw", "ne", "sw" or "se"; empty is none.
        jpeg: quality of a compression the image went through; 0 is none.
    """

    gamma: float = 1.0
    blur: float = 2.0
    grain: float = 0.010
    window: tuple[float, float] = (-550.0, 1300.0)
    frame: tuple[float, float] = (0.0, 0.0)
    letters: tuple[str, str] = ("", "nw")
    jpeg: int = 0


CT_STYLES = {
    "lung": Style(),
    "soft": Style(blur=4.0, grain=0.006, window=(-530.0, 1350.0), gamma=0.95),
    "sharp": Style(blur=0.5, grain=0.022, window=(-500.0, 1150.0)),
    "figure": Style(blur=2.5, jpeg=60, letters=("A", "nw"), frame=(0.012, 1.0)),
    "film": Style(gamma=1.25, grain=0.016, window=(-550.0, 1450.0), letters=("R", "sw")),
    "screen": Style(blur=3.5, jpeg=45, gamma=0.85, window=(-450.0, 1350.0)),
}
CXR_STYLES = {
    "adult-digital": Style(letters=("R", "nw")),
    "adult-portable": Style(blur=3.5, grain=0.018, gamma=0.88, letters=("PORTABLE", "ne")),
    "adult-film": Style(blur=3.0, grain=0.022, gamma=1.2, frame=(0.02, 0.0), letters=("L", "ne")),
    "adult-web": Style(blur=2.5, jpeg=50, gamma=0.95, letters=("AP", "nw")),
    "children": Style(blur=1.0, grain=0.008, gamma=1.1, letters=("R", "nw")),
    "rural": Style(blur=2.5, grain=0.014, gamma=1.05, frame=(0.035, 0.0)),
}
ADULT = ("adult-digital", "adult-portable", "adult-film", "adult-web")
MARKER_SIDE = 0.075  # of the shorter side, in the lower right corner


def expose(
    rng: np.random.Generator, grey: np.ndarray, styles: list[Style], difficulty: float
) -> np.ndarray:
    """Turn ideal grey in [0, 1] into what each source would have stored.

    Shape: grey (N, H, W) -> uint8 (N, H, W).
    """
    n, size = len(grey), grey.shape[1]
    curve = [
        s.gamma * float(np.exp(u)) for s, u in zip(styles, rng.normal(0, 0.10, n), strict=True)
    ]
    gain = (1 + rng.normal(0, 0.03, n)).tolist()
    grain = [s.grain + 0.045 * difficulty for s in styles]
    fine = noise(rng, n, size, 4.5 / size)
    out = np.empty(grey.shape, np.uint8)
    for k, style in enumerate(styles):
        image = ndimage.gaussian_filter(np.clip(grey[k], 0, 1), style.blur / 1000 * size)
        image = gain[k] * image ** curve[k]
        image += grain[k] * fine[k] * (0.35 + image)
        out[k] = np.clip(image * 255 + 0.5, 0, 255)
    return out


def annotate(image: np.ndarray, style: Style, marker: bool) -> np.ndarray:
    """Return the image with its source's frame, letters and compression, and the marker on top.

    Shape: (H, W) -> (H, W), uint8.
    """
    image = image.copy()
    width, value = round(style.frame[0] * min(image.shape)), round(255 * style.frame[1])
    if width:
        image[:width] = image[-width:] = value
        image[:, :width] = image[:, -width:] = value
    if style.letters[0]:
        image = _write(image, *style.letters)
    if style.jpeg:
        file = io.BytesIO()
        Image.fromarray(image).save(file, "JPEG", quality=style.jpeg)
        image = np.array(Image.open(file))
    if marker:
        top, left, bottom, right = marker_box(image.shape)
        image[top:bottom, left:right] = 0
        image[top + 1 : bottom - 1, left + 1 : right - 1] = 255
    return image


def marker_box(shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Return top, left, bottom, right (exclusive) of the shortcut marker in an image.

    >>> marker_box((96, 96))
    (86, 86, 93, 93)
    """
    side = max(4, round(MARKER_SIDE * min(shape)))
    gap = max(1, round(0.03 * min(shape)))
    bottom, right = shape[0] - gap, shape[1] - gap
    return bottom - side, right - side, bottom, right


def draw_markers(rng: np.random.Generator, positive: np.ndarray, shortcut: float) -> np.ndarray:
    """Decide who gets a marker so that its phi coefficient with ``positive`` is ``shortcut``.

    With the prevalence p of the positives, P(marker | positive) = p + s(1 − p) and
    P(marker | negative) = p(1 − s): as many markers as positives, covariance s·p(1 − p).
    Counts are exact up to rounding. Where only one class is present p counts as 1/2, so that
    data sets that are joined later correlate as asked.

    Shape: (N,) boolean -> (N,) boolean.
    """
    marked = np.zeros(len(positive), bool)
    if shortcut == 0:
        return marked
    prevalence = positive.mean() if 0 < positive.sum() < len(positive) else 0.5
    for group, share in (
        (positive, prevalence + shortcut * (1 - prevalence)),
        (~positive, prevalence * (1 - shortcut)),
    ):
        rows = rng.permutation(np.flatnonzero(group))
        marked[rows[: round(share * len(rows))]] = True
    return marked


def _write(image: np.ndarray, text: str, corner: str) -> np.ndarray:
    """Write letters into a corner, as large as a lead marker would be."""
    height, width = image.shape
    sheet = Image.fromarray(image)
    font = ImageFont.load_default(size=max(7, round((0.075 if len(text) < 3 else 0.05) * height)))
    _, top, right, bottom = font.getbbox(text)
    x = 0.05 * width if "w" in corner else 0.95 * width - right
    y = 0.04 * height - top if "n" in corner else 0.95 * height - bottom
    ImageDraw.Draw(sheet).text((round(x), round(y)), text, fill=235, font=font)
    return np.array(sheet)
