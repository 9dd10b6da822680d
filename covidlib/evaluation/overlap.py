"""How well a drawn region and a predicted one agree: IoU and Dice, whole and lung by lung."""

import numpy as np
from scipy import ndimage

LUNGS = ("right", "left")  # the patient's right lung is on the left of the picture


def counts(predicted: np.ndarray, truth: np.ndarray) -> tuple[int, int]:
    """Return how many pixels two masks share and how many either has.

    Args:
        predicted, truth: booleans of one shape.

    Raises:
        ValueError: another type, or shapes that differ.
    """
    if predicted.dtype != np.bool_ or truth.dtype != np.bool_ or predicted.shape != truth.shape:
        raise ValueError(
            f"expected booleans of one shape, got {predicted.dtype} {predicted.shape} and "
            f"{truth.dtype} {truth.shape}"
        )
    return int((predicted & truth).sum()), int((predicted | truth).sum())


def iou(shared: int | np.ndarray, either: int | np.ndarray) -> float:
    """Return intersection over union from sums of ``counts``; NaN where both masks are empty.

    >>> iou(*counts(np.array([True, True, False]), np.array([True, False, False])))
    0.5
    """
    shared, either = np.sum(shared), np.sum(either)
    return float(shared / either) if either else float("nan")


def dice(shared: int | np.ndarray, either: int | np.ndarray) -> float:
    """Return twice the shared pixels over those of both masks together.

    >>> dice(*counts(np.array([True, True, False]), np.array([True, False, False])))
    0.6666666666666666
    """
    shared, both = np.sum(shared), np.sum(either) + np.sum(shared)
    return float(2 * shared / both) if both else float("nan")


def territories(truth: np.ndarray) -> dict[str, np.ndarray] | None:
    """Divide the picture between the two lungs: each pixel belongs to the nearer one.

    Args:
        truth: the drawn lungs. Shape: (H, W), bool.

    Returns:
        A mask per lung; None where the drawing has no second region of a tenth of the first, so
        that nobody can say where one lung ends.
    """
    regions, found = ndimage.label(truth, structure=np.ones((3, 3)))
    if found < 2:
        return None
    sizes = np.bincount(regions.ravel())[1:]
    second, first = np.argsort(sizes)[-2:] + 1
    if sizes[second - 1] < 0.1 * sizes[first - 1]:
        return None
    lungs = np.where(np.isin(regions, (first, second)), regions, 0)
    _, (rows, columns) = ndimage.distance_transform_edt(lungs == 0, return_indices=True)
    nearest = lungs[rows, columns]
    middle = {r: np.nonzero(lungs == r)[1].mean() for r in (first, second)}
    right, left = sorted(middle, key=lambda region: middle[region])
    return {"right": nearest == right, "left": nearest == left}


def overlap(predicted: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Compare one predicted mask with the drawn one.

    Returns:
        ``shared`` and ``either``, the pixels behind the numbers; ``iou`` and ``dice`` of both
        lungs together; ``iou_right``, ``iou_left``, ``dice_right``, ``dice_left``, NaN where the
        drawn lungs touch.
    """
    shared, either = counts(predicted, truth)
    row = {"shared": shared, "either": either}
    row |= {"iou": iou(shared, either), "dice": dice(shared, either)}
    places = territories(truth)
    for side in LUNGS:
        pair = counts(predicted & places[side], truth & places[side]) if places else (0, 0)
        row |= {f"iou_{side}": iou(*pair), f"dice_{side}": dice(*pair)}
    return row
