"""Pairs of images that are the same picture: equal bytes, equal pixels, equal to the eye."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from PIL import Image

from covidlib.data.decoding import Problem, read_pixels, refuse
from covidlib.data.pixels import to_uint8
from covidlib.errors import DataError
from covidlib.files import digest_file

KINDS = ("identical files", "identical pixels", "near-duplicates")
COLUMNS = {
    "kind": "string",
    "sample_a": "string",
    "sample_b": "string",
    "distance": "int64",
    "correlation": "float64",
}
THUMBNAIL = 32
BLOCK = 512  # rows compared with all others at once: 15,000 images need about 150 MB a block


@dataclass(frozen=True)
class Looks:
    """What is compared of N images.

    Args:
        samples: names. Shape: (N,).
        files: SHA-256 of the file. Shape: (N,).
        pixels: SHA-256 of the decoded grey values with their shape and depth. Shape: (N,).
        hashes: 64-bit difference hashes (dHash), uint64. Shape: (N,).
        thumbnails: 32×32 pixels of mean 0 and norm 1 (all 0 if uniform), float32. Shape: (N, 1024).
    """

    samples: np.ndarray
    files: np.ndarray
    pixels: np.ndarray
    hashes: np.ndarray
    thumbnails: np.ndarray


def look_at(samples: Iterable[str], paths: Iterable[str], workers: int | None = 1) -> Looks:
    """Decode every image once and keep what is compared.

    Args:
        samples: names. Length N.
        paths: image files. Length N.
        workers: processes, None for one per core.

    Raises:
        UnreadableImages: all images that cannot be decoded.
    """
    looks = Parallel(n_jobs=workers or -1)(delayed(_look)(path) for path in paths)
    if problems := [look for look in looks if isinstance(look, Problem)]:
        refuse(problems)
    files, pixels, hashes, thumbnails = zip(*looks, strict=True) if looks else ((),) * 4
    return Looks(
        samples=np.array(list(samples), dtype=object),
        files=np.array(files, dtype=object),
        pixels=np.array(pixels, dtype=object),
        hashes=np.array(hashes, dtype=np.uint64),
        thumbnails=np.array(thumbnails, dtype=np.float32).reshape(len(looks), THUMBNAIL**2),
    )


def identical_pairs(looks: Looks) -> pd.DataFrame:
    """Return the pairs of equal pixels, said to be "identical files" where the bytes are too."""
    pairs = []
    for members in pd.Series(range(len(looks.pixels))).groupby(looks.pixels):
        for a, b in combinations(members[1], 2):
            kind = KINDS[0] if looks.files[a] == looks.files[b] else KINDS[1]
            pairs.append((kind, looks.samples[a], looks.samples[b], 0, 1.0))
    return pd.DataFrame(pairs, columns=list(COLUMNS)).astype(COLUMNS)


def near_pairs(looks: Looks, distance: int, correlation: float) -> pd.DataFrame:
    """Return the pairs that are near by both measures; identical ones are among them.

    Args:
        looks: of N images; all N(N-1)/2 pairs are compared.
        distance: most differing bits of the two hashes.
        correlation: least normalised cross-correlation of the two thumbnails.
    """
    found = [pd.DataFrame(columns=list(COLUMNS)).astype(COLUMNS)]
    for start in range(0, len(looks.hashes), BLOCK):
        rows = slice(start, start + BLOCK)
        bits = np.bitwise_count(looks.hashes[rows, None] ^ looks.hashes[None, start:])
        alike = looks.thumbnails[rows] @ looks.thumbnails[start:].T
        a, b = np.nonzero(np.triu((bits <= distance) & (alike >= correlation), k=1))
        names = looks.samples[start:]
        values = (KINDS[2], names[a], names[b], bits[a, b], alike[a, b])
        found.append(pd.DataFrame(dict(zip(COLUMNS, values, strict=True))).astype(COLUMNS))
    return pd.concat(found, ignore_index=True)


def closest_pairs(looks: Looks, count: int) -> pd.DataFrame:
    """Return the ``count`` pairs whose thumbnails correlate most, whatever their hashes say.

    They show what the most similar images of a data set look like when none of them is near.
    """
    found = []
    for start in range(0, len(looks.samples), BLOCK):
        alike = looks.thumbnails[start : start + BLOCK] @ looks.thumbnails[start:].T
        alike[np.tri(*alike.shape, dtype=bool)] = -np.inf
        best = np.argsort(-alike, axis=None, kind="stable")[:count]
        for a, b in zip(*np.unravel_index(best, alike.shape), strict=True):
            if np.isfinite(alike[a, b]):
                bits = int(np.bitwise_count(looks.hashes[start + a] ^ looks.hashes[start + b]))
                names = looks.samples[start + a], looks.samples[start + b]
                found.append(("most similar", *names, bits, float(alike[a, b])))
    found.sort(key=lambda pair: -pair[-1])
    return pd.DataFrame(found[:count], columns=list(COLUMNS)).astype(COLUMNS)


def _look(path: str) -> tuple[str, str, int, np.ndarray] | Problem:
    import imagehash

    try:
        decoded = read_pixels(path)
    except DataError as error:
        return Problem(Path(path), str(error))
    values = np.ascontiguousarray(decoded.values)
    header = repr((values.shape, values.dtype.str)).encode()
    # From darkest to brightest, so that a 12-bit picture in 16 bits has a thumbnail at all.
    image = Image.fromarray(to_uint8(decoded, "minmax"))
    return (
        digest_file(Path(path)),
        hashlib.sha256(header + values.tobytes()).hexdigest(),
        int(np.packbits(imagehash.dhash(image).hash).view(np.uint64)[0]),
        _thumbnail(image),
    )


def _thumbnail(image: Image.Image) -> np.ndarray:
    small = image.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BILINEAR)
    values = np.asarray(small, np.float64).ravel()
    values = values - values.mean()
    norm = np.linalg.norm(values)
    # A uniform image resembles nothing: its thumbnail is 0, and so is its correlation with any.
    return values / norm if norm > 1e-6 else np.zeros_like(values)
