"""SFDA: a regularised Fisher discriminant that is made to face harder images (Shao et al. 2022).

The projection U of the paper fulfils U^T S U = I for the regularised within-class covariance S, so
that U U^T = S^-1 and its class probabilities are those of linear discriminant analysis with S. S is
applied through the singular values of the images, without a D x D matrix.
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import log_softmax, softmax

from covidlib.errors import DataError
from covidlib.transferability.inputs import as_features, one_hot, thin_svd

STRENGTH = 5.0  # "a" in lambda = exp(-a sigma(S_W)); the authors' code
SMALLEST = 1e-10  # lambda in the authors' code


def regularisation(spread: float, strength: float = STRENGTH) -> float:
    """Return lambda = exp(-a sigma), sigma the largest eigenvalue of S_W, at least 1e-10.

    >>> regularisation(0.0), regularisation(1e6)
    (1.0, 1e-10)
    """
    return float(max(np.exp(-strength * spread), SMALLEST))


def discriminant(
    features: np.ndarray, labels: np.ndarray, penalty: float | None = None
) -> tuple[np.ndarray, float]:
    """Return log p(y | x) of the regularised discriminant on its own images, and lambda.

    S = (1 - lambda) S_W + lambda I with S_W the mean of the class covariances, weighted by their
    images. (The authors' code multiplies I by tr(S_W) / D.)

    Args:
        features: Shape: (N, D).
        labels: 0..K-1, all of them present. Shape: (N,).
        penalty: lambda in (0, 1]; from the largest eigenvalue of S_W by default.

    Returns:
        Shape: (N, K); and lambda.

    Raises:
        DataError: lambda is not in (0, 1].
    """
    groups = one_hot(labels)
    share = groups.mean(axis=0)
    means = groups.T @ features / groups.sum(axis=0)[:, None]
    inside = features - means[labels]
    _, s, vt = thin_svd(inside) if np.any(inside) else (None, np.zeros(1), np.zeros_like(means[:1]))
    variance = s**2 / len(features)
    lam = regularisation(variance[0]) if penalty is None else penalty
    if not 0 < lam <= 1:
        raise DataError(f"lambda lies in (0, 1], not {lam}")
    # S^-1 m = m / lambda + V (1 / ((1 - lambda) v + lambda) - 1 / lambda) V^T m
    change = 1 / ((1 - lam) * variance + lam) - 1 / lam
    weights = means / lam + (means @ vt.T * change) @ vt  # (K, D)
    offset = np.log(share) - 0.5 * (weights * means).sum(axis=1)
    return log_softmax(features @ weights.T + offset, axis=1), lam


def confidence_mix(
    features: np.ndarray, labels: np.ndarray, log_probs: np.ndarray, soften: bool = True
) -> np.ndarray:
    """Move each image towards the other classes by how uncertain it is (ConfMix).

    x' = p x + (1 - p) m, p the probability of the image's own class and m the mean of the other
    classes' means.

    Args:
        features: Shape: (N, D).
        labels: Shape: (N,).
        log_probs: log p(y | x). Shape: (N, K).
        soften: pass the probabilities through a second softmax, as the authors' code does.
    """
    groups = one_hot(labels)
    means = groups.T @ features / groups.sum(axis=0)[:, None]
    others = (means.sum(axis=0) - means) / (len(means) - 1)
    chances = np.exp(log_probs)
    chances = softmax(chances, axis=1) if soften else chances
    own = chances[np.arange(len(labels)), labels][:, None]
    return own * features + (1 - own) * others[labels]


def sfda(features: ArrayLike, targets: ArrayLike, *, soften: bool = True) -> float:
    """Return the mean log p(y | x) after ConfMix (Shao et al. 2022).

    The authors' code leaves the logarithm out; here it is taken, as in the paper. The lambda of
    the first discriminant serves the second.

    Args:
        features: Shape: (N, D).
        targets: Shape: (N,).
        soften: see ``confidence_mix``.

    Returns:
        Nats, at most 0. It depends on the scale of the features, through lambda. It is 0 whatever
        the labels are once there are more features than images and lambda is next to nothing.
    """
    values, labels = as_features(features, targets)
    values = values - values.mean(axis=0)  # changes no probability, keeps products small
    first, lam = discriminant(values, labels)
    mixed = confidence_mix(values, labels, first, soften)
    final, _ = discriminant(mixed, labels, lam)
    return float(final[np.arange(len(labels)), labels].mean())
