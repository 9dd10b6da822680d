"""Metrics of thousands of resamples at once.

A bootstrap resample is a weight per image: how often it was drawn. scikit-learn takes such weights
but one resample at a time, a millisecond each; here all resamples are rows of one matrix. The
tests hold every function to scikit-learn's value with ``sample_weight``.
"""

import numpy as np

from covidlib.errors import DataError
from covidlib.evaluation.predictions import Scored

CHUNK = 4_000_000  # weights in memory at a time, 32 MB


def draw(
    clusters: np.ndarray, strata: np.ndarray, resamples: int, rng: np.random.Generator
) -> np.ndarray:
    """Draw whole clusters with replacement, as many from each stratum as it has.

    Args:
        clusters: who belongs together. Shape: (N,).
        strata: the stratum of each image; a cluster belongs to the one most of its images have,
            the first in sorted order on a tie. Shape: (N,).
        resamples: how many to draw, R.
        rng: source of randomness.

    Returns:
        How often each image was drawn. Shape: (R, N).
    """
    _, member = np.unique(clusters.astype(str), return_inverse=True)
    kinds, kind = np.unique(strata.astype(str), return_inverse=True)
    votes = np.zeros((member.max() + 1, len(kinds)))
    np.add.at(votes, (member, kind), 1)
    stratum = votes.argmax(axis=1)
    times = np.empty((resamples, len(stratum)), dtype=np.uint16)
    for k in np.unique(stratum):
        inside = np.flatnonzero(stratum == k)
        shares = np.full(len(inside), 1 / len(inside))
        times[:, inside] = rng.multinomial(len(inside), shares, size=resamples)
    return times[:, member]


def weighted(s: Scored, metric: str, weights: np.ndarray) -> np.ndarray:
    """Compute a metric under each row of weights.

    Args:
        s: checked predictions of N images.
        metric: a name of ``METRICS``.
        weights: at least 0. Shape: (R, N).

    Returns:
        One value per row, NaN where the weights leave it undefined. Shape: (R,).
    """
    step = max(1, CHUNK // len(s))
    starts = range(0, len(weights), step)
    return np.concatenate(
        [_weighted(s, metric, weights[i : i + step].astype(float)) for i in starts]
    )


def _weighted(s: Scored, metric: str, weights: np.ndarray) -> np.ndarray:
    if metric in ("accuracy", "top1"):
        return _mean(weights, s.truth == s.predicted)
    if metric == "top5":
        # The same order as scikit-learn's top_k_accuracy_score, ties included.
        best = np.argsort(s.probabilities, axis=1, kind="stable")[:, ::-1][:, :5]
        return _mean(weights, (best == s.truth[:, None]).any(axis=1))
    if metric == "auc":
        wanted = [1] if s.binary else range(len(s.classes))
        areas = [weighted_auc(s.truth == k, s.probabilities[:, k], weights) for k in wanted]
        return np.mean(areas, axis=0)
    return _from_counts(s, metric, weights)


def _mean(weights: np.ndarray, hits: np.ndarray) -> np.ndarray:
    return _ratio(weights @ hits.astype(float), weights.sum(axis=1))


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    return np.divide(above, below, out=np.full(np.shape(above), np.nan), where=below > 0)


def _from_counts(s: Scored, metric: str, weights: np.ndarray) -> np.ndarray:
    """Ratios of weighted counts: F1, sensitivity, specificity, precision."""
    numbers = np.arange(len(s.classes))
    actual = (s.truth[:, None] == numbers).astype(float)
    chosen = (s.predicted[:, None] == numbers).astype(float)
    hit = weights @ (actual * chosen)  # (R, K)
    real, given = weights @ actual, weights @ chosen
    total = weights.sum(axis=1, keepdims=True)
    values = {
        "f1": (2 * hit, real + given),
        "f1_macro": (2 * hit, real + given),
        "sensitivity": (hit, real),
        "specificity": (total - real - given + hit, total - real),
        "precision": (hit, given),
    }
    if metric not in values:
        raise DataError(f"unknown metric {metric!r}")
    ratios = _ratio(*values[metric])
    return ratios[:, 1] if s.binary and metric != "f1_macro" else ratios.mean(axis=1)


def f1_by_class(s: Scored, weights: np.ndarray) -> np.ndarray:
    """Return the F1 of each class against the rest under each row of weights.

    Returns:
        0 where a class is there and never right, NaN where it is neither there nor given. Shape:
        (R, K).
    """
    numbers = np.arange(len(s.classes))
    actual = (s.truth[:, None] == numbers).astype(float)
    chosen = (s.predicted[:, None] == numbers).astype(float)
    return _ratio(2 * (weights @ (actual * chosen)), weights @ actual + weights @ chosen)


def recall_by_class(truth: np.ndarray, named: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the share of each class that is named rightly under each row of weights.

    Args:
        truth, named: classes of N images, as numbers or names. Shape: (N,).
        weights: Shape: (R, N).

    Returns:
        A column per class that ``truth`` holds, sorted; NaN where none of it is drawn. Shape:
        (R, K).
    """
    actual = (truth[:, None] == np.unique(truth)).astype(float)
    return _ratio(weights @ (actual * (truth == named)[:, None]), weights @ actual)


def weighted_auc(positive: np.ndarray, values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Area under the ROC curve under each row of weights: P(positive scores higher) + P(tie)/2.

    Args:
        positive: whether each image is positive. Shape: (N,).
        values: the score of each image. Shape: (N,).
        weights: Shape: (R, N).

    Returns:
        Shape: (R,).
    """
    above, below = _by_threshold(positive, values, weights)
    beaten = np.cumsum(below, axis=1) - below / 2
    return _ratio((above * beaten).sum(axis=1), above.sum(axis=1) * below.sum(axis=1))


def _by_threshold(
    positive: np.ndarray, values: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Sum the weights of positives and negatives per distinct score, ascending. (R, groups)."""
    order = np.argsort(values, kind="stable")
    first = np.flatnonzero(np.r_[True, np.diff(values[order]) > 0])  # where a tied group begins
    ranked, sign = weights[:, order].astype(float), positive[order].astype(float)
    return (
        np.add.reduceat(ranked * sign, first, axis=1),
        np.add.reduceat(ranked * (1 - sign), first, axis=1),
    )


def read_curves(
    positive: np.ndarray, values: np.ndarray, weights: np.ndarray, grid: np.ndarray
) -> np.ndarray:
    """Read the true-positive rate of each resample's ROC curve at given false-positive rates.

    At a vertical step the upper end is read: the best rate reached without more false positives.

    Args:
        positive, values, weights: see ``weighted_auc``.
        grid: false-positive rates, ascending in [0, 1]. Shape: (G,).

    Returns:
        NaN for a resample without positives or without negatives. Shape: (R, G).
    """
    above, below = _by_threshold(positive, values, weights)
    start = np.zeros((len(weights), 1))
    tpr = np.hstack([start, np.cumsum(above[:, ::-1], axis=1)])
    fpr = np.hstack([start, np.cumsum(below[:, ::-1], axis=1)])
    tpr, fpr = _ratio(tpr, tpr[:, -1:] + 0 * tpr), _ratio(fpr, fpr[:, -1:] + 0 * fpr)
    return np.stack([np.interp(grid, x, y) for x, y in zip(fpr, tpr, strict=True)])
