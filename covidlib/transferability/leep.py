"""LEEP, NCE and their bounds (Nguyen et al. 2020; Tran et al. 2019; msatl eq. 7)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import entropy

from covidlib.errors import DataError
from covidlib.transferability.inputs import as_labels, as_probabilities, one_hot

BASES = {"nats": np.e, "bits": 2.0}


def joint(source_probs: ArrayLike, targets: ArrayLike) -> np.ndarray:
    """Return the empirical joint distribution of target label and source class.

    P(y, z) = mean over images of [y_i = y] theta(x_i)_z (Nguyen et al. 2020, sec. 3).

    Args:
        source_probs: posteriors theta of the source classes. Shape: (N, Z).
        targets: labels. Shape: (N,).

    Returns:
        Entries at least 0, sum 1. Shape: (K, Z).
    """
    theta = as_probabilities(source_probs)
    labels = as_labels(targets, len(theta))
    return one_hot(labels).T @ theta / len(theta)


def conditional(source_probs: ArrayLike, targets: ArrayLike) -> np.ndarray:
    """Return P(y | z), columns that sum to 1.

    A source class without mass says nothing about labels; its column is the label distribution,
    and no score depends on it.

    Returns:
        Shape: (K, Z).
    """
    both = joint(source_probs, targets)
    mass = both.sum(axis=0)
    prior = np.broadcast_to(both.sum(axis=1, keepdims=True), both.shape)
    return np.divide(both, mass, out=prior.copy(), where=mass > 0)


def predictor(source_probs: ArrayLike, targets: ArrayLike) -> np.ndarray:
    """Return the expected empirical predictor, p(y | x) = sum_z P(y | z) theta(x)_z.

    The rows are in the order of ``source_probs``, the columns in the sorted order of the labels.

    Returns:
        Rows sum to 1. Shape: (N, K).
    """
    return as_probabilities(source_probs) @ conditional(source_probs, targets).T


def leep(
    source_probs: ArrayLike,
    targets: ArrayLike,
    *,
    unit: str = "nats",
) -> float:
    """Score how well a source model's outputs predict new labels (Nguyen et al. 2020, eq. 2).

    P(y | z) is estimated on the scored images themselves, so the sum of image i holds at least the
    share that the image put there itself, sum_z theta_z^2 / (N P(z)), which is 1/N or more (Cauchy
    and Schwarz): each term is at least -log N.

    Args:
        source_probs: rows sum to 1. Shape: (N, Z).
        targets: labels. Shape: (N,).
        unit: "nats" or "bits".

    Returns:
        Mean log-likelihood, at most 0 and at least minus the label entropy.

    Raises:
        DataError: arrays that do not fit, or an unknown unit.

    >>> leep(np.eye(2), np.array([0, 1]))
    0.0
    >>> round(leep(np.full((4, 3), 1 / 3), np.array([0, 0, 0, 1])), 5)
    -0.56234
    """
    theta = as_probabilities(source_probs)
    labels = as_labels(targets, len(theta))
    likelihood = np.einsum("nz,nz->n", theta, conditional(theta, labels)[labels])
    # A sum of rounded shares may exceed 1 by an ulp, and a score must not exceed 0.
    return float(np.log(np.minimum(likelihood, 1.0)).mean() / np.log(_base(unit)))


def _base(unit: str) -> float:
    if unit not in BASES:
        raise DataError(f"unknown unit {unit!r}, expected one of {list(BASES)}")
    return BASES[unit]


def label_entropy(targets: ArrayLike, unit: str = "nats") -> float:
    """Return H(Y) of the labels' own shares, at most log K."""
    labels = as_labels(targets, len(np.asarray(targets)))
    return float(entropy(np.bincount(labels), base=_base(unit)))


def conditional_entropy(source_probs: ArrayLike, targets: ArrayLike, unit: str = "nats") -> float:
    """Return H(Y | Z~), where Z~ is drawn from the source posterior of an image.

    Args:
        source_probs: Shape: (N, Z).
        targets: Shape: (N,).
        unit: "nats" or "bits".

    Returns:
        Between 0 and H(Y). Minus this is what LEEP is never below.
    """
    mass = joint(source_probs, targets).sum(axis=0)
    return float(mass @ entropy(conditional(source_probs, targets), base=_base(unit)))


def nce(source_labels: ArrayLike, targets: ArrayLike, unit: str = "nats") -> float:
    """Return the negative conditional entropy -H(Y | Z) (Tran et al. 2019).

    Args:
        source_labels: hard source classes, usually the argmax of the posterior. Shape: (N,).
        targets: Shape: (N,).
        unit: "nats" or "bits".

    Returns:
        Between -H(Y) and 0; equal to LEEP where the posterior is one-hot.
    """
    hard = as_labels(source_labels, len(np.asarray(source_labels)))
    return -conditional_entropy(one_hot(hard), targets, unit) + 0.0


def information_gain(source_probs: ArrayLike, targets: ArrayLike, unit: str = "nats") -> float:
    """Return LEEP + H(Y): what the source's outputs add to knowing the class shares, at least 0."""
    return max(0.0, leep(source_probs, targets, unit=unit) + label_entropy(targets, unit))


@dataclass(frozen=True)
class Bounds:
    """LEEP between its bounds, all in one unit: -H(Y) <= -H(Y | Z~) <= LEEP <= 0.

    Args:
        leep: the score.
        soft: -H(Y | Z~).
        prior: -H(Y).
        nce: -H(Y | argmax), no bound, for comparison.
        accuracy: share of images whose label the predictor finds most probable; of labels that
            tie, each counts its share.
        unit: "nats" or "bits".
    """

    leep: float
    soft: float
    prior: float
    nce: float
    accuracy: float
    unit: str


def bounds(source_probs: ArrayLike, targets: ArrayLike, unit: str = "nats") -> Bounds:
    """Return LEEP with its bounds and its hard relative."""
    theta = as_probabilities(source_probs)
    labels = as_labels(targets, len(theta))
    chance = predictor(theta, labels)
    best = chance >= chance.max(axis=1, keepdims=True) - 1e-12  # equal up to rounding
    hits = best[np.arange(len(labels)), labels] / best.sum(axis=1)
    return Bounds(
        leep(theta, labels, unit=unit),
        -conditional_entropy(theta, labels, unit),
        -label_entropy(labels, unit),
        nce(theta.argmax(axis=1), labels, unit),
        float(hits.mean()),
        unit,
    )
