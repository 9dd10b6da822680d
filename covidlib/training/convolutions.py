"""Convolutions of small maps as matrix products, which a CPU trains faster.

A ResNet at 64 pixels ends with maps of 2 x 2, where the gradients of a convolution in the CPU's
library reach a fifth of what the same products reach as a matrix product. ``make bench`` shows what
that makes of a training step.
"""

from contextlib import nullcontext

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.modules.utils import _pair
from torch.overrides import TorchFunctionMode

# Output positions per image up to which the product took, forward and back, 1.1 to 0.15 of the
# convolution's time in the layers of ResNet-50 at 64 and 96 pixels. A kernel of one pixel copies
# nothing, wider ones copy the map.
POSITIONS, COPIED = 576, 16


def as_product(
    images: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | tuple[int, int] = 1,
    padding: int | tuple[int, int] | str = 0,
    dilation: int | tuple[int, int] = 1,
    groups: int = 1,
) -> Tensor | None:
    """Return what ``torch.nn.functional.conv2d`` does, as one matrix product; None if it is slower.

    Args:
        images: Shape: (N, C, H, W).
        weight: Shape: (O, C / groups, kernel height, kernel width).
        bias, stride, padding, dilation, groups: as ``torch.nn.functional.conv2d`` takes them.
    """
    if groups != 1 or _pair(dilation) != (1, 1) or isinstance(padding, str) or images.dim() != 4:
        return None
    (down, across), (above, beside) = _pair(stride), _pair(padding)
    height, width = weight.shape[2:]
    maps = images.permute(0, 2, 3, 1)
    rows = (maps.shape[1] + 2 * above - height) // down + 1
    columns = (maps.shape[2] + 2 * beside - width) // across + 1
    pointwise = (height, width) == (1, 1)
    if min(rows, columns) < 1 or rows * columns > (POSITIONS if pointwise else COPIED):
        return None
    if above or beside:
        maps = F.pad(maps, (0, 0, beside, beside, above, above))
    moved = [
        maps[:, top : top + down * rows : down, left : left + across * columns : across]
        for top in range(height)
        for left in range(width)
    ]
    patches = moved[0] if pointwise else torch.cat(moved, -1)
    return F.linear(patches, weight.permute(0, 2, 3, 1).flatten(1), bias).permute(0, 3, 1, 2)


class _SmallAsProducts(TorchFunctionMode):
    """Turn every call of ``conv2d`` that gains by it into a product."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func is torch.conv2d and (product := as_product(*args, **kwargs)) is not None:
            return product
        return func(*args, **kwargs)


def fast_convolutions(device: torch.device) -> TorchFunctionMode | nullcontext:
    """Return the context in which convolutions of small maps are products; on a GPU, none."""
    return _SmallAsProducts() if device.type == "cpu" else nullcontext()
