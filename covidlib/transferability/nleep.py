"""N-LEEP: LEEP for models without a source head (Li et al. 2021)."""

import numpy as np
from numpy.typing import ArrayLike
from sklearn.mixture import GaussianMixture

from covidlib.errors import DataError
from covidlib.transferability.inputs import as_features, principal
from covidlib.transferability.leep import leep


def mixture_posteriors(
    features: np.ndarray, components: int, covariance: str = "diag", seed: int = 0
) -> np.ndarray:
    """Return each image's probability of having come from each component of a Gaussian mixture.

    Args:
        features: Shape: (N, D).
        components: V, at most N.
        covariance: "diag" (ours: 425 images do not fill full matrices), "full" or "spherical".
        seed: of the k-means start.

    Returns:
        Rows sum to 1. Shape: (N, V).

    Raises:
        DataError: more components than images.
    """
    if components > len(features):
        raise DataError(f"{components} components need as many images, not {len(features)}")
    # Variances are floored relative to the features' own scale, so the scale does not matter.
    scaled = features / np.sqrt(features.var(axis=0).sum())
    mixture = GaussianMixture(
        components, covariance_type=covariance, random_state=seed, max_iter=200, reg_covar=1e-6
    )
    return mixture.fit(scaled).predict_proba(scaled)


def n_leep(
    features: ArrayLike,
    targets: ArrayLike,
    *,
    energy: float = 0.8,
    per_class: int = 5,
    covariance: str = "diag",
    seed: int = 0,
    unit: str = "nats",
) -> float:
    """Return LEEP with mixture components in place of source classes (Li et al. 2021).

    Args:
        features: Shape: (N, D).
        targets: Shape: (N,).
        energy: share of the variance that the principal components keep.
        per_class: components of the mixture per target class, 5 in the paper.
        covariance, seed: see ``mixture_posteriors``.
        unit: "nats" or "bits".

    Returns:
        Between -H(Y) and 0.
    """
    values, labels = as_features(features, targets)
    components = min(per_class * (int(labels.max()) + 1), len(values))
    theta = mixture_posteriors(principal(values, energy), components, covariance, seed)
    return leep(theta, labels, unit=unit)
