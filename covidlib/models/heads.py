"""What stands between pooled features and logits."""

import torch
from torch import Tensor, nn


def in_float32(classifier: nn.Module, features: Tensor) -> Tensor:
    """Classify features in float32, whatever the precision around.

    Needed where there are tens of thousands of them: bfloat16 keeps three digits of each product,
    and oneDNN's bfloat16 product of 65,536 features with few rows divides by zero, which ends the
    process (torch 2.13 on a CPU with AMX; about 16 rows, two classes).

    Args:
        classifier: takes the features; its weights are float32.
        features: (N, D).

    Returns:
        Logits in float32, (N, K).
    """
    with torch.autocast("cuda" if features.is_cuda else "cpu", enabled=False):
        return classifier(features.float())
