"""From a CT slice to five lobe regions: the Generator of equation 4 (msatl sec. 5.3).

Locate, crop, resize. "The position and spatial sizes of each region for the human lung are roughly
fixed", so five location tuples relative to the lungs' box serve every slice; all the work is to
find that box (``covidlib.models.lung_boxes``). What the paper leaves open is in
``book/deviations.md``.

The boxes of a slice never change, so training locates once; cropping is one interpolation per step.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from covidlib.data.normalisation import as_unit
from covidlib.models.lung_boxes import locate

LOBES = ("ru", "rm", "rl", "lu", "ll")  # msatl equation 4
NAMES = {
    "ru": "right upper lobe",
    "rm": "right middle lobe",
    "rl": "right lower lobe",
    "lu": "left upper lobe",
    "ll": "left lower lobe",
}


def generate(images: Tensor, regions: Sequence[Sequence[float]]) -> Tensor:
    """Return the five regions of each slice at the slice's own size (msatl equation 4).

    Args:
        images: uint8, grey. Shape: (N, 1, S, S).
        regions: centre x, centre y, width, height as shares of the lung box, one per lobe.

    Returns:
        Values in [0, 1]. Shape: (N, len(regions), 1, S, S).
    """
    tuples = location_tuples(locate(images).box, regions)
    return cut(images, tuples)


def cut(images: Tensor, tuples: Tensor) -> Tensor:
    """Crop regions out of decoded slices and resize each to the slice's size (msatl sec. 5.3).

    Args:
        images: uint8, or floats in [0, 1]. Shape: (N, C, S, S).
        tuples: centre x, centre y, width, height as shares of the side. Shape: (N, M, 4).

    Returns:
        Values in [0, 1]. Shape: (N, M, C, S, S).
    """
    regions = crop_and_resize(as_unit(images), tuples, images.shape[-1])
    return regions.clamp_(0, 1)  # interpolation may overshoot by a rounding error


def location_tuples(box: Tensor, regions: Sequence[Sequence[float]]) -> Tensor:
    """Place the fixed regions in each lung box (msatl sec. 5.3, the last step of locate).

    Args:
        box: left, top, right, bottom as shares of the side. Shape: (N, 4).
        regions: centre x, centre y, width, height as shares of the lung box, one per lobe.

    Returns:
        Centre x, centre y, width, height as shares of the side. Shape: (N, len(regions), 4).

    >>> whole = torch.tensor([[0.0, 0.0, 1.0, 1.0]])
    >>> location_tuples(whole, [(0.25, 0.5, 0.5, 1.0)]).tolist()
    [[[0.25, 0.5, 0.5, 1.0]]]
    """
    fixed = torch.as_tensor(regions, dtype=box.dtype, device=box.device)
    corner, size = box[:, None, :2], (box[:, 2:] - box[:, :2])[:, None]
    return torch.cat([corner + fixed[:, :2] * size, fixed[:, 2:] * size], 2)


def crop_and_resize(images: Tensor, tuples: Tensor, size: int) -> Tensor:
    """Cut regions out and bring them to one size, bilinearly.

    Args:
        images: floats. Shape: (N, C, S, S).
        tuples: centre x, centre y, width, height as shares of the side. Shape: (N, M, 4).
        size: side T of the output.

    Returns:
        (N, M, C, T, T), of the type and on the device of ``images``.
    """
    count, lobes = tuples.shape[:2]
    x, y, width, height = tuples.to(images.device, torch.float32)[..., None].unbind(2)
    places = (torch.arange(size, device=images.device) * 2 + 1) / size - 1  # (T,), area coordinates
    across, down = 2 * x - 1 + width * places, 2 * y - 1 + height * places  # (N, M, T)
    grid = torch.stack(
        [
            across[:, :, None, :].expand(-1, -1, size, -1),
            down[:, :, :, None].expand(-1, -1, -1, size),
        ],
        -1,
    )
    # All regions of an image lie below each other: one pass, and no copy of the image for each.
    grid = grid.reshape(count, lobes * size, size, 2).to(images.dtype)
    below = F.grid_sample(images, grid, "bilinear", padding_mode="border", align_corners=False)
    return below.unflatten(2, (lobes, size)).transpose(1, 2)
