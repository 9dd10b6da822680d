import math

import numpy as np
import pandas as pd
import pytest
import torch
from torchmetrics.functional.classification import binary_f1_score, binary_jaccard_index

from covidlib.evaluation.overlap import (
    counts,
    dice,
    iou,
    overlap,
    overlap_intervals,
    territories,
)


def square(top, left, side=4, shape=(12, 20)):
    mask = np.zeros(shape, bool)
    mask[top : top + side, left : left + side] = True
    return mask


def test_two_shifted_squares():
    """4×4 moved by one pixel: 12 shared, 20 in either."""
    pair = counts(square(2, 2), square(2, 3))
    assert pair == (12, 20)
    assert iou(*pair) == 12 / 20 and dice(*pair) == 24 / 32


@pytest.mark.parametrize("seed", range(3))
def test_iou_and_dice_are_those_of_torchmetrics(seed):
    one, two = np.random.default_rng(seed).random((2, 9, 11)) < 0.4
    pair, tensors = counts(one, two), (torch.from_numpy(one), torch.from_numpy(two))
    assert iou(*pair) == pytest.approx(binary_jaccard_index(*tensors).item())
    assert dice(*pair) == pytest.approx(binary_f1_score(*tensors).item())
    assert dice(*pair) == pytest.approx(2 * iou(*pair) / (1 + iou(*pair)))


def test_nothing_and_everything():
    empty, full = np.zeros((3, 3), bool), np.ones((3, 3), bool)
    assert math.isnan(iou(*counts(empty, empty))) and math.isnan(dice(*counts(empty, empty)))
    assert iou(*counts(empty, full)) == dice(*counts(empty, full)) == 0
    assert iou(*counts(full, full)) == dice(*counts(full, full)) == 1


def test_pooled_numbers_come_from_summed_pixels():
    shared, either = np.array([1, 9]), np.array([2, 10])
    assert iou(shared, either) == 10 / 12 and dice(shared, either) == 20 / 22


def test_masks_of_another_kind_are_refused():
    with pytest.raises(ValueError, match="booleans"):
        counts(np.ones((2, 2)), np.ones((2, 2), bool))
    with pytest.raises(ValueError, match="one shape"):
        counts(np.ones((2, 2), bool), np.ones((3, 2), bool))


def test_each_pixel_belongs_to_the_nearer_lung():
    truth = square(2, 1) | square(2, 15)
    places = territories(truth)
    assert not (places["right"] & places["left"]).any()
    assert (places["right"] | places["left"]).all()
    assert places["right"][:, :9].all() and places["left"][:, 11:].all()


@pytest.mark.parametrize("truth", [square(2, 2), square(1, 2, side=8) | square(5, 15, side=1)])
def test_lungs_that_touch_or_specks_have_no_sides(truth):
    assert territories(truth) is None
    found = overlap(truth, truth)
    assert found["iou"] == 1 and math.isnan(found["iou_left"])


def test_each_lung_is_scored_by_itself():
    truth = square(2, 1) | square(2, 15)
    found = overlap(square(2, 2) | square(2, 15), truth)
    assert found["iou_right"] == 12 / 20 and found["iou_left"] == 1
    assert (found["shared"], found["either"]) == (28, 36)
    assert found["dice"] == 56 / 64


def test_the_right_lung_is_on_the_left_of_the_picture_whatever_its_size():
    truth = square(1, 1, side=3) | square(1, 10, side=8)
    assert territories(truth)["right"][2, 2] and territories(truth)["left"][2, 12]


def predictions(shared, either, start=0, split="test"):
    shared, either = np.array(shared, float), np.array(either, float)
    return pd.DataFrame({
        "sample": [f"image {start + k}" for k in range(len(shared))],
        "patient": [f"patient {(start + k) // 2}" for k in range(len(shared))],
        "split": split, "label": "COVID-19", "shared": shared, "either": either,
        "iou": shared / either, "dice": 2 * shared / (shared + either),
    })  # fmt: skip


def test_folds_add_up_and_seeds_are_averaged():
    first, second = predictions([5, 6], [10, 10]), predictions([9, 8], [10, 20], start=2)
    found = overlap_intervals([first, second])
    assert found["iou"].value == pytest.approx((0.5 + 0.6 + 0.9 + 0.4) / 4)
    assert found["pooled_iou"].value == pytest.approx(28 / 50)
    assert found["pooled_dice"].value == pytest.approx(56 / 78)
    assert (found["iou"].runs, found["iou"].images) == (2, 4)
    seeds = overlap_intervals([first, predictions([7, 8], [10, 10])])
    assert seeds["iou"].value == pytest.approx(0.65) and seeds["iou"].images == 2
    assert seeds["iou"].std == pytest.approx(np.std([0.55, 0.75], ddof=1))


def test_the_interval_is_that_of_drawn_patients():
    """Two patients, drawn with replacement: a mean is low, middle or high, 1 to 2 to 1."""
    found = overlap_intervals([predictions([5, 5, 9, 9], [10] * 4)])["iou"]
    assert (found.low, found.value, found.high) == pytest.approx((0.5, 0.7, 0.9))


def test_other_splits_do_not_count():
    both = pd.concat([predictions([5], [10]), predictions([9], [10], start=5, split="val")])
    assert overlap_intervals([both])["iou"].value == 0.5
