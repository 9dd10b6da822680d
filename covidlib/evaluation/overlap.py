"""How well a drawn region and a predicted one agree: IoU and Dice, whole and lung by lung."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import ndimage

from covidlib.evaluation.bootstrap import Interval
from covidlib.evaluation.resampling import draw

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


def overlap_intervals(
    runs: Sequence[pd.DataFrame], split: str = "test", *, resamples: int = 2000, seed: int = 0
) -> dict[str, Interval]:
    """Return IoU and Dice of one network with their intervals.

    Folds add their images, seeds are averaged image by image; patients are then drawn with
    replacement, within their class.

    Args:
        runs: predictions of ``covidlib.training.segmentation.Segmentation``, one per fold or seed.
        split: which rows count.
        resamples, seed: how many draws, and from where.

    Returns:
        ``iou`` and ``dice``, means over images; ``pooled_iou`` and ``pooled_dice``, of all pixels
        together; each lung's ``iou_right`` …; and the same with ``_clean`` at the end.
    """
    tables = [run[run["split"] == split] for run in runs]
    whole = pd.concat(tables)
    numbers = [c for c in whole if c.startswith(("iou", "dice", "shared", "either"))]
    rows = whole.groupby("sample")[numbers].mean()
    facts = whole.drop_duplicates("sample").set_index("sample").loc[rows.index]
    patients = facts["patient"].fillna(facts.index.to_series())
    rng = np.random.default_rng(seed)
    times = draw(patients.to_numpy(str), facts["label"].to_numpy(str), resamples, rng).astype(float)

    def interval(value: float, drawn: np.ndarray, single: Sequence[float]) -> Interval:
        low, high = np.nanquantile(drawn, (0.025, 0.975))
        std = float(np.std(single, ddof=1)) if len(single) > 1 else float("nan")
        return Interval(value, float(low), float(high), len(runs), len(rows), std)

    found = {}
    for name in (c for c in numbers if c.startswith(("iou", "dice")) and rows[c].notna().any()):
        values = rows[name].to_numpy()
        known = ~np.isnan(values)
        drawn = times[:, known] @ values[known] / times[:, known].sum(axis=1)
        single = [table[name].mean() for table in tables]
        found[name] = interval(float(values[known].mean()), drawn, single)
    for end in {name.removeprefix("shared") for name in numbers if name.startswith("shared")}:
        pixels = rows["shared" + end].to_numpy(), rows["either" + end].to_numpy()
        shared, either = (times @ part for part in pixels)
        for name, score, drawn in (
            ("pooled_iou", iou, shared / either),
            ("pooled_dice", dice, 2 * shared / (shared + either)),
        ):
            single = [score(table["shared" + end], table["either" + end]) for table in tables]
            found[name + end] = interval(score(*pixels), drawn, single)
    return found
