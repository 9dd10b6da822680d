"""Per-sample augmentation in batches, of images and their masks together, on the device.

Drawing and applying are apart. ``draw`` gives numbers from a CPU generator that knows only the
seed, the epoch and the step; ``apply`` is a function of images and numbers. A resumed run, another
device and a run on several devices therefore see the same images.

>>> draws = draw(MSATL_CT, 32, (0, 4, 17))  # seed, epoch, step
>>> images = torch.zeros(32, 1, 256, 256, dtype=torch.uint8)
>>> tuple(apply(MSATL_CT, images, draws, size=224).shape)
(32, 1, 224, 224)
"""

from typing import overload

import torch
from torch import Tensor

from covidlib.data.augmentation_settings import (
    EVAL,
    MAGSD_TABLE2,
    MANET,
    MANET_SEGMENTATION,
    MSATL_CT,
    MSATL_CXR,
    MSATL_NATURAL,
    NONE,
    PRESETS,
    Augmentation,
    Range,
)
from covidlib.data.draws import Draws, draw, identity
from covidlib.data.normalisation import as_unit, to_model_input
from covidlib.data.transfer import to_device
from covidlib.data.warping import MAX_REDUCTION, warp

__all__ = ["EVAL", "MAGSD_TABLE2", "MANET", "MANET_SEGMENTATION", "MSATL_CT", "MSATL_CXR"]
__all__ += ["MSATL_NATURAL", "NONE", "PRESETS", "Augmentation", "Draws", "Range"]
__all__ += ["apply", "draw", "identity", "to_model_input"]

LUMINANCE = (0.299, 0.587, 0.114)  # ITU-R BT.601, as Pillow and torchvision use it


@overload
def apply(
    augmentation: Augmentation, images: Tensor, draws: Draws, *, size: int | None = None
) -> Tensor: ...


@overload
def apply(
    augmentation: Augmentation,
    images: Tensor,
    draws: Draws,
    masks: Tensor,
    *,
    size: int | None = None,
) -> tuple[Tensor, Tensor]: ...


@torch.no_grad()
def apply(augmentation, images, draws, masks=None, *, size=None):
    """Apply draws to images, and their geometry to masks.

    All geometry is one bilinear interpolation, nearest neighbour for masks; a sample that moves by
    whole pixels is copied exactly. What happens to a sample does not depend on the rest of the
    batch.

    Args:
        augmentation: the settings, for what lies outside an image.
        images: uint8, or floats in [0, 1]; square. Shape: (N, C, S, S) with C 1 or 3.
        draws: of ``draw``, one per image.
        masks: booleans, or uint8 that names regions. Shape: (N, M, S, S).
        size: side T of the output; S if not given.

    Returns:
        Images in [0, 1], float32, (N, C, T, T); with masks also those, (N, M, T, T), in the type
        they came in.

    Raises:
        TypeError, ValueError: types, shapes or ranges that are none of the above, or an output so
            small that pixels would be skipped: decode to a smaller cache instead.
    """
    size = size or images.shape[-1]
    _check(images, draws, masks, size)
    matrix = draws.matrix(images.shape[-1], size)
    warped, moved = warp(as_unit(images), matrix, size, masks, augmentation.border)
    graded = _grade(warped.clamp_(0, 1), draws)  # interpolation may overshoot by a rounding error
    return graded if masks is None else (graded, moved)


def _grade(images: Tensor, draws: Draws) -> Tensor:
    """Change the grey values of images, in place: (N, C, T, T) in [0, 1]."""

    def factor(values: Tensor) -> Tensor:
        return to_device(values, images.device, torch.float32)[:, None, None, None]

    # What happens to no sample is left out; where it happens to some, it is exact for the others.
    if (draws.brightness != 1).any():
        images.mul_(factor(draws.brightness)).clamp_(0, 1)
    if (draws.contrast != 1).any():
        mean = _luminance(images).mean((1, 2, 3), keepdim=True)
        images = torch.lerp(mean, images, factor(draws.contrast)).clamp_(0, 1)
    if (draws.offset != 0).any():
        images.add_(factor(draws.offset)).clamp_(0, 1)
    if images.shape[1] == 3 and draws.grey.any():
        images = torch.where(factor(draws.grey) > 0, _luminance(images), images)
    return images


def _luminance(images: Tensor) -> Tensor:
    if images.shape[1] == 1:
        return images
    weights = to_device(torch.tensor(LUMINANCE), images.device, images.dtype).view(1, 3, 1, 1)
    return (images * weights).sum(1, keepdim=True)


def _check(images: Tensor, draws: Draws, masks: Tensor | None, size: int) -> None:
    """Raise unless images, draws, masks and size belong together."""
    if images.ndim != 4 or images.shape[1] not in (1, 3) or images.shape[2] != images.shape[3]:
        raise ValueError(f"expected (N, 1 or 3, S, S), got {tuple(images.shape)}")
    if len(draws) != len(images):
        raise ValueError(f"{len(draws)} draws for {len(images)} images")
    if len(draws) and draws.crop.max() * images.shape[-1] > MAX_REDUCTION * size + 1:
        raise ValueError(
            f"going from {images.shape[-1]} to {size} pixels would skip some of them; "
            f"decode to at most {int(MAX_REDUCTION * size)} pixels"
        )
    if masks is None:
        return
    if masks.dtype not in (torch.bool, torch.uint8):
        raise TypeError(f"masks are bool, or uint8 that names regions, got {masks.dtype}")
    if masks.ndim != 4 or masks.shape[0] != len(images) or masks.shape[2:] != images.shape[2:]:
        raise ValueError(f"masks {tuple(masks.shape)} do not fit images {tuple(images.shape)}")
