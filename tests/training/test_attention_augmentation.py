import importlib.util
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from covidlib.settings import MAGSDSettings
from covidlib.settings.magsd import VIEWS
from covidlib.training import attention_augmentation as views
from covidlib.waits import waits

REFERENCE = Path(__file__).parents[2] / "benchmarks" / "per_image_views.py"
SETTINGS = MAGSDSettings()
SIZE = 48


def load_reference():
    spec = importlib.util.spec_from_file_location("per_image_views", REFERENCE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.per_image_views


def some(count=6, channels=3, maps=8, grid=7, seed=0):
    torch.manual_seed(seed)
    images = torch.randn(count, channels, SIZE, SIZE).to(memory_format=torch.channels_last)
    attention = torch.randn(count, maps, grid, grid).relu()
    return images, attention, views.draw_views(count, (seed, 0, 0))


def region_of(rows, columns, size=8):
    region = torch.zeros(1, 1, size, size, dtype=torch.bool)
    region[:, :, rows, columns] = True
    return region


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("grid", [1, 2, 7])
@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.7, 0.99, 1.0])
def test_every_view_is_that_of_a_loop_over_images(channels, grid, threshold):
    settings = replace(
        SETTINGS,
        mixup_threshold=threshold,
        patching_threshold=threshold,
        dimming_threshold=threshold,
        mix=0.3,
    )
    for seed in range(5):
        images, maps, shares = some(channels=channels, grid=grid, seed=seed)
        maps[1] = 0.0  # maps that are nowhere awake, and one that is awake everywhere
        maps[2] = 3.0
        ours = views.make_views(images, maps, settings, shares)
        theirs = load_reference()(images, maps, settings, shares)
        for name, found, expected in zip(VIEWS, ours, theirs, strict=True):
            exact = {"rtol": 0, "atol": 2e-5 if name == "mixup" else 0}
            torch.testing.assert_close(found, expected, **exact)


def test_an_empty_region_leaves_the_image():
    images, _, shares = some()
    empty = torch.zeros(6, 1, SIZE, SIZE, dtype=torch.bool)
    assert torch.equal(views.dimming(images, empty, 0.1), images)
    assert torch.equal(views.patching(images, empty, *shares[0].T[1:]), images)
    torch.testing.assert_close(views.mixup(images, empty, 0.5), images, rtol=0, atol=1e-5)


def test_a_constant_map_is_an_empty_region_and_no_nan():
    assert torch.equal(views.rescale(torch.full((2, 1, 7, 7), 3.0)), torch.zeros(2, 1, 7, 7))


def test_a_map_is_brought_to_0_and_1():
    maps = torch.tensor([2.0, 3.0, 6.0]).view(1, 1, 1, 3)
    assert views.rescale(maps).flatten().tolist() == [0.0, 0.25, 1.0]


@pytest.mark.parametrize("name", VIEWS)
def test_a_map_at_the_threshold_is_outside_the_region(name):
    """Equations 2 and 4 say greater: at 0.5 only the upper half of this map is inside."""
    image = torch.rand(1, 1, 4, 4) + 1
    maps = torch.tensor([0.0, 0.5, 0.5, 1.0]).view(1, 1, 4, 1).expand(-1, -1, -1, 4).contiguous()
    above = replace(SETTINGS, views=(name,), **{f"{name}_threshold": 0.5})
    below = replace(SETTINGS, views=(name,), **{f"{name}_threshold": 0.4999})
    shares = torch.zeros(len(VIEWS), 1, 3)
    regions = {0.5: image[:, :, 3:], 0.4999: image[:, :, 1:]}
    for settings, region in ((above, regions[0.5]), (below, regions[0.4999])):
        (found,) = views.make_views(image, maps, settings, shares)
        if name == "dimming":
            kept = 4 - region.shape[2]
            assert torch.equal(found[:, :, :kept], image[:, :, :kept])
            torch.testing.assert_close(found[:, :, kept:], 0.1 * region)
        elif name == "patching":
            assert torch.equal(found[:, :, : region.shape[2]], region)
        else:
            enlarged = torch.nn.functional.interpolate(region, (4, 4), mode="bilinear")
            torch.testing.assert_close(found, 0.5 * image + 0.5 * enlarged)


def test_a_box_holds_its_region_and_nothing_more():
    region = region_of([2, 5, 3], [1, 6, 4])
    assert [int(edge) for edge in views.bounding_box(region)] == [2, 6, 1, 7]
    assert [int(edge) for edge in views.bounding_box(region_of([0], [7]))] == [0, 1, 7, 8]


def test_an_enlarged_box_shows_nothing_from_beyond_it():
    image = torch.full((1, 1, 8, 8), 9.0)
    image[:, :, 2:4, 5:7] = 1.0
    box = views.bounding_box(region_of([2, 3], [5, 6]))
    torch.testing.assert_close(views.enlarge(image, box), torch.ones(1, 1, 8, 8))


@pytest.mark.parametrize(
    "share, corner", [((0.0, 0.0), (0, 0)), ((0.999999, 0.999999), (6, 5)), ((0.5, 0.2), (3, 1))]
)
def test_a_patch_stays_in_the_image_and_changes_nothing_around_it(share, corner):
    image = torch.arange(64.0).view(1, 1, 8, 8)
    rows, columns = torch.tensor([share[0]]), torch.tensor([share[1]])
    found = views.patching(image, region_of([4, 5, 4], [1, 3, 2]), rows, columns)
    expected = image.clone()
    top, left = corner
    expected[:, :, top : top + 2, left : left + 3] = image[:, :, 4:6, 1:4]
    assert torch.equal(found, expected)


def test_every_map_is_equally_likely_and_every_share_has_one():
    maps = torch.arange(4.0).view(1, 4, 1, 1).expand(8, -1, 3, 3)
    shares = torch.tensor([0.0, 0.2499, 0.25, 0.4, 0.5, 0.7499, 0.75, 1 - 2**-24])
    assert views.pick(maps, shares)[:, 0, 0, 0].tolist() == [0, 0, 1, 1, 2, 2, 3, 3]


def test_leaving_a_view_out_does_not_change_the_others():
    images, maps, shares = some()
    whole = dict(zip(VIEWS, views.make_views(images, maps, SETTINGS, shares), strict=True))
    for name in VIEWS:
        (alone,) = views.make_views(images, maps, replace(SETTINGS, views=(name,)), shares)
        assert torch.equal(alone, whole[name])


def test_draws_depend_on_their_key_alone():
    first = views.draw_views(5, (0, 1, 2))
    torch.rand(3)
    assert torch.equal(first, views.draw_views(5, (0, 1, 2)))
    assert not torch.equal(first, views.draw_views(5, (0, 1, 3)))
    assert first.shape == (3, 5, 3) and first.min() >= 0 and first.max() < 1


def test_views_give_no_gradient_to_maps_or_images():
    images, maps, shares = some()
    found = views.make_views(images.requires_grad_(), maps.requires_grad_(), SETTINGS, shares)
    assert not any(view.requires_grad for view in found)


def test_making_views_never_waits_for_the_device_and_the_loop_does():
    images, maps, shares = some()
    assert waits(lambda: views.make_views(images, maps, SETTINGS, shares), "cpu") == []
    assert waits(lambda: load_reference()(images, maps, SETTINGS, shares), "cpu") != []
