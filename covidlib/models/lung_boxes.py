"""Where the lungs are in a CT slice: the locate operator of the Generator (msatl sec. 5.3).

Everything is vectorised over images and runs where they are.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import LongTensor, Tensor

WAYS = ("Otsu's threshold", "darker threshold", "lighter threshold", "whole image")
WHOLE = len(WAYS) - 1
# Ours, from looking at slices; shares of the side, or of the image.
CORNER = 0.08  # dark pixels in these squares are air beside the body, even inside a narrow frame
CORE = 0.06  # a lung holds a square of this side; speckles and gaps above the table do not
LEAST_AREA, LEAST_WIDTH, LEAST_HEIGHT = 0.05, 0.35, 0.25  # of what may pass for two lungs
OFF_CENTRE = 0.12  # a box further from the image's middle holds one lung
CHUNK = 64  # images at once, so that masks of large sets fit into caches


class Located(NamedTuple):
    """Where the lungs are.

    Args:
        box: left, top, right, bottom as shares of the side. Shape: (N, 4), float64.
        way: how they were found, an index into ``WAYS``. Shape: (N,).
        lungs: the lungs, all True where ``way`` is ``WHOLE``. Shape: (N, S, S), bool.
    """

    box: Tensor
    way: LongTensor
    lungs: Tensor


def locate(images: Tensor) -> Located:
    """Find the box around both lungs of each slice.

    Three thresholds are tried in turn: Otsu's, and Otsu's within the darker and the lighter side of
    it, for slices shown in a soft-tissue window and for lungs full of fluid. Where none leaves
    something as large as two lungs, the box is the whole image, which is right for slices cropped
    to the lungs and harmless for images without any.

    Args:
        images: uint8, grey. Shape: (N, 1, S, S).

    Raises:
        TypeError, ValueError: another type or shape.
    """
    if images.dtype != torch.uint8:
        raise TypeError(f"expected uint8, got {images.dtype}")
    if images.ndim != 4 or images.shape[1] != 1 or images.shape[2] != images.shape[3]:
        raise ValueError(f"expected (N, 1, S, S), got {tuple(images.shape)}")
    parts = [_locate(chunk) for chunk in images[:, 0].split(CHUNK)]
    return Located(*map(torch.cat, zip(*parts, strict=True))) if parts else _locate(images[:, 0])


def _locate(images: Tensor) -> Located:
    middle = otsu(images)
    way = torch.full((len(images),), WHOLE, device=images.device)
    lungs = torch.ones_like(images, dtype=torch.bool)
    for number in range(WHOLE):
        open_ = (way == WHOLE).nonzero()[:, 0]
        found, between = images[open_], middle[open_]
        level = (between, otsu(found, high=between), otsu(found, low=between))[number]
        mask = lung_mask(found <= level[:, None, None])
        good = _like_lungs(mask)
        lungs[open_[good]], way[open_[good]] = mask[good], number
    return Located(extent(lungs) / images.shape[-1], way, lungs)


def otsu(images: Tensor, low: Tensor | None = None, high: Tensor | None = None) -> LongTensor:
    """Return the grey level that best parts dark from light pixels; dark ones are not above it.

    Args:
        images: uint8. Shape: (N, S, S).
        low, high: only pixels above ``low`` and not above ``high`` count. Shape: (N,).

    Returns:
        (N,); 0 where fewer than two levels count.
    """
    grey = images.flatten(1).long()
    counts = torch.ones_like(grey, dtype=torch.bool)
    counts &= True if low is None else grey > low[:, None]
    counts &= True if high is None else grey <= high[:, None]
    histogram = torch.zeros(len(grey), 256, dtype=torch.float64, device=grey.device)
    histogram.scatter_add_(1, grey, counts.double())
    dark = histogram.cumsum(1)
    mass = (histogram * torch.arange(256, device=grey.device)).cumsum(1)
    apart = (mass[:, -1:] * dark - dark[:, -1:] * mass).square()
    return (apart / (dark * (dark[:, -1:] - dark)).clamp_min(1)).argmax(1)


def boundary_map(images: Tensor) -> Tensor:
    """Mark the pixels whose 3 x 3 window holds more than one value (msatl sec. 5.3).

    Windows at the edge hold the pixels that exist. Of a grey image this marks nearly everything,
    so it is given a thresholded one.

    Args:
        images: of any type that float32 holds. Shape: (N, S, S).

    Returns:
        (N, S, S), bool.
    """
    values = images.float()
    return _highest(values, 3) != -_highest(-values, 3)


def _highest(values: Tensor, side: int) -> Tensor:
    return F.max_pool2d(values[:, None], side, stride=1, padding=side // 2)[:, 0]


def lung_mask(dark: Tensor) -> Tensor:
    """Keep of the dark pixels those that the boundary parts from the air around the body.

    Args:
        dark: Shape: (N, S, S), bool.

    Returns:
        (N, S, S), bool; segments without a square of ``CORE`` in them are left out.
    """
    side = dark.shape[-1]
    corner = max(1, round(CORNER * side))
    rim = torch.zeros_like(dark)
    rim[:, [0, -1], :] = True
    for rows in (slice(corner), slice(-corner, None)):
        for columns in (slice(corner), slice(-corner, None)):
            rim[:, rows, columns] = True
    rim &= dark
    # The boundary closes gaps of two pixels in a chest wall that the threshold left open.
    inner = dark & ~boundary_map(dark)
    air = flood(rim, inner | rim)
    enclosed = inner & ~air
    core = -_highest(-enclosed.float(), 2 * round(CORE * side / 2) + 1) > 0
    return flood(core, dark & ~(_highest(air.float(), 3) > 0))


def flood(seeds: Tensor, free: Tensor) -> Tensor:
    """Return the free pixels that a path of free pixels joins to a seed; diagonals do not join.

    Each round goes as far as it can in one direction after the other; images that a round left
    unchanged are done.

    Args:
        seeds, free: Shape: (N, H, W), bool.

    Returns:
        (N, H, W), bool.
    """
    reached = seeds & free
    active = torch.arange(len(free), device=free.device)
    while len(active):
        before, open_ = reached[active], free[active]
        after = before
        for axis in (1, 2):
            for back in (False, True):
                after = _run(after, open_, axis, back)
        reached[active] = after
        active = active[(after != before).flatten(1).any(1)]
    return reached


def _run(reached: Tensor, free: Tensor, axis: int, back: bool) -> Tensor:
    """Extend what is reached to the ends of its free runs along one axis, in log2(length) steps."""
    length, step = reached.shape[axis], 1
    while step < length:
        ahead, behind = (0, step) if back else (step, 0)
        count = length - step
        passing = free.narrow(axis, ahead, count)
        longer, wider = free.clone(), reached.clone()
        wider.narrow(axis, ahead, count).logical_or_(passing & reached.narrow(axis, behind, count))
        longer.narrow(axis, ahead, count).logical_and_(free.narrow(axis, behind, count))
        reached, free, step = wider, longer, 2 * step
    return reached


def extent(masks: Tensor) -> Tensor:
    """Return left, top, right, bottom of what is True, in pixels, right and bottom exclusive.

    Args:
        masks: Shape: (N, S, S), bool.

    Returns:
        (N, 4), float64; all 0 for an empty mask.
    """
    edges = []
    for axis in (1, 2):
        line = masks.any(axis).to(torch.uint8)  # argmax finds the first of equal values
        first, last = line.argmax(1), line.shape[1] - line.flip(1).argmax(1)
        edges.append((first, last * line.any(1)))
    (left, right), (top, bottom) = edges
    return torch.stack([left, top, right, bottom], 1).double()


def _like_lungs(masks: Tensor) -> Tensor:
    """Say which masks are as large, as wide and as central as two lungs: (N,), bool."""
    left, top, right, bottom = (extent(masks) / masks.shape[-1]).unbind(1)
    large = masks.flatten(1).double().mean(1) >= LEAST_AREA
    central = ((left + right) / 2 - 0.5).abs() <= OFF_CENTRE
    return large & central & (right - left >= LEAST_WIDTH) & (bottom - top >= LEAST_HEIGHT)
