import numpy as np
import pytest
import torch
from scipy import ndimage
from skimage.filters import threshold_otsu

from covidlib.data.phantoms import draw_ct
from covidlib.models.lung_boxes import (
    CHUNK,
    CORE,
    WAYS,
    WHOLE,
    boundary_map,
    extent,
    flood,
    locate,
    lung_mask,
    otsu,
)

RNG = np.random.default_rng(0)


def disc(side, x, y, rx, ry):
    rows, columns = np.mgrid[:side, :side]
    return ((columns - x) / rx) ** 2 + ((rows - y) / ry) ** 2 <= 1


def slice_of(side=64, lung=60, body=200, air=5):
    """A body with two lungs in air, and the lungs."""
    image = np.full((side, side), air, np.uint8)
    image[disc(side, 32, 32, 29, 26)] = body
    lungs = disc(side, 20, 32, 9, 18) | disc(side, 44, 32, 9, 18)
    image[lungs] = lung
    return image, lungs


def tensor(*images):
    return torch.from_numpy(np.stack(images))[:, None]


# Each step against a plain slow one


def test_the_boundary_map_is_the_papers_sliding_window():
    images = RNG.integers(0, 3, (4, 9, 9), dtype=np.uint8)
    slow = np.zeros(images.shape, bool)
    for n, y, x in np.ndindex(images.shape):
        window = images[n, max(0, y - 1) : y + 2, max(0, x - 1) : x + 2]
        slow[n, y, x] = len(set(window.ravel())) > 1
    assert np.array_equal(boundary_map(torch.from_numpy(images)).numpy(), slow)


def test_a_constant_image_has_no_boundary_and_a_grey_one_little_else():
    assert not boundary_map(torch.full((1, 8, 8), 7, dtype=torch.uint8)).any()
    grey = torch.from_numpy(RNG.integers(0, 256, (1, 32, 32), dtype=np.uint8))
    assert boundary_map(grey).float().mean() > 0.99


def test_a_flood_reaches_what_connected_components_reach():
    free = RNG.random((30, 17, 23)) < 0.62  # near the density at which paths wind most
    seeds = RNG.random(free.shape) < 0.01
    found = flood(torch.from_numpy(seeds), torch.from_numpy(free)).numpy()
    for n in range(len(free)):
        parts, _ = ndimage.label(free[n])
        hit = np.setdiff1d(parts[seeds[n]], [0])
        assert np.array_equal(found[n], np.isin(parts, hit))


def test_a_flood_follows_a_spiral_to_its_end():
    walls = np.ones((41, 41), bool)
    y, x, step, length = 20, 20, (0, 1), 2
    while 0 < y < 40 and 0 < x < 40:
        for _ in range(length):
            if 0 <= y < 41 and 0 <= x < 41:
                walls[y, x] = False
            y, x = y + step[0], x + step[1]
        step, length = (step[1], -step[0]), length + 2
    free = torch.from_numpy(~walls)[None]
    seeds = torch.zeros_like(free)
    seeds[0, 20, 20] = True
    assert ndimage.label(free[0].numpy())[1] == 1
    assert torch.equal(flood(seeds, free), free)


def test_the_threshold_is_otsus():
    dark, light = RNG.normal(60, 12, (5, 900)), RNG.normal(180, 25, (5, 700))
    images = np.concatenate([dark, light], 1).clip(0, 255).astype(np.uint8).reshape(5, 40, 40)
    found = otsu(torch.from_numpy(images)).numpy()
    for image, level in zip(images, found, strict=True):
        # Equal scores on a plateau between the modes: compare what the level decides.
        assert np.array_equal(image <= level, image <= threshold_otsu(image, nbins=256))


def test_a_threshold_within_a_side_sees_that_side_only():
    images = torch.from_numpy(RNG.integers(0, 256, (3, 20, 20), dtype=np.uint8))
    level = torch.tensor([90, 128, 200])
    for n, (image, middle) in enumerate(zip(images.numpy(), level.tolist(), strict=True)):
        lower, upper = image[image <= middle], image[image > middle]
        for side, given in ((lower, {"high": level}), (upper, {"low": level})):
            found = otsu(images, **given)[n].item()
            apart = [
                0 if side[side <= t].size in (0, side.size)
                else (side <= t).mean() * (side > t).mean()
                * (side[side <= t].mean() - side[side > t].mean()) ** 2
                for t in range(256)
            ]  # fmt: skip
            assert apart[found] == pytest.approx(max(apart), rel=1e-9)


def test_an_extent_is_the_smallest_box():
    masks = RNG.random((20, 12, 12)) < 0.04
    masks[0], masks[1] = False, True
    found = extent(torch.from_numpy(masks)).numpy()
    for mask, box in zip(masks, found, strict=True):
        rows, columns = np.nonzero(mask)
        expected = (
            (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
            if len(rows)
            else (0,) * 4
        )
        assert tuple(box) == expected


def test_lungs_are_the_enclosed_dark_segments_with_a_core():
    image, lungs = slice_of()
    image[30:32, 31:33] = 40  # a bronchus, too small for a core
    found = lung_mask(torch.from_numpy(image <= 100)[None])[0].numpy()
    dark, side = image <= 100, len(image)
    parts, _ = ndimage.label(dark)
    air = parts[0, 0]
    core = np.ones((2 * round(CORE * side / 2) + 1,) * 2)
    inside = [part for part in np.unique(parts[dark]) if part != air]
    kept = [part for part in inside if ndimage.binary_erosion(parts == part, core).any()]
    assert np.array_equal(found, np.isin(parts, kept)) and np.array_equal(found, lungs)


# The whole


def test_the_box_is_exact_where_the_lungs_are_known():
    image, lungs = slice_of()
    found = locate(tensor(image, np.roll(image, 2, 1)))
    rows, columns = np.nonzero(lungs)
    exact = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    assert (found.box[0] * 64).tolist() == exact
    assert (found.box[1] * 64 - found.box[0] * 64).tolist() == [2, 0, 2, 0]
    assert np.array_equal(found.lungs[0].numpy(), lungs) and found.way.tolist() == [0, 0]


def test_drawn_slices_are_located_within_a_few_pixels():
    """Findings and vessels grow into the edge of drawn lungs, so a few pixels may be missing."""
    drawn = draw_ct(48, size=96, seed=3)
    found = locate(torch.from_numpy(drawn.images)[:, None])
    truth = extent(torch.from_numpy(drawn.lungs)) / 96
    assert (found.way != WHOLE).float().mean() >= 0.95
    off = (found.box - truth).abs().amax(1) * 96
    assert off.median() <= 3 and (off <= 8).float().mean() >= 0.9


def test_other_windows_are_found_by_other_thresholds():
    black, _ = slice_of(lung=2, body=70, air=0)
    bone = disc(64, 32, 12, 16, 3) | disc(64, 32, 54, 8, 4)
    black[bone] = 255  # soft tissue next to bone: Otsu's threshold calls both lungs and body dark
    pale, lungs = slice_of(lung=170, body=250, air=5)
    found = locate(tensor(black, pale))
    assert [WAYS[way] for way in found.way] == ["darker threshold", "lighter threshold"]
    assert torch.equal(found.lungs, torch.from_numpy(np.stack([lungs, lungs])))


def test_a_narrow_bright_frame_does_not_turn_air_into_lungs():
    image, lungs = slice_of()
    image[[0, 1, -2, -1], :] = image[:, [0, 1, -2, -1]] = 255
    assert np.array_equal(locate(tensor(image)).lungs[0].numpy(), lungs)


def test_a_gap_of_two_pixels_in_the_wall_is_closed():
    image, lungs = slice_of()
    image[31:33, :12] = 5  # from the air into the right lung
    found = locate(tensor(image))
    assert found.way.tolist() == [0]
    assert (found.lungs[0].numpy() ^ lungs).sum() <= 24  # the gap itself and its mouth


def test_one_lung_is_not_taken_for_both():
    image, _ = slice_of()
    image[:, 33:55] = np.where(image[:, 33:55] == 60, 200, image[:, 33:55])
    assert locate(tensor(image)).way.tolist() == [WHOLE]


@pytest.mark.parametrize("grey", [0, 128, 255])
def test_images_without_lungs_are_taken_whole(grey):
    found = locate(torch.full((2, 1, 33, 33), grey, dtype=torch.uint8))
    assert found.box.tolist() == [[0, 0, 1, 1]] * 2
    assert found.way.tolist() == [WHOLE] * 2 and found.lungs.all()


def test_noise_is_taken_whole_or_at_least_lies_inside():
    found = locate(torch.from_numpy(RNG.integers(0, 256, (8, 1, 40, 40), dtype=np.uint8)))
    assert ((found.box >= 0) & (found.box <= 1)).all()
    assert (found.box[:, 2:] > found.box[:, :2]).all()


def test_a_slice_does_not_depend_on_its_neighbours():
    drawn = torch.from_numpy(draw_ct(5, size=48, seed=1).images)[:, None]
    many = drawn.repeat(CHUNK // 5 + 3, 1, 1, 1)
    together, alone = locate(many), [locate(drawn[n : n + 1]) for n in range(5)]
    for n in range(len(many)):
        for part, own in zip(together, alone[n % 5], strict=True):
            assert torch.equal(part[n], own[0])


def test_no_image_gives_no_box():
    found = locate(torch.empty(0, 1, 16, 16, dtype=torch.uint8))
    assert found.box.shape == (0, 4) and found.way.shape == (0,)


def test_other_images_are_refused():
    with pytest.raises(TypeError, match="uint8"):
        locate(torch.zeros(1, 1, 8, 8))
    with pytest.raises(ValueError, match=r"\(1, 3, 8, 8\)"):
        locate(torch.zeros(1, 3, 8, 8, dtype=torch.uint8))


def test_real_slices_are_mostly_found(real_data):
    """Of the training slices here; what the boxes look like is shown in the book."""
    from covidlib.data import open_dataset
    from covidlib.data.cache import build_cache
    from covidlib.data.preprocessing import Preprocessing

    cached = build_cache(open_dataset("covid-ct", real_data), Preprocessing(size=64))
    train = (cached.table["split"] == "train").to_numpy()
    found = locate(torch.from_numpy(cached.images[train][::6])[:, None])
    assert (found.way == 0).float().mean() > 0.7
    assert (found.way == WHOLE).float().mean() < 0.12
