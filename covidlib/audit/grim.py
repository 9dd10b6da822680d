"""Accuracies that no count of images can give (the GRIM test of Brown and Heathers 2017)."""

import math
from collections.abc import Mapping
from decimal import Decimal

import pandas as pd

from covidlib.audit.rounding import bounds
from covidlib.errors import DataError


def counts(printed: str, images: int, runs: int = 1) -> range:
    """Return how many correct answers in all may be printed as this percentage.

    Args:
        printed: an accuracy in percent, as printed.
        images: in the test set, the same in every run.
        runs: equal runs whose mean is printed.

    Returns:
        Consecutive counts out of ``images * runs``; empty if no count gives the printed number.

    Raises:
        DataError: no image or no run.

    >>> list(counts("83.7", 203)), list(counts("83.0", 203)), list(counts("83.0", 203, runs=2))
    ([170], [], [337])
    """
    if images < 1 or runs < 1:
        raise DataError(f"need an image and a run, got {images} and {runs}")
    low, high = bounds(printed)
    total = images * runs
    least, most = math.ceil(low * total / 100), math.floor(high * total / 100)
    return range(max(least, 0), min(most, total) + 1)


def possible(printed: str, images: int, runs: int = 1) -> bool:
    """Say whether the mean of equal runs can be printed so; see ``counts``."""
    return len(counts(printed, images, runs)) > 0


def nearest(printed: str, images: int) -> tuple[int, int]:
    """Return the counts whose percentages stand next to a printed accuracy, below and above.

    >>> nearest("83.8", 203)  # 83.74 % and 84.24 %
    (170, 171)
    """
    low, high = bounds(printed)
    middle = (low + high) / 2 * images / 100
    return math.floor(middle), math.ceil(middle)


def grim(
    printed: Mapping[object, str], images: int, runs: tuple[int, ...] = (1, 2, 3, 4, 5)
) -> pd.DataFrame:
    """Check many accuracies.

    Args:
        printed: accuracies in percent by the names of their rows.
        images: in the test set.
        runs: how many equal runs the printed number may be the mean of.

    Returns:
        A row per accuracy: printed, then a column of booleans for each number of runs.
    """
    columns = {n: {name: possible(text, images, n) for name, text in printed.items()} for n in runs}
    return pd.DataFrame({"printed": dict(printed)} | columns)


def chance(images: int, runs: int = 1, decimals: int = 1, low: int = 80, high: int = 100) -> float:
    """Return the share of all printable numbers that some count gives.

    A test that nearly every number passes says nothing: this is its false-negative rate.

    Args:
        images: in the test set.
        runs: equal runs whose mean is printed.
        decimals: printed digits after the point.
        low, high: the range of percentages looked at; ``high`` is left out.

    >>> chance(203), chance(203, runs=5)
    (0.2, 1.0)
    """
    step = 10**decimals
    written = [str(Decimal(i).scaleb(-decimals)) for i in range(low * step, high * step)]
    return sum(possible(text, images, runs) for text in written) / len(written)
