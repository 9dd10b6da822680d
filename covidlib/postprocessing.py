"""From a network's lung mask to one that a classifier can use (manet sec. 2.2)."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from skimage.measure import label, regionprops


@dataclass(frozen=True)
class CleaningSettings:
    """What is repaired in a predicted mask.

    The paper names two operations of scikit-image, "filling holes and removing small objects"
    (sec. 2.2), and no sizes.

    Args:
        fill: whether holes are filled, whatever their size; ours.
        smallest: regions below this share of the picture are removed; ours. A lung covers a tenth.
        regions: how many regions may stay, the largest; 0 keeps all. Ours: there are two lungs.

    Raises:
        ValueError: a share outside [0, 1), or a negative number of regions.
    """

    fill: bool = True
    smallest: float = 0.01
    regions: int = 2

    def __post_init__(self) -> None:
        if not 0 <= self.smallest < 1 or self.regions < 0:
            raise ValueError(f"impossible: smallest {self.smallest}, regions {self.regions}")


def clean(mask: np.ndarray, settings: CleaningSettings | None = None) -> np.ndarray:
    """Fill holes, remove small objects, keep the largest regions.

    Regions touch at corners too. (scikit-image's ``remove_small_objects`` would do the second
    step, but the argument that says how small changed its name between versions.)

    A mask whose regions are all small keeps its largest one: a picture without any lung would
    be black for the classifier.

    Args:
        mask: as predicted. Shape: (H, W), bool.
        settings: what is repaired.

    Raises:
        ValueError: not a boolean mask.

    >>> ring = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]], bool)
    >>> bool(clean(ring).all())
    True
    """
    if mask.dtype != np.bool_ or mask.ndim != 2:
        raise ValueError(f"expected booleans of shape (H, W), got {mask.dtype} {mask.shape}")
    chosen = settings or CleaningSettings()
    filled = ndimage.binary_fill_holes(mask) if chosen.fill else mask
    regions = label(filled, connectivity=2)
    found = sorted(regionprops(regions), key=lambda region: region.area, reverse=True)
    if not found:
        return filled
    least = min(chosen.smallest * mask.size, found[0].area)
    kept = [region.label for region in found if region.area >= least]
    return np.isin(regions, kept[: chosen.regions or None])
