"""GBC: how far Gaussian classes overlap (Pandy et al. 2022)."""

from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike

from covidlib.errors import DataError
from covidlib.transferability.inputs import as_features, principal

FLOOR = 1e-6  # of a variance, as a share of the mean variance


def bhattacharyya(
    mean: np.ndarray, variance: np.ndarray, other_mean: np.ndarray, other_variance: np.ndarray
) -> float:
    """Return -log of the integral of sqrt(p q), p and q Gaussians with diagonal covariance.

    Args:
        mean, variance: of the first. Shape: (D,).
        other_mean, other_variance: of the second. Shape: (D,).
    """
    middle = (variance + other_variance) / 2
    apart = ((mean - other_mean) ** 2 / middle).sum() / 8
    return float(apart + 0.5 * np.log(middle / np.sqrt(variance * other_variance)).sum())


def gbc(
    features: ArrayLike,
    targets: ArrayLike,
    *,
    components: int = 64,
    covariance: str = "spherical",
) -> float:
    """Return minus the summed overlap of all ordered pairs of classes (Pandy et al. 2022).

    Args:
        features: Shape: (N, D).
        targets: Shape: (N,).
        components: principal components that are kept, 64 in the paper.
        covariance: "spherical", one variance per class, as the paper recommends; or "diagonal".

    Returns:
        Between -K (K - 1), classes alike, and 0, classes apart.

    Raises:
        DataError: unknown covariance, or features that do not vary.
    """
    if covariance not in ("spherical", "diagonal"):
        raise DataError(f"unknown covariance {covariance!r}")
    values, labels = as_features(features, targets)
    reduced = principal(values, components)
    floor = FLOOR * reduced.var(axis=0).mean()
    groups = [reduced[labels == c] for c in range(labels.max() + 1)]
    means = [group.mean(axis=0) for group in groups]
    spreads = [group.var(axis=0) for group in groups]
    if covariance == "spherical":
        spreads = [np.full_like(spread, spread.mean()) for spread in spreads]
    # A class of one image has no variance; its distance stays finite.
    spreads = [np.maximum(spread, floor) for spread in spreads]
    distances = (
        bhattacharyya(means[a], spreads[a], means[b], spreads[b])
        for a, b in combinations(range(len(groups)), 2)
    )
    return -2 * float(sum(np.exp(-distance) for distance in distances))
