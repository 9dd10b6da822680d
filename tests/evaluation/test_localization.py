import numpy as np
import pytest

from covidlib.errors import DataError
from covidlib.evaluation.localization import enclosing_box, region


def test_strangers_are_refused():
    with pytest.raises(DataError, match="threshold"):
        region(np.zeros((2, 2)), 1.5)


def test_box_encloses_all_parts_and_nothing_more():
    mask = np.zeros((8, 9), dtype=bool)
    mask[1, 2] = mask[5, 7] = True
    box = enclosing_box(mask)
    assert box.sum() == 5 * 6
    assert box[1:6, 2:8].all()
    assert not enclosing_box(np.zeros((3, 3), dtype=bool)).any()


def test_region_depends_on_the_range_alone():
    heat = np.arange(9.0).reshape(3, 3)
    assert region(heat, 0.5).sum() == 5
    np.testing.assert_array_equal(region(3 * heat - 7, 0.5), region(heat, 0.5))
    assert region(heat, 1.0).sum() == 1
    assert not region(np.ones((3, 3)), 0.0).any()
