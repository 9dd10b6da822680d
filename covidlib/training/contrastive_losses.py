"""Losses of contrastive learning, and how to see a collapse: functions of unit vectors."""

import torch
import torch.nn.functional as F
from torch import Tensor

from covidlib.settings.contrastive import Tempered


def info_nce(
    queries: Tensor,
    keys: Tensor,
    negatives: Tensor,
    temperature: float,
    tempered: Tempered = "all",
    ignore: Tensor | None = None,
) -> Tensor:
    """Return the contrastive loss of equation 2 (msatl sec. 5.2), the mean over queries.

    The log-loss of an (n + 1)-way softmax that should choose the query's own key.

    Args:
        queries: unit vectors x_q. Shape: (N, D).
        keys: unit vectors x_k+, the other view of the same images. Shape: (N, D).
        negatives: unit vectors x_k-. Shape: (Q, D).
        temperature: tau.
        tempered: "all" divides every similarity by tau, "positive" that of the own key only, as
            equation 2 is printed.
        ignore: negatives that a query leaves out. Shape: (N, Q), bool.
    """
    with torch.autocast(queries.device.type, enabled=False):  # 1/tau would enlarge its rounding
        positive = (queries.float() * keys.float()).sum(1, keepdim=True) / temperature
        negative = queries.float() @ negatives.float().T  # (N, Q)
        if tempered == "all":
            negative = negative / temperature
        if ignore is not None:
            negative = negative.masked_fill(ignore, -torch.inf)
        logits = torch.cat([positive, negative], 1)
        return (logits.logsumexp(1) - positive[:, 0]).mean()


def nt_xent(first: Tensor, second: Tensor, temperature: float) -> Tensor:
    """Return SimCLR's loss, the mean over all 2 N vectors (Chen et al. 2020, equation 1).

    For each vector the other view of its image is the positive one, and the 2 (N - 1) vectors of
    the other images are the negative ones.

    Args:
        first, second: unit vectors of two views of the same images. Shape: (N, D).
        temperature: tau.
    """
    with torch.autocast(first.device.type, enabled=False):
        both = torch.cat([first, second]).float()  # (2 N, D)
        similarity = both @ both.T / temperature
        itself = torch.eye(len(both), dtype=torch.bool, device=both.device)
        partner = torch.arange(len(both), device=both.device).roll(len(first))
        return F.cross_entropy(similarity.masked_fill(itself, -torch.inf), partner)


def region_aware(logits: Tensor) -> Tensor:
    """Return the region-aware loss of each image, equation 5 (msatl sec. 5.3): (N,).

    Args:
        logits: of the shared classifier for each region, whose class is its place. Shape:
            (N, M, M).
    """
    places = torch.arange(logits.shape[1], device=logits.device).expand(logits.shape[:2])
    each = F.cross_entropy(logits.float().flatten(0, 1), places.flatten(), reduction="none")
    return each.view(logits.shape[:2]).sum(1)


def spread(vectors: Tensor) -> Tensor:
    """Return how far unit vectors fill their sphere: 0 if all are equal, 1 if spread evenly.

    The root of the mean variance per axis, times the root of D.

    Args:
        vectors: Shape: (N, D).
    """
    variance = vectors.double().var(0, correction=0).mean()
    return (variance * vectors.shape[1]).sqrt()


def effective_rank(vectors: Tensor) -> Tensor:
    """Return in how many directions vectors vary (Roy and Vetterli 2007).

    The exponential of the entropy of the centred vectors' singular values: d for d equal ones, and
    0 where nothing varies.

    Args:
        vectors: Shape: (N, D).
    """
    centred = vectors.double() - vectors.double().mean(0)
    singular = torch.linalg.svdvals(centred)
    share = singular / singular.sum().clamp_min(1e-12)
    rank = torch.special.entr(share).sum().exp()
    return torch.where(singular.sum() > 1e-6, rank, torch.zeros_like(rank))


def neighbours_vote(
    bank: Tensor, labels: Tensor, queries: Tensor, neighbours: int, classes: int
) -> Tensor:
    """Return the share of each class among the most similar vectors of a bank.

    Args:
        bank: Shape: (N, D).
        labels: class numbers of the bank. Shape: (N,).
        queries: Shape: (M, D).
        neighbours: how many vote; all of the bank if it has fewer.
        classes: how many there are.

    Returns:
        float64. Shape: (M, classes).
    """
    similarity = F.normalize(queries.float(), dim=1) @ F.normalize(bank.float(), dim=1).T
    nearest = similarity.topk(min(neighbours, len(bank)), dim=1).indices
    return F.one_hot(labels[nearest], classes).double().mean(1)
