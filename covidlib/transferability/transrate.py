"""TransRate: what coding the classes apart saves (Huang et al. 2022)."""

import numpy as np
from numpy.typing import ArrayLike

from covidlib.errors import DataError
from covidlib.transferability.inputs import as_features


def coding_rate(features: np.ndarray, epsilon: float) -> float:
    """Return 1/2 log det(I + F^T F / (n epsilon)) (Huang et al. 2022), in nats.

    The determinant is taken of the smaller of F^T F and F F^T; they agree.

    Args:
        features: Shape: (N, D).
        epsilon: distortion that is allowed, above 0.
    """
    n, d = features.shape
    product = features.T @ features if d <= n else features @ features.T
    sign, value = np.linalg.slogdet(np.eye(len(product)) + product / (n * epsilon))
    if sign <= 0:
        raise DataError("the coding rate is undefined: the determinant is not positive")
    return 0.5 * float(value)


def transrate(
    features: ArrayLike,
    targets: ArrayLike,
    *,
    epsilon: float = 1e-4,
    weighting: str = "equal",
    centre_classes: bool = False,
) -> float:
    """Return R(F) - mean over classes of R(F_c), F without its mean (Huang et al. 2022).

    The paper removes the mean of all images only, so a class is coded around the common mean. With
    two classes of equal size and covariance both then look like the whole, whatever lies between
    their means, and the score is 0.

    Args:
        features: Shape: (N, D).
        targets: Shape: (N,).
        epsilon: allowed distortion; the paper's listing has 1e-4.
        weighting: "equal" weighs classes alike, as the paper's listing does; "share" by their
            images, which makes the score at least 0 (log det is concave).
        centre_classes: code each class around its own mean (ours), which sees such classes.

    Returns:
        Nats. It depends on the features' scale: halving them is quadrupling epsilon.

    Raises:
        DataError: epsilon is not above 0, or the weighting is unknown.
    """
    values, labels = as_features(features, targets)
    if epsilon <= 0 or weighting not in ("equal", "share"):
        raise DataError(f"epsilon {epsilon} or weighting {weighting!r} is not allowed")
    centred = values - values.mean(axis=0)
    counts = np.bincount(labels)
    weights = np.ones(len(counts)) if weighting == "equal" else counts
    classes = [centred[labels == c] for c in range(len(counts))]
    if centre_classes:
        classes = [rows - rows.mean(axis=0) for rows in classes]
    parts = [coding_rate(rows, epsilon) for rows in classes]
    return coding_rate(centred, epsilon) - float(np.average(parts, weights=weights))
