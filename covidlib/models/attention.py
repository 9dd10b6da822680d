"""Self-attention over the positions of a feature map (msatl, equation 1)."""

import torch.nn.functional as F
from torch import Tensor, nn


class SelfAttention(nn.Module):
    """One attention layer (ATTN) with a residual connection (msatl, sec. 2.2, equation 1).

    Three 1x1 convolutions give Q, K and V; ``O = V softmax(K^T Q)``, where every column of the
    softmax, one per query position, sums to 1. The paper does not scale the product.
    A 1x1 convolution brings O back to the input's channels and starts at zero, so that inserting
    the layer leaves a trained network's function unchanged (ours; the paper ends at O).

    Args:
        channels: C of the input.
        key_channels: d_k, half of C unless given (ours, as in the non-local network the paper
            follows; the paper gives no number).
        value_channels: d_v, half of C unless given (ours, likewise).

    Shape:
        input and output (N, C, H, W).
    """

    def __init__(
        self, channels: int, key_channels: int | None = None, value_channels: int | None = None
    ) -> None:
        super().__init__()
        key_channels = key_channels or channels // 2
        value_channels = value_channels or channels // 2
        self.query = nn.Conv2d(channels, key_channels, 1)
        self.key = nn.Conv2d(channels, key_channels, 1)
        self.value = nn.Conv2d(channels, value_channels, 1)
        self.out = nn.Conv2d(value_channels, channels, 1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, features: Tensor) -> Tensor:
        """Return the features plus what attention adds, through the fused kernel."""
        query, key, value = (
            _positions(layer(features)) for layer in (self.query, self.key, self.value)
        )
        mixed = F.scaled_dot_product_attention(  # (N, 1, HW, d_v); scale 1: equation 1 has none
            query[:, None], key[:, None], value[:, None], scale=1.0
        )
        mixed = mixed[:, 0].transpose(1, 2).unflatten(2, features.shape[2:])  # (N, d_v, H, W)
        return features + self.out(mixed)

    def attention_map(self, features: Tensor) -> Tensor:
        """Return the weights of equation 1, one row per query position.

        Shape:
            (N, HW, HW); ``map[n, q]`` is a distribution over key positions and sums to 1.
        """
        query, key = _positions(self.query(features)), _positions(self.key(features))
        return (query @ key.transpose(1, 2)).softmax(dim=2)


def _positions(features: Tensor) -> Tensor:
    return features.flatten(2).transpose(1, 2)  # (N, HW, C)
