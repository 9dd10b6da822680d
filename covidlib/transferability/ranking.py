"""Does a score put models in the order of their performance?"""

from functools import cache
from itertools import permutations

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from covidlib.errors import DataError


def weighted_tau(scores: ArrayLike, performance: ArrayLike) -> float:
    """Return Kendall's tau with hyperbolic weights: errors among the best count most.

    Ranks are those of the performance (Vigna 2015; the form used to compare such scores).

    Args:
        scores: one per model. Shape: (M,).
        performance: of the same models after fine-tuning. Shape: (M,).

    Returns:
        In [-1, 1]; 0 if the scores are all alike, since they then order nothing.
    """
    x, y = _pair(scores, performance)
    if np.ptp(x) == 0:
        return 0.0
    # Rank 0 is the model that performs best.
    order = np.argsort(np.argsort(-y, kind="stable"), kind="stable")
    return float(stats.weightedtau(x, y, rank=order).statistic)


def _pair(scores: ArrayLike, performance: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    x, y = np.asarray(scores, dtype=float), np.asarray(performance, dtype=float)
    if x.shape != y.shape or x.ndim != 1 or len(x) < 3:
        raise DataError(f"expected scores of three models or more, got {x.shape} and {y.shape}")
    if not (np.isfinite(x).all() and np.isfinite(y).all()) or np.ptp(y) == 0:
        raise DataError("scores and performances must be finite, and performances must differ")
    return x, y


@cache
def chance_tau(models: int) -> np.ndarray:
    """Return the weighted tau of every order of up to 7 models: what luck alone gives.

    Returns:
        Sorted. Shape: (models!,).

    Raises:
        DataError: fewer than 3 models or more than 7.
    """
    if not 3 <= models <= 7:
        raise DataError(f"3 to 7 models, not {models}")
    truth = np.arange(models)
    found = np.sort([weighted_tau(order, truth) for order in permutations(range(models))])
    found.flags.writeable = False  # shared by all callers
    return found
