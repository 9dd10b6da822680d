"""What a score must beat: neighbours, a linear probe, the size of the network."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from covidlib.errors import DataError
from covidlib.transferability.inputs import as_features, one_hot

if TYPE_CHECKING:
    from torch.nn import Module


def neighbour_accuracy(
    features: ArrayLike, targets: ArrayLike, *, neighbours: int = 5, groups: ArrayLike | None = None
) -> float:
    """Return the accuracy of the vote of the nearest other images, by cosine.

    Args:
        features: Shape: (N, D).
        targets: Shape: (N,).
        neighbours: how many vote; a tie goes to the class of the nearest among the tied.
        groups: images of one group (a patient) do not vote for each other. Shape: (N,).

    Raises:
        DataError: an image has fewer other images than that.
    """
    values, labels = as_features(features, targets)
    lengths = np.linalg.norm(values, axis=1, keepdims=True)
    unit = np.divide(values, lengths, out=np.zeros_like(values), where=lengths > 0)
    alike = unit @ unit.T
    who = np.arange(len(labels)) if groups is None else np.asarray(groups).astype(str)
    alike[who[:, None] == who[None]] = -np.inf
    order = np.argsort(-alike, axis=1, kind="stable")[:, :neighbours]
    if neighbours < 1 or np.isinf(np.take_along_axis(alike, order, axis=1)).any():
        raise DataError(f"an image has fewer than {neighbours} images of other groups")
    indicators = one_hot(labels)[order]  # (N, neighbours, K)
    # All additions together stay below half a vote: they decide ties and nothing else.
    weights = 1 + 0.5 ** np.arange(2, neighbours + 2)
    votes = np.einsum("nvk,v->nk", indicators, weights)
    return float((votes.argmax(axis=1) == labels).mean())


def linear_probe(
    features: ArrayLike,
    targets: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    folds: int = 5,
    strength: float = 1.0,
    seed: int = 0,
) -> np.ndarray:
    """Return out-of-fold probabilities of a logistic regression on standardised features.

    Args:
        features: Shape: (N, D).
        targets: Shape: (N,).
        groups: images of one group stay in one fold. Shape: (N,).
        folds: how many.
        strength: of the penalty on the weights; larger is stricter.
        seed: of the folds.

    Returns:
        Rows sum to 1, columns in the sorted order of the labels. Shape: (N, K).

    Raises:
        DataError: a class has fewer images (or groups) than there are folds.
    """
    values, labels = as_features(features, targets)
    who = np.arange(len(labels)) if groups is None else np.asarray(groups).astype(str)
    fewest = min(len(set(who[labels == c])) for c in range(labels.max() + 1))
    if fewest < folds:
        raise DataError(f"a class has {fewest} images or groups, fewer than {folds} folds")
    kind = StratifiedKFold if groups is None else StratifiedGroupKFold
    together = None if groups is None else who
    probabilities = np.empty((len(labels), labels.max() + 1))
    for train, test in kind(folds, shuffle=True, random_state=seed).split(values, labels, together):
        model = make_pipeline(
            StandardScaler(), LogisticRegression(C=1 / strength, max_iter=2000)
        ).fit(values[train], labels[train])
        probabilities[test] = model.predict_proba(values[test])
    return probabilities


def probe_accuracy(features: ArrayLike, targets: ArrayLike, **options: object) -> float:
    """Return the accuracy of ``linear_probe``, with its options."""
    _, labels = as_features(features, targets)
    return float((linear_probe(features, targets, **options).argmax(axis=1) == labels).mean())


def parameter_count(network: "Module") -> int:
    """Return how many trained numbers a network has: the cheapest score of all."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad)
