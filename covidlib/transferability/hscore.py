"""H-score: how much of the features' variance the label means explain.

Both versions invert nothing: the class means lie in the span of the images, so a singular value
decomposition of the centred features is enough.
"""

import numpy as np
from numpy.typing import ArrayLike
from sklearn.covariance import ledoit_wolf_shrinkage

from covidlib.transferability.inputs import as_features, one_hot, thin_svd


def h_score(features: ArrayLike, targets: ArrayLike) -> float:
    """Return tr(S^+ S_B) (Bao et al. 2019).

    S is the covariance of the features and S_B that of their class means, both divided by N, and
    S^+ the pseudo-inverse. It equals the sum of squared canonical correlations of features and
    class indicators; for two classes, the R^2 of a linear regression of the label.

    Args:
        features: Shape: (N, D).
        targets: Shape: (N,).

    Returns:
        Between 0 and min(K - 1, D). It is K - 1 whatever the labels are once the centred features
        have rank N - 1, as they have with more features than images.
    """
    values, labels = as_features(features, targets)
    u, s, _ = thin_svd(values - values.mean(axis=0))
    return float(_explained(u, labels).sum()) if len(s) else 0.0


def regularised_h_score(features: ArrayLike, targets: ArrayLike) -> float:
    """Return (1 - a) tr(S_a^-1 S_B) with Ledoit and Wolf's shrinkage a (Ibrahim et al. 2021).

    S_a = (1 - a) S + a (tr S / D) I.

    Args:
        features: Shape: (N, D).
        targets: Shape: (N,).

    Returns:
        Between 0 and the H-score.
    """
    values, labels = as_features(features, targets)
    centred = values - values.mean(axis=0)
    u, s, _ = thin_svd(centred)
    if not len(s):
        return 0.0
    n, d = values.shape
    variance = s**2 / n
    a = ledoit_wolf_shrinkage(centred, assume_centered=True)
    kept = (1 - a) * variance
    return float((_explained(u, labels) * kept / (kept + a * variance.sum() / d)).sum())


def _explained(u: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the share of each unit column of u that the class means explain. Shape: (R,)."""
    groups = one_hot(labels)
    return ((groups.T @ u) ** 2 / groups.sum(axis=0)[:, None]).sum(axis=0)
