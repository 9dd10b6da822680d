import numpy as np
import pytest
from skimage.segmentation import flood

from covidlib.postprocessing import CleaningSettings, clean


@pytest.fixture
def lungs():
    mask = np.zeros((40, 40), bool)
    mask[8:32, 4:16] = True
    mask[8:32, 24:36] = True
    return mask


def test_whole_lungs_stay_as_they_are(lungs):
    assert (clean(lungs) == lungs).all()


def test_holes_are_what_no_flood_from_outside_reaches(lungs):
    torn = lungs.copy()
    torn[10:20, 6:12] = False
    torn[25, 30] = False
    assert (clean(torn) == lungs).all()
    assert (clean(torn) == ~flood(torn, (0, 0), connectivity=1)).all()
    assert (clean(torn, CleaningSettings(fill=False)) == torn).all()


def test_a_bay_is_no_hole(lungs):
    open_side = lungs.copy()
    open_side[15:18, 4:10] = False
    assert (clean(open_side) == open_side).all()


def test_small_objects_go(lungs):
    specked = lungs.copy()
    specked[1:4, 18:22] = True  # 12 of 1,600 pixels
    assert (clean(specked) == lungs).all()
    kept = CleaningSettings(smallest=12 / 1600, regions=0)
    assert (clean(specked, kept) == specked).all()


def test_the_two_largest_regions_stay(lungs):
    more = lungs.copy()
    more[34:39, 5:35] = True  # 150 pixels: large, but smaller than a lung
    assert (clean(more) == lungs).all()
    assert (clean(more, CleaningSettings(regions=0)) == more).all()
    assert (clean(more, CleaningSettings(regions=1)) == (lungs & (np.arange(40) < 20))).all()


def test_a_mask_of_specks_keeps_the_largest():
    specks = np.zeros((40, 40), bool)
    specks[2, 2] = specks[9, 5:7] = True
    found = clean(specks)
    assert found.sum() == 2 and found[9, 5]


def test_an_empty_mask_stays_empty():
    assert not clean(np.zeros((5, 5), bool)).any()


def test_cleaning_twice_changes_nothing(lungs):
    noisy = lungs ^ (np.random.default_rng(0).random(lungs.shape) < 0.1)
    assert (clean(clean(noisy)) == clean(noisy)).all()


def test_what_is_no_mask_is_refused():
    with pytest.raises(ValueError, match="booleans"):
        clean(np.ones((4, 4)))
    with pytest.raises(ValueError, match="impossible"):
        CleaningSettings(smallest=1.0)
