"""Soft-distance regularisation and its rival (magsd sec. 3.4, Algorithm 1)."""

import torch
from torch import LongTensor, Tensor


def in_space(logits: Tensor, space: str) -> Tensor:
    """Return logits (…, K) as they are ("logits"), or their softmax ("probabilities")."""
    return logits if space == "logits" else logits.softmax(-1)


def soft_labels(
    primary: Tensor,
    labels: LongTensor,
    confidence: float,
    *,
    agreeing: bool = False,
    smoothing: float = 0.0,
    space: str = "probabilities",
) -> Tensor:
    """Return P' of Algorithm 1: a confident primary prediction, else the label.

    Args:
        primary: logits of the primary view. Shape: (N, K).
        labels: class numbers. Shape: (N,).
        confidence: θ; a prediction is confident when its largest probability is above it.
        agreeing: whether a confident prediction must also be right (magsd's released code).
        smoothing: share of the label that is spread over all classes (0.01 in that code).
        space: what a confident prediction gives, its "probabilities" or its "logits".

    Returns:
        The target of every view, without gradient: (N, K).

    >>> sure, unsure = [2.0, 0.0], [0.1, 0.0]  # the first class has 0.88, and 0.52
    >>> soft_labels(torch.tensor([sure, unsure]), torch.tensor([1, 1]), 0.7)
    tensor([[0.8808, 0.1192],
            [0.0000, 1.0000]])
    """
    probabilities = primary.softmax(1)
    trusted = probabilities.amax(1) > confidence
    if agreeing:
        trusted &= probabilities.argmax(1) == labels
    truth = one_hot(labels, primary, smoothing)
    return torch.where(trusted[:, None], in_space(primary, space), truth).detach()


def one_hot(labels: LongTensor, like: Tensor, smoothing: float = 0.0) -> Tensor:
    """Return labels as distributions of the shape and type of ``like``, (N, K).

    >>> one_hot(torch.tensor([1]), torch.zeros(1, 2), smoothing=0.5).tolist()
    [[0.25, 0.75]]
    """
    classes = like.shape[1]
    # Not F.one_hot: on a CPU it reads the smallest label back.
    hit = labels[:, None] == torch.arange(classes, device=labels.device)
    return hit.to(like.dtype) * (1 - smoothing) + smoothing / classes


def soft_distance(target: Tensor, predictions: Tensor, weights: Tensor | None = None) -> Tensor:
    """Return how far each view's predictions are from the target (equation 6).

    Args:
        target: P', without gradient. Shape: (N, K).
        predictions: of V views, in the same space. Shape: (V, N, K).
        weights: what each image counts; None counts all the same. Shape: (N,).

    Returns:
        The mean absolute difference over images and classes, (V,).
    """
    return _mean((predictions - target).abs(), weights)


def l2_distance(target: Tensor, predictions: Tensor, weights: Tensor | None = None) -> Tensor:
    """Return the mean squared difference over images and classes, (V,); shapes as above."""
    return _mean((predictions - target).square(), weights)


def _mean(distances: Tensor, weights: Tensor | None) -> Tensor:
    if weights is None:
        return distances.mean((1, 2))
    return (distances.mean(2) * weights).mean(1)
