import numpy as np
import pytest
import torch
from torchvision.transforms import functional

from covidlib.data.phantoms import LOBES as DRAWN
from covidlib.data.phantoms import draw_ct
from covidlib.models.lobes import LOBES, NAMES, crop_and_resize, cut, generate, location_tuples
from covidlib.models.lung_boxes import extent, locate
from covidlib.settings.contrastive import LOBE_BOXES


def slow_crop(image, box, size):
    """One region, pixel by pixel: the middle of each output pixel, between four input pixels."""
    x, y, width, height = box
    side = image.shape[-1]
    out = np.zeros((size, size))
    for row, column in np.ndindex(size, size):
        across = (x - width / 2 + width * (column + 0.5) / size) * side - 0.5
        down = (y - height / 2 + height * (row + 0.5) / size) * side - 0.5
        across, down = min(max(across, 0), side - 1), min(max(down, 0), side - 1)
        left, top = int(across), int(down)
        right, bottom = min(left + 1, side - 1), min(top + 1, side - 1)
        a, b = across - left, down - top
        out[row, column] = (1 - b) * ((1 - a) * image[top, left] + a * image[top, right]) + b * (
            (1 - a) * image[bottom, left] + a * image[bottom, right]
        )
    return out


def test_the_paper_and_the_phantoms_name_the_lobes_alike():
    assert LOBES == DRAWN == tuple(NAMES) and len(LOBE_BOXES) == len(LOBES)


def test_cropping_is_what_a_loop_over_pixels_does():
    rng = np.random.default_rng(0)
    images = rng.random((2, 1, 11, 11)).astype(np.float32)
    corner, far = rng.random((2, 3, 2)) * 0.4, 0.5 + rng.random((2, 3, 2)) * 0.5
    tuples = np.concatenate([(corner + far) / 2, far - corner], 2)
    found = crop_and_resize(torch.from_numpy(images), torch.from_numpy(tuples), 7)
    assert found.shape == (2, 3, 1, 7, 7)
    for n, m in np.ndindex(2, 3):
        expected = slow_crop(images[n, 0], tuples[n, m], 7)
        np.testing.assert_allclose(found[n, m, 0].numpy(), expected, atol=1e-5)


def test_the_whole_image_is_copied():
    image = torch.rand(1, 2, 9, 9)
    found = crop_and_resize(image, torch.tensor([[[0.5, 0.5, 1.0, 1.0]]]), 9)
    torch.testing.assert_close(found[:, 0], image, rtol=0, atol=1e-6)


def test_a_half_is_what_torchvision_makes_of_it():
    image = torch.rand(1, 1, 16, 16)
    found = crop_and_resize(image, torch.tensor([[[0.25, 0.5, 0.5, 1.0]]]), 16)[:, 0]
    theirs = functional.resize(image[..., :8], [16, 16], antialias=False)
    inner = slice(0, 14)  # theirs stops at the cut, ours sees the pixel beyond it
    torch.testing.assert_close(found[..., inner], theirs[..., inner], rtol=0, atol=1e-6)


def test_tuples_are_placed_in_the_lung_box():
    box = torch.tensor([[0.2, 0.1, 0.8, 0.5]], dtype=torch.float64)
    found = location_tuples(box, LOBE_BOXES)[0]
    for lobe, (x, y, width, height) in zip(found.tolist(), LOBE_BOXES, strict=True):
        assert lobe == pytest.approx([0.2 + x * 0.6, 0.1 + y * 0.4, width * 0.6, height * 0.4])


def test_the_five_regions_tile_the_lung_box():
    corners = torch.tensor(LOBE_BOXES)
    assert (corners[:, 2] * corners[:, 3]).sum().item() == pytest.approx(1)
    grid = (torch.arange(60) + 0.5) / 60
    inside = torch.zeros(60, 60)
    for x, y, width, height in LOBE_BOXES:
        across, down = (grid - x).abs() < width / 2, (grid - y).abs() < height / 2
        inside += (down[:, None] & across).float()
    assert (inside == 1).all()


def test_regions_of_known_lobes_hold_their_own_lobe_most():
    """On drawn slices, whose lobes are known, with the true lung box and with the found one."""
    drawn = draw_ct(40, size=96, seed=5)
    masks = torch.from_numpy(drawn.lobes.astype(np.int64))
    lobes = torch.stack([masks == number + 1 for number in range(5)], 1).float()  # (N, 5, S, S)
    truth = extent(torch.from_numpy(drawn.lungs)) / 96
    for box in (truth, locate(torch.from_numpy(drawn.images)[:, None]).box):
        regions = crop_and_resize(lobes, location_tuples(box, LOBE_BOXES), 48)  # (N, 5, 5, 48, 48)
        held = regions.mean((3, 4)).mean(0)  # region, lobe
        assert held.argmax(1).tolist() == [0, 1, 2, 3, 4]
        assert held.argmax(0).tolist() == [0, 1, 2, 3, 4]


def test_a_painted_lobe_comes_out_of_its_own_region_alone():
    image = np.full((60, 60), 250, np.uint8)
    image[:6] = image[-6:] = image[:, :6] = image[:, -6:] = 0  # air around the body
    values = {"ru": 10, "rm": 20, "rl": 30, "lu": 40, "ll": 50}
    left, top, side = 10, 12, 36  # of the lung box; a wall of two pixels between the lungs
    for name, (x, y, width, height) in zip(LOBES, LOBE_BOXES, strict=True):
        rows = slice(round(top + (y - height / 2) * side), round(top + (y + height / 2) * side))
        columns = slice(round(left + (x - width / 2) * side), round(left + (x + width / 2) * side))
        image[rows, columns] = values[name]
    image[:, 27:29] = 250
    regions = generate(torch.from_numpy(image)[None, None], LOBE_BOXES)[0, :, 0]
    middles = (regions[:, 20:40, 20:40] * 255).round()
    assert middles.amin((1, 2)).tolist() == middles.amax((1, 2)).tolist() == list(values.values())


def test_regions_stay_in_range_and_keep_their_type():
    images = torch.randint(0, 2, (3, 1, 20, 20), dtype=torch.uint8) * 255
    tuples = location_tuples(torch.rand(3, 4).sort(1).values[:, [0, 1, 2, 3]], LOBE_BOXES)
    regions = cut(images, tuples)
    assert regions.dtype == torch.float32 and regions.min() >= 0 and regions.max() <= 1


def test_nothing_breaks_on_an_image_without_lungs():
    black = torch.zeros(1, 1, 32, 32, dtype=torch.uint8)
    assert (generate(black, LOBE_BOXES) == 0).all()
