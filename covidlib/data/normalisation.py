"""From decoded bytes to what a network eats, with the ranges checked on the way."""

import math
from functools import partial
from typing import Literal, get_args

import torch
from torch import Tensor

from covidlib.data.transfer import to_device

Normalisation = Literal["unit", "signed", "zscore", "zscore-columns", "imagenet"]
NORMALISATIONS = get_args(Normalisation)

# Mean and standard deviation of ImageNet's training images, as torchvision's weights expect them.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def as_unit(images: Tensor) -> Tensor:
    """Bring images to float32 in [0, 1].

    Args:
        images: uint8, or floats already in [0, 1]. Shape: (N, C, H, W).

    Raises:
        TypeError: another type; 16-bit images are windowed before the cache, not here.
        ValueError: another shape, or floats outside [0, 1] or not finite.

    >>> as_unit(torch.tensor([0, 51, 255], dtype=torch.uint8).view(1, 1, 1, 3)).flatten().tolist()
    [0.0, 0.20000000298023224, 1.0]
    """
    if images.ndim != 4:
        raise ValueError(f"expected images of shape (N, C, H, W), got {tuple(images.shape)}")
    if images.dtype == torch.uint8:
        return images.float().div_(255)
    if not images.is_floating_point():
        raise TypeError(f"expected uint8 or floats in [0, 1], got {images.dtype}")
    # Reading a value back would make an accelerator wait at every step. What reaches one comes
    # from uint8 through functions that keep the range, and the tests run those on the CPU.
    if images.device.type == "cpu" and images.numel():
        low, high = images.aminmax()
        if not (low >= 0 and high <= 1):
            raise ValueError(f"expected values in [0, 1], got [{low.item():g}, {high.item():g}]")
    return images.float()


def to_model_input(images: Tensor, normalisation: Normalisation, channels: int = 3) -> Tensor:
    """Normalise images and repeat grey over the channels that a network expects.

    - "unit": [0, 1] as it is.
    - "signed": [-1, 1] (manet sec. 2.3). The scale is that of the file, 0 to 255; the paper's
      "min-max feature scaling" could also mean each image's own extremes.
    - "zscore": each image to mean 0 and standard deviation 1 (magsd sec. 4.2). A constant image
      becomes 0, never NaN.
    - "zscore-columns": each column of pixels likewise, what magsd's released code does instead.
    - "imagenet": mean and deviation of ImageNet, for weights trained there; three channels.

    Args:
        images: uint8, or floats in [0, 1]. Shape: (N, 1, H, W) or (N, channels, H, W).
        normalisation: one of the names above.
        channels: C that the network expects.

    Returns:
        float32, channels last in memory. Shape: (N, channels, H, W).

    Raises:
        TypeError, ValueError: see ``as_unit``; also an unknown name or a channel count that
            neither the images nor the normalisation can serve.
    """
    if normalisation not in NORMALISATIONS:
        raise ValueError(f"normalisation is one of {NORMALISATIONS}, not {normalisation!r}")
    if normalisation == "imagenet" and channels != 3:
        raise ValueError(f'"imagenet" describes 3 channels, the network expects {channels}')
    if images.ndim == 4 and images.shape[1] not in (1, channels):
        raise ValueError(f"cannot turn {images.shape[1]} channels into {channels}")
    normalised = _NORMALISE[normalisation](as_unit(images))
    return normalised.expand(-1, channels, -1, -1).contiguous(memory_format=torch.channels_last)


def _signed(images: Tensor) -> Tensor:
    return images * 2 - 1


def _zscore(images: Tensor, dims: tuple[int, ...] = (1, 2, 3)) -> Tensor:
    centred = images - images.mean(dims, keepdim=True)
    # A norm instead of std_mean, which took five times as long as all the rest here on a CPU.
    norm = torch.linalg.vector_norm(centred, dim=dims, keepdim=True)
    deviation = norm / math.prod(images.shape[dim] for dim in dims) ** 0.5
    # Rounding leaves a constant image a deviation of about 1e-8; one grey level is 4e-3.
    return centred.div_(deviation.masked_fill(deviation < 1e-6, 1))


def _imagenet(images: Tensor) -> Tensor:
    mean, deviation = (
        to_device(torch.tensor(values), images.device, images.dtype).view(1, 3, 1, 1)
        for values in (IMAGENET_MEAN, IMAGENET_STD)
    )
    return (images - mean) / deviation


_NORMALISE = {"unit": lambda images: images, "signed": _signed, "zscore": _zscore}
_NORMALISE["zscore-columns"] = partial(_zscore, dims=(2,))
_NORMALISE["imagenet"] = _imagenet
