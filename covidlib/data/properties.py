"""What can be known of an image without looking at the lungs in it."""

import numpy as np
import pandas as pd
from PIL import Image, UnidentifiedImageError
from scipy import stats

from covidlib.data.decoding import read_grey, read_uint8

STATISTICS_SIZE = 224  # the side at which the papers' networks see an image
PERCENTILES = (1, 5, 10, 25, 50, 75, 90, 95, 99)
STATISTICS = (
    "mean",
    "standard deviation",
    "skewness",
    "kurtosis",
    *(f"percentile {p}" for p in PERCENTILES),
    "entropy",
    "mean gradient",
    "dark share",
)
THUMBNAIL = 32
FRAME = 3


def file_properties(table: pd.DataFrame) -> pd.DataFrame:
    """Return width, height, aspect, suffix and colour mode of every image file.

    Width, height and mode are those of the original files where the table knows them for every
    image (columns ``width``, ``height``, ``mode``), else those of the files at hand: a mixture
    would tell which images are copies. The suffix is part of the sample's name.

    Returns:
        One row per row of the table, with its index; suffix and mode are strings.
    """
    facts = table.reindex(columns=["width", "height", "mode"])
    if facts.isna().any(axis=None):
        rows = [_header(path) for path in table["path"]]
        facts = pd.DataFrame(rows, columns=facts.columns, index=table.index)
    facts = facts.astype({"width": float, "height": float, "mode": str})
    suffix = table["sample"].str.extract(r"\.([^./]+)$")[0].str.lower().fillna("none")
    return facts.assign(aspect=facts["width"] / facts["height"], suffix=suffix.astype(str))


def pixel_properties(path: str) -> tuple[np.ndarray, np.ndarray]:
    """Decode an image once for both of its global descriptions.

    Returns:
        ``grey_statistics`` and ``frame`` of the image. Shapes: (16,), (348,).

    Raises:
        DataError: the image cannot be decoded.
    """
    values = read_uint8(path, "minmax")
    return grey_statistics(values), frame(values)


def grey_statistics(values: np.ndarray) -> np.ndarray:
    """Describe the grey values of an image by the 16 numbers of ``STATISTICS``.

    Args:
        values: uint8. Shape: (H, W). It is squashed to 224×224 first, so the size does not count.

    Returns:
        float64, of grey values in [0, 1]; skewness and kurtosis of a uniform image are 0. The
        dark share is that of grey values below 0.05. Shape: (16,).
    """
    grey = _squashed(values, STATISTICS_SIZE) / 255
    flat = grey.ravel()
    uniform = np.ptp(flat) == 0
    shares = np.histogram(flat, bins=32, range=(0, 1))[0] / flat.size
    shares = shares[shares > 0]
    vertical, horizontal = np.gradient(grey)
    return np.array(
        [
            flat.mean(),
            flat.std(),
            0 if uniform else stats.skew(flat),
            0 if uniform else stats.kurtosis(flat),
            *np.percentile(flat, PERCENTILES),
            -(shares * np.log(shares)).sum(),
            np.hypot(vertical, horizontal).mean(),
            (flat < 0.05).mean(),
        ]
    )


def frame(values: np.ndarray) -> np.ndarray:
    """Return the outermost 3 pixels on every side of a 32×32 thumbnail, in [0, 1].

    Args:
        values: uint8. Shape: (H, W).

    Returns:
        float64. Shape: (348,).
    """
    border = np.ones((THUMBNAIL, THUMBNAIL), dtype=bool)
    border[FRAME:-FRAME, FRAME:-FRAME] = False
    return _squashed(values, THUMBNAIL)[border] / 255


def _squashed(values: np.ndarray, side: int) -> np.ndarray:
    small = Image.fromarray(values).resize((side, side), Image.Resampling.BILINEAR)
    return np.asarray(small, dtype=np.float64)


def _header(path: str) -> tuple[int, int, str]:
    try:
        with Image.open(path) as image:
            return *image.size, image.mode
    except UnidentifiedImageError:
        height, width = read_grey(path).shape  # DICOM, which Pillow does not know
        return width, height, "DICOM"
