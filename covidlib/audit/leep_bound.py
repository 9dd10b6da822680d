"""No LEEP score can be below minus the entropy of the target labels (Nguyen et al. 2020)."""

import math

import numpy as np
import pandas as pd
from scipy.stats import entropy

from covidlib.audit.configurations import MODELS, SET_CLAIMS, VARIANTS, set_sizes
from covidlib.audit.rounding import bounds
from covidlib.published import published

LOGARITHMS = {"nats": math.e, "bits": 2.0}
STAGES = {"none": "w/o TL", "stl_n": "STL-N", "stl_n+stl_m": "STL-N, STL-M"}


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
        least = {unit: -float(entropy(sizes, base=base)) for unit, base in LOGARITHMS.items()}
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
