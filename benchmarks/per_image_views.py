"""The attention-guided views of magsd sec. 3.3, one image after another.

This is how such views are usually written: find the box with ``nonzero``, cut, resize, paste. The
benchmark compares its time with that of ``covidlib.training.attention_augmentation``, and the tests
compare its images.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from covidlib.settings.magsd import VIEWS, MAGSDSettings


def per_image_views(
    images: Tensor, maps: Tensor, settings: MAGSDSettings, shares: Tensor
) -> list[Tensor]:
    """Return the views of a batch, as ``make_views`` does from the same draws."""
    make = {"mixup": mixup, "dimming": dimming, "patching": patching}
    return [
        torch.stack(
            [
                make[name](image, attention, settings, share)
                for image, attention, share in zip(images, maps.detach(), drawn, strict=True)
            ]
        )
        for name, drawn in zip(VIEWS, shares, strict=True)
        if name in settings.views
    ]


def mixup(image: Tensor, maps: Tensor, settings: MAGSDSettings, share: Tensor) -> Tensor:
    """Mix one image (C, S, S) with the enlarged box around its region."""
    top, bottom, left, right = box(attention(image, maps, share) > settings.mixup_threshold)
    cut = image[None, :, top:bottom, left:right]
    enlarged = F.interpolate(cut, image.shape[1:], mode="bilinear", align_corners=False)[0]
    return settings.mix * image + (1 - settings.mix) * enlarged


def patching(image: Tensor, maps: Tensor, settings: MAGSDSettings, share: Tensor) -> Tensor:
    """Paste the box around the region of one image somewhere else."""
    top, bottom, left, right = box(attention(image, maps, share) > settings.patching_threshold)
    height, width = bottom - top, right - left
    row = int(share[1] * (image.shape[1] - height + 1))
    column = int(share[2] * (image.shape[2] - width + 1))
    patched = image.clone()
    patched[:, row : row + height, column : column + width] = image[:, top:bottom, left:right]
    return patched


def dimming(image: Tensor, maps: Tensor, settings: MAGSDSettings, share: Tensor) -> Tensor:
    """Dim the region of one image."""
    dimmed = image.clone()
    dimmed[:, attention(image, maps, share) > settings.dimming_threshold] *= settings.dimming_factor
    return dimmed


def attention(image: Tensor, maps: Tensor, share: Tensor) -> Tensor:
    """Return one of an image's maps, in [0, 1], at the size of the image."""
    chosen = maps[int(share[0] * len(maps))].float()
    span = chosen.max() - chosen.min()
    chosen = (chosen - chosen.min()) / span if span > 0 else torch.zeros_like(chosen)
    size = image.shape[1:]
    return F.interpolate(chosen[None, None], size, mode="bilinear", align_corners=False)[0, 0]


def box(region: Tensor) -> tuple[int, int, int, int]:
    """Return top, bottom, left and right of a region; the whole image where it is empty."""
    places = region.nonzero()
    if len(places) == 0:
        return 0, region.shape[0], 0, region.shape[1]
    (top, left), (bottom, right) = places.amin(0).tolist(), (places.amax(0) + 1).tolist()
    return top, bottom, left, right
