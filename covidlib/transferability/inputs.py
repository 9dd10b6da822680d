"""What every score is given: checked, in float64, with classes numbered from 0."""

import numpy as np
from numpy.typing import ArrayLike

from covidlib.errors import DataError


def as_labels(targets: ArrayLike, images: int) -> np.ndarray:
    """Return labels numbered 0..K-1 in sorted order of the given ones.

    Args:
        targets: whole numbers or strings, one per image; -1 is not a label. Shape: (N,).
        images: the N that is expected.

    Raises:
        DataError: another length, no image, a missing label.
    """
    given = np.asarray(targets)
    if given.shape != (images,) or not images:
        raise DataError(f"expected {images} labels, at least one, got shape {given.shape}")
    if given.dtype.kind not in "iubUS":
        raise DataError(f"labels are whole numbers or strings, not {given.dtype}")
    if given.dtype.kind == "i" and (given < 0).any():
        raise DataError("a label is below 0: images without a label have no score")
    return np.unique(given, return_inverse=True)[1]


def as_probabilities(source_probs: ArrayLike) -> np.ndarray:
    """Return source posteriors in float64, rows rescaled to sum to 1 exactly.

    Args:
        source_probs: each row a distribution, as a float32 softmax gives it. Shape: (N, Z).

    Raises:
        DataError: not a matrix, a value outside [0, 1] or not finite, a sum off by over 1e-3.
    """
    probs = np.asarray(source_probs, dtype=np.float64)
    if probs.ndim != 2 or 0 in probs.shape:
        raise DataError(f"expected probabilities of shape (N, Z), got {probs.shape}")
    if not np.isfinite(probs).all() or probs.min() < 0:
        raise DataError("probabilities must be finite and not below 0; are these logits?")
    total = probs.sum(axis=1, keepdims=True)
    if np.abs(total - 1).max() > 1e-3:
        raise DataError(f"rows must sum to 1, one sums to {total[np.abs(total - 1).argmax(), 0]:g}")
    return probs / total


def as_features(features: ArrayLike, targets: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Return features in float64 and labels numbered from 0.

    Args:
        features: one row per image. Shape: (N, D).
        targets: Shape: (N,).

    Raises:
        DataError: not a matrix, values that are not finite, fewer than two classes.
    """
    values = np.asarray(features, dtype=np.float64)
    if values.ndim != 2 or 0 in values.shape:
        raise DataError(f"expected features of shape (N, D), got {values.shape}")
    if not np.isfinite(values).all():
        raise DataError("a feature is not finite")
    labels = as_labels(targets, len(values))
    if labels.max() < 1:
        raise DataError("all images have one label: nothing to tell apart")
    return values, labels


def one_hot(labels: np.ndarray, classes: int | None = None) -> np.ndarray:
    """Return indicator rows. Shape: (N, K).

    >>> one_hot(np.array([1, 0]))
    array([[0., 1.],
           [1., 0.]])
    """
    return np.eye(int(labels.max()) + 1 if classes is None else classes)[labels]


def thin_svd(features: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return U, s, V^T of a matrix without the directions that are zero up to rounding.

    Args:
        features: Shape: (N, D).

    Returns:
        Shapes: (N, R), (R,), (R, D) with R the rank.
    """
    u, s, vt = np.linalg.svd(features, full_matrices=False)
    rank = int((s > s[0] * max(features.shape) * np.finfo(float).eps).sum())
    return u[:, :rank], s[:rank], vt[:rank]


def principal(features: np.ndarray, keep: float | int) -> np.ndarray:
    """Return the leading principal components of the images.

    Args:
        features: Shape: (N, D).
        keep: a share of the variance below 1 ("at least"), or how many components at most.

    Raises:
        DataError: features do not vary.
    """
    u, s, _ = thin_svd(features - features.mean(axis=0))
    # A constant column leaves rounding errors behind, not zeros.
    if not len(s) or s[0] <= 1e-12 * np.abs(features).max() * np.sqrt(features.size):
        raise DataError("the features are the same for all images")
    if isinstance(keep, float):
        share = np.cumsum(s**2) / (s**2).sum()
        count = int(np.searchsorted(share, keep - 1e-12)) + 1
    else:
        count = keep
    return (u * s)[:, :count]
