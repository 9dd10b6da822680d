"""How large a rate may be before gradient descent with momentum leaves its start."""

import torch
from torch import Tensor


def sharpness(features: Tensor, classes: int, bias: bool = True) -> float:
    """Return the largest curvature of the cross-entropy of a linear classifier that knows nothing.

    Where all classes are equally likely, the second derivative with respect to the weights is that
    with respect to the logits, whose largest eigenvalue is 1/K, times the second moment of the
    features. The curvature of a whole network is at least that of its last layer.

    Args:
        features: what the classifier sees. Shape: (N, D).
        classes: K.
        bias: whether the classifier has one, a feature that is 1 everywhere.
    """
    seen = features.double()
    if bias:
        seen = torch.cat([seen, torch.ones_like(seen[:, :1])], 1)
    # As many numbers as images, not as features: both products have the same largest one.
    return float(torch.linalg.eigvalsh(seen @ seen.T / len(seen))[-1]) / classes


def largest_rate(curvature: float, momentum: float) -> float:
    """Return the rate above which gradient descent with momentum oscillates more and more.

    On a quadratic of this curvature it is 2 (1 + β) / λ (Polyak 1964).

    >>> largest_rate(curvature=4.0, momentum=0.0)
    0.5
    """
    return 2 * (1 + momentum) / curvature
