"""No LEEP score can be below minus the entropy of the target labels (Nguyen et al. 2020)."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from covidlib.audit.configurations import MODELS, SET_CLAIMS, VARIANTS, set_sizes
from covidlib.audit.rounding import bounds
from covidlib.errors import DataError
from covidlib.published import published

LOGARITHMS = {"nats": math.e, "bits": 2.0}
STAGES = {"none": "w/o TL", "stl_n": "STL-N", "stl_n+stl_m": "STL-N, STL-M"}


def entropy(counts: Sequence[int], base: float = math.e) -> float:
    """Return the entropy of labels with these counts.

    Args:
        counts: images per class; empty classes add nothing.
        base: of the logarithm: e for nats, 2 for bits.

    Raises:
        DataError: a negative count, or no image.

    >>> entropy([5, 5], base=2), entropy([7, 0])
    (1.0, 0.0)
    """
    found = np.asarray(counts, dtype=float)
    if (found < 0).any() or found.sum() == 0:
        raise DataError(f"{counts} are not counts of images")
    shares = found[found > 0] / found.sum()
    return max(0.0, float(-(shares * np.log(shares)).sum() / math.log(base)))


def leep_bounds() -> pd.DataFrame:
    """Return the smallest LEEP score that each set of COVID19-CT allows.

    Where P(y|z) is estimated on the images that are scored, LEEP >= -H(Y|Z) >= -H(Y): mixing the
    estimates by the source probabilities never scores below the labels' own frequencies.

    Returns:
        Index: set. Columns: positive, negative, nats, bits.
    """
    rows = {}
    for name in SET_CLAIMS:
        sizes = set_sizes(name)
        least = {unit: -entropy(sizes, base) for unit, base in LOGARITHMS.items()}
        rows[name] = dict(zip(("positive", "negative"), sizes, strict=True)) | least
    return pd.DataFrame.from_dict(rows, orient="index")


def leep_cells() -> pd.DataFrame:
    """Return the 18 scores of msatl Table 6.

    Returns:
        Columns model, variant, stages, printed, value, and below_nats and below_bits: whether the
        score, its rounding used in its favour, is below the bound of *every* set of COVID19-CT.
    """
    frame = published("msatl", 6)
    cells = frame[["model", "variant", "stages"]].copy()
    cells["printed"] = frame["value"]
    cells["value"] = frame["number"]
    highest = [float(bounds(text)[1]) for text in frame["value"]]
    least = leep_bounds()
    for unit in LOGARITHMS:
        cells[f"below_{unit}"] = np.array(highest) < least[unit].min()
    return cells


def leep_rows() -> pd.DataFrame:
    """Return the scores as the paper lays them out: a row per network, a column per stage."""
    cells = leep_cells()
    names = cells["model"].map(MODELS) + " " + cells["variant"].map(VARIANTS)
    found = cells.set_index([names.rename("network"), "stages"])["value"].to_dict()
    rows = {n: {STAGES[stage]: found[n, stage] for stage in STAGES} for n in names.unique()}
    return pd.DataFrame.from_dict(rows, orient="index")
