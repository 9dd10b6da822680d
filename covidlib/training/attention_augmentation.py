"""Attention-guided views of a batch (magsd sec. 3.3): mix-up, patching, dimming.

A view is a function of images, of attention maps and of numbers drawn beforehand; it has no loop
over images and never waits for the device. As in ``covidlib.data.augmentation``, the numbers depend
on seed, epoch and step alone.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import LongTensor, Tensor

from covidlib.data.seeds import generator
from covidlib.settings.magsd import VIEWS, MAGSDSettings


class Box(NamedTuple):
    """A rectangle in each image: rows top to bottom - 1, columns left to right - 1.

    Each is int64 of shape (N,).
    """

    top: LongTensor
    bottom: LongTensor
    left: LongTensor
    right: LongTensor


def draw_views(count: int, key: tuple[int, ...]) -> Tensor:
    """Draw what every view needs: which map, and where a patch goes.

    All kinds of view are drawn, so leaving one out does not change the others.

    Args:
        count: images in the whole batch, of all processes together.
        key: seed, epoch and step.

    Returns:
        Shares in [0, 1) of map, row and column, float32 on the CPU: (len(VIEWS), count, 3).
    """
    return torch.rand(len(VIEWS), count, 3, generator=generator("views", *key))


@torch.no_grad()
def make_views(
    images: Tensor, maps: Tensor, settings: MAGSDSettings, shares: Tensor
) -> list[Tensor]:
    """Return the views that the settings name, each like the images.

    No gradient flows through a view into the maps that made it: a threshold has none.

    Args:
        images: model inputs. Shape: (N, C, S, S).
        maps: attention of the same images. Shape: (N, M, H, W).
        settings: kinds of view, thresholds and factors.
        shares: of ``draw_views``, on the device of the images. Shape: (len(VIEWS), N, 3).
    """
    size = images.shape[-1]
    made = []
    for name, drawn in zip(VIEWS, shares, strict=True):
        if name not in settings.views:
            continue
        which, rows, columns = drawn.unbind(1)
        chosen = upsample(rescale(pick(maps, which)), size)
        region = chosen > getattr(settings, f"{name}_threshold")
        if name == "mixup":
            made.append(mixup(images, region, settings.mix))
        elif name == "patching":
            made.append(patching(images, region, rows, columns))
        else:
            made.append(dimming(images, region, settings.dimming_factor))
    return made


def pick(maps: Tensor, share: Tensor) -> Tensor:
    """Take one map of each image, every map equally likely.

    Args:
        maps: (N, M, H, W).
        share: uniform in [0, 1). Shape: (N,).

    Returns:
        float32, (N, 1, H, W).
    """
    number = (share * maps.shape[1]).long().clamp_(max=maps.shape[1] - 1)
    index = number.view(-1, 1, 1, 1).expand(-1, 1, *maps.shape[2:])
    return maps.detach().gather(1, index).float()


def rescale(maps: Tensor) -> Tensor:
    """Bring each map to [0, 1], A* of the paper; a constant map becomes 0, never NaN."""
    low, high = maps.amin((-2, -1), keepdim=True), maps.amax((-2, -1), keepdim=True)
    span = high - low
    return (maps - low) / span.masked_fill(span == 0, 1)


def upsample(maps: Tensor, size: int) -> Tensor:
    """Enlarge maps to (N, 1, size, size), bilinearly (ours; the paper does not say how)."""
    return F.interpolate(maps, (size, size), mode="bilinear", align_corners=False)


def bounding_box(region: Tensor) -> Box:
    """Return the box around each region (N, 1, S, S); an empty region gives the whole image."""
    return Box(*_ends(region.any(3)[:, 0]), *_ends(region.any(2)[:, 0]))


def _ends(hit: Tensor) -> tuple[Tensor, Tensor]:
    """Return the first place that is hit and the one after the last; hit is (N, S)."""
    side = hit.shape[1]
    places = torch.arange(side, device=hit.device)
    first = places.where(hit, side).amin(1)
    after = places.where(hit, -1).amax(1) + 1
    empty = after == 0
    return first.masked_fill(empty, 0), after.masked_fill(empty, side)


def mixup(images: Tensor, region: Tensor, mix: float) -> Tensor:
    """Mix each image with the enlarged box around its region (equation 3).

    Args:
        images: (N, C, S, S).
        region: D of equation 2. Shape: (N, 1, S, S), bool.
        mix: γ, the share of the whole image.
    """
    return torch.lerp(enlarge(images, bounding_box(region)), images, mix)


def enlarge(images: Tensor, box: Box) -> Tensor:
    """Enlarge a box of each image to the size of the image, bilinearly.

    Args:
        images: (N, C, S, S).
        box: one for each.
    """
    rows = _centres(box.top, box.bottom, images.shape[-1])
    columns = _centres(box.left, box.right, images.shape[-1])
    grid = torch.stack(
        torch.broadcast_tensors(columns[:, None, :], rows[:, :, None]), 3
    )  # (N, S, S, 2)
    return F.grid_sample(images, grid.to(images.dtype), align_corners=False)


def _centres(low: Tensor, high: Tensor, size: int) -> Tensor:
    """Return where the pixels of an enlarged interval look, in [-1, 1]: (N, S)."""
    steps = (torch.arange(size, device=low.device) + 0.5) / size
    places = low[:, None] + steps * (high - low)[:, None]
    # What is cut out ends at its outermost pixels: nothing beyond them is blended in.
    inside = torch.minimum(torch.maximum(places, low[:, None] + 0.5), high[:, None] - 0.5)
    return 2 * inside / size - 1


def patching(images: Tensor, region: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Paste the box around each region once more, anywhere in the same image.

    Args:
        images: (N, C, S, S).
        region: D of equation 2. Shape: (N, 1, S, S), bool.
        rows, columns: where, 0 for the topmost or leftmost place. Shape: (N,).
    """
    box = bounding_box(region)
    size = images.shape[-1]
    source_rows, in_rows = _moved(box.top, box.bottom, rows, size)
    source_columns, in_columns = _moved(box.left, box.right, columns, size)
    places = source_rows[:, None, :, None] * size + source_columns[:, None, None, :]
    index = places.flatten(2).expand(-1, images.shape[1], -1)  # (N, C, S * S)
    moved = images.flatten(2).gather(2, index).view_as(places.expand_as(images))
    pasted = in_rows[:, None, :, None] & in_columns[:, None, None, :]  # (N, 1, S, S)
    return torch.where(pasted, moved, images)


def _moved(low: Tensor, high: Tensor, share: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Return, for each place, where a moved interval comes from, and whether it lies there."""
    length = high - low
    start = (share * (size - length + 1)).long().minimum(size - length)
    offset = torch.arange(size, device=low.device) - start[:, None]  # (N, S)
    return (low[:, None] + offset).clamp(0, size - 1), (offset >= 0) & (offset < length[:, None])


def dimming(images: Tensor, region: Tensor, factor: float) -> Tensor:
    """Multiply each image by a factor inside its region (equation 4).

    Args:
        images: (N, C, S, S).
        region: where A* exceeds θd. Shape: (N, 1, S, S), bool.
        factor: 0 takes everything there.
    """
    return torch.where(region, factor, 1.0) * images
