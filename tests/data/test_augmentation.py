import csv
from dataclasses import fields, replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

import covidlib
from covidlib.data import augmentation as aug
from covidlib.data.augmentation import Augmentation, Draws, Range, apply, draw, identity
from covidlib.data.augmentation_settings import OPERATIONS
from covidlib.data.batches import share

PRESETS = pytest.mark.parametrize("preset", aug.PRESETS.values(), ids=aug.PRESETS)


def pictures(count=4, size=32, channels=1, seed=0):
    seeded = torch.Generator().manual_seed(seed)
    shape = (count, channels, size, size)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=seeded)


def smooth(size=96):
    """A bump off the middle, zero at the edges: interpolation hardly changes it."""
    axis = torch.linspace(-1, 1, size)
    bump = torch.exp(-12 * ((axis[:, None] - 0.2) ** 2 + (axis[None] + 0.15) ** 2))
    stripes = 0.5 + 0.5 * torch.cos(5 * axis[None] + 3 * axis[:, None])
    return (bump * stripes)[None, None]


def drawn(count, **values):
    changed = {
        name: torch.full_like(getattr(identity(count), name), value)
        for name, value in values.items()
    }
    return replace(identity(count), **changed)


def both(image, **values):
    return apply(Augmentation(), image, drawn(len(image), **values))


def unit(images):
    return images.float() / 255


def same(a: Draws, b: Draws) -> bool:
    return all(torch.equal(getattr(a, f.name), getattr(b, f.name)) for f in fields(Draws))


# --- geometry -----------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [31, 32, 112, 224])
def test_nothing_drawn_returns_the_image_itself(size):
    images = pictures(2, size)
    assert torch.equal(apply(aug.MANET, images, identity(2)), unit(images))


def test_flips_are_torch_flips():
    images = pictures()
    assert torch.equal(both(images, flip_x=True), unit(images).flip(3))
    assert torch.equal(both(images, flip_y=True), unit(images).flip(2))
    assert torch.equal(both(images, flip_x=True, flip_y=True), unit(images).flip(2, 3))


@pytest.mark.parametrize("right, down", [(3, 0), (0, 5), (-4, 7), (31, -31)])
def test_a_whole_pixel_shift_is_a_roll_filled_with_zeros(right, down):
    images = pictures(size=32)
    expected = torch.roll(unit(images), (down, right), (2, 3))
    rows, columns = torch.arange(32), torch.arange(32)
    expected[:, :, (rows < down) | (rows >= 32 + down)] = 0
    expected[:, :, :, (columns < right) | (columns >= 32 + right)] = 0
    assert torch.equal(both(images, shift_x=right / 32, shift_y=down / 32), expected)


@pytest.mark.parametrize("quarters", [1, 2, 3, -1])
def test_quarter_turns_are_rot90_counter_clockwise(quarters):
    images = pictures(size=30)
    turned = torch.rot90(unit(images), quarters, (2, 3))
    assert torch.equal(both(images, angle=90.0 * quarters), turned)


def test_zoom_of_a_half_averages_two_by_two_pixels_and_leaves_a_black_frame():
    images = pictures(size=32)
    expected = torch.zeros(4, 1, 32, 32)
    expected[:, :, 8:24, 8:24] = F.avg_pool2d(unit(images), 2)
    torch.testing.assert_close(both(images, zoom=0.5), expected, atol=1e-5, rtol=0)


def test_a_crop_as_large_as_the_output_is_a_slice():
    images = pictures(3, 256)
    corners = [(0.0, 0.0, 0, 0), (1.0, 1.0, 32, 32), (0.25, 0.75, 24, 8)]
    for left, top, y, x in corners:
        draws = drawn(3, crop=0.875, left=left, top=top)
        shown = apply(aug.MSATL_CT, images, draws, size=224)
        assert torch.equal(shown, unit(images)[:, :, y : y + 224, x : x + 224])


@pytest.mark.parametrize("cached, size", [(256, 224), (128, 112), (72, 64), (110, 96)])
def test_the_same_preset_copies_pixels_at_every_profile_size(cached, size):
    images = pictures(1, cached)
    shown = apply(aug.EVAL, images, draw(aug.EVAL, 1, (0,)), size=size)
    first = (cached - size) // 2
    assert torch.equal(shown, unit(images)[:, :, first : first + size, first : first + size])


def test_a_crop_reaches_every_corner_and_nothing_beyond():
    draws = draw(aug.MSATL_CT, 4000, (0, 0, 0))
    corner = (draws.left * 32).round()
    assert set(corner.tolist()) == set(range(33))


@pytest.mark.parametrize("window, size", [(24, 32), (32, 48), (32, 20)])
def test_a_resized_crop_is_torch_interpolate(window, size):
    images = pictures(size=32)
    draws = drawn(4, crop=window / 32, left=0.0, top=1.0)
    cut = unit(images)[:, :, 32 - window :, :window]
    # At the window's own edges interpolate repeats the last pixel, a crop sees its neighbour:
    # equal inside, and up to the edge of the picture where there is no neighbour.
    expected = F.interpolate(cut, size=(size, size), mode="bilinear")
    shown = apply(Augmentation(), images, draws, size=size)
    inside = (slice(None), slice(None), slice(2, None), slice(None, -2))
    torch.testing.assert_close(shown[inside], expected[inside], atol=1e-5, rtol=0)


def test_an_enlarged_white_image_has_no_dark_frame():
    white = torch.full((2, 1, 32, 32), 255, dtype=torch.uint8)
    draws = replace(drawn(2, crop=0.75, left=0.0), angle=torch.tensor([0.0, 30.0]).double())
    shown = apply(Augmentation(), white, draws, size=48)
    torch.testing.assert_close(shown[0], torch.ones(1, 48, 48))
    assert (shown[1] == 0).any(), "what a turn brings in from outside is black"


def test_one_warp_equals_the_steps_one_after_the_other():
    image = smooth()
    step = both(image, zoom=1.15)
    step = both(step, angle=20.0)
    step = both(step, shift_x=0.1, shift_y=-0.05)
    step = both(step, flip_x=True)
    once = both(image, zoom=1.15, angle=20.0, shift_x=0.1, shift_y=-0.05, flip_x=True)
    assert (once - step).abs().max() < 0.01
    assert (once - image).abs().max() > 0.2, "the test would pass on a warp that does nothing"


def test_one_interpolation_loses_less_than_several():
    """A quarter turn in four steps blurs; the same four matrices in one warp do not."""
    images = unit(pictures(1, 64))
    step = images
    for _ in range(4):
        step = both(step, angle=22.5)
    middle = (slice(None), slice(None), slice(20, 44), slice(20, 44))
    turned = torch.rot90(images, 1, (2, 3))
    assert (step - turned)[middle].abs().mean() > 0.1
    assert torch.equal(both(images, angle=4 * 22.5), turned)


def test_the_warp_is_kornias():
    transform = pytest.importorskip("kornia.geometry.transform")
    images, size = unit(pictures(3, 48)), 48
    angle, zoom = torch.tensor([10.0, -35.0, 80.0]), torch.tensor([1.2, 0.8, 1.0])
    shift = torch.tensor([[2.5, -1.0], [0.0, 3.3], [-4.0, 0.5]])
    matrix = transform.get_affine_matrix2d(
        shift, torch.full((3, 2), (size - 1) / 2), zoom[:, None].expand(-1, 2), -angle
    )
    theirs = transform.warp_affine(images, matrix[:, :2], (size, size), align_corners=True)
    draws = replace(
        identity(3),
        angle=angle.double(),
        zoom=zoom.double(),
        shift_x=shift[:, 0].double() / size,
        shift_y=shift[:, 1].double() / size,
    )
    torch.testing.assert_close(apply(Augmentation(), images, draws), theirs, atol=1e-4, rtol=0)


def test_reflection_continues_the_picture():
    images = pictures(size=32)
    draws = drawn(4, shift_x=4 / 32)
    shown = apply(aug.MANET, images, draws)
    assert torch.equal(shown[..., 4:], unit(images)[..., :-4])
    assert torch.equal(shown[..., :4], unit(images)[..., :4].flip(3))


# --- masks --------------------------------------------------------------------------------------


@PRESETS
def test_a_mask_stays_on_its_image(preset):
    axis = torch.linspace(-1, 1, 128)
    disc = ((axis[:, None] + 0.2) ** 2 + (axis[None] - 0.1) ** 2 < 0.2)[None, None]
    masks = disc.repeat(16, 1, 1, 1)
    still = replace(preset, brightness=None, contrast=None, offset=None)
    image, mask = apply(still, masks.to(torch.uint8) * 255, draw(still, 16, (3,)), masks)
    assert mask.dtype == torch.bool
    # Where interpolation leaves no doubt, image and mask say the same.
    sure = (image < 0.01) | (image > 0.99)
    assert sure.float().mean() > 0.9
    assert torch.equal(mask[sure], image[sure] > 0.5)


def test_region_numbers_are_never_mixed():
    regions = torch.tensor([0, 5], dtype=torch.uint8).repeat_interleave(16).repeat(32, 1)
    masks = regions[None, None].repeat(8, 1, 1, 1)
    _, moved = apply(aug.MANET, pictures(8, 32), draw(aug.MANET, 8, (0,)), masks)
    assert moved.dtype == torch.uint8
    assert set(moved.unique().tolist()) == {0, 5}


def test_several_masks_move_like_one():
    masks = pictures(4, 32, channels=1) > 128
    pair = torch.cat([masks, ~masks], 1)
    draws = drawn(4, angle=25.0)
    alone = apply(aug.MANET, pictures(), draws, masks)[1]
    assert torch.equal(apply(aug.MANET, pictures(), draws, pair)[1][:, :1], alone)


# --- grey values --------------------------------------------------------------------------------


def test_brightness_multiplies_contrast_keeps_the_mean_offset_adds():
    images = (pictures(size=16) // 4 + 80).clamp(0, 150)  # far from both ends: nothing is clipped
    x = unit(images)
    torch.testing.assert_close(both(images, brightness=1.3), x * 1.3)
    mean = x.mean((1, 2, 3), keepdim=True)
    torch.testing.assert_close(both(images, contrast=0.6), mean + 0.6 * (x - mean))
    torch.testing.assert_close(both(images, offset=0.1), x + 0.1)
    order = mean * 1.3 + 0.6 * (1.3 * x - 1.3 * mean) - 0.1
    together = both(images, brightness=1.3, contrast=0.6, offset=-0.1)
    torch.testing.assert_close(together, order)


def test_grey_values_are_torchvisions():
    """Brightness and contrast against another implementation, in colour too."""
    functional = pytest.importorskip("torchvision.transforms.v2.functional")
    images = unit(pictures(3, 24, channels=3))
    expected = functional.adjust_contrast(functional.adjust_brightness(images, 1.4), 0.7)
    shown = both(images, brightness=1.4, contrast=0.7)
    torch.testing.assert_close(shown, expected, atol=1e-3, rtol=0)  # 0.2989, 0.587, 0.114 there


def test_grey_conversion_removes_colour_and_leaves_grey_images_alone():
    colour, grey = unit(pictures(2, channels=3)), pictures(2)
    shown = both(colour, grey=True)
    assert torch.equal(shown[:, 0], shown[:, 2])
    weights = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
    torch.testing.assert_close(shown[:, :1], (colour * weights).sum(1, keepdim=True))
    assert torch.equal(both(grey, grey=True), unit(grey))


@PRESETS
def test_the_range_is_kept(preset):
    images = torch.cat([pictures(30, 48), torch.full((2, 1, 48, 48), 255, dtype=torch.uint8)])
    shown = apply(preset, images, draw(preset, 32, (1,)), size=42)
    assert shown.dtype == torch.float32
    assert shown.min() >= 0 and shown.max() <= 1


def test_interpolation_never_leaves_the_range():
    """Whatever the rounding of its four weights: 1.0000001 would be refused further on."""
    white = torch.full((8, 1, 64, 64), 255, dtype=torch.uint8)
    turning = Augmentation(angle=Range(-30, 30), zoom=Range(0.8, 1.2))
    shown = apply(turning, white, draw(turning, 8, (0,)), size=60)
    assert shown.max() == 1
    aug.to_model_input(shown, "unit")


# --- draws --------------------------------------------------------------------------------------


@PRESETS
def test_a_sample_does_not_depend_on_its_batch(preset):
    images, draws = pictures(12, 40), draw(preset, 12, (0, 1, 2))
    together = apply(preset, images, draws, size=36)
    for place in ([7], [11, 3, 5], [0, 1, 2, 3]):
        rows = torch.tensor(place)
        alone = apply(preset, images[rows], draws[rows], size=36)
        torch.testing.assert_close(alone, together[rows], atol=1e-6, rtol=0)


@PRESETS
def test_draws_are_a_function_of_seed_epoch_and_step(preset):
    draws = draw(preset, 16, (0, 3, 5))
    torch.manual_seed(99)
    torch.rand(7)
    assert same(draws, draw(preset, 16, (0, 3, 5)))
    if preset not in (aug.NONE, aug.EVAL):
        others = [(1, 3, 5), (0, 5, 3), (0, 3, 6), (0, 3, 5, 1)]
        assert not any(same(draws, draw(preset, 16, key)) for key in others)


def test_drawing_leaves_the_global_generator_alone():
    state = torch.get_rng_state()
    draw(aug.MANET, 8, (0,))
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("world", [2, 3])
def test_processes_slice_the_batch_that_one_would_draw(world):
    images = pictures(12)
    draws = draw(aug.MANET, 12, (0, 0, 0))
    parts = [share(12, rank, world) for rank in range(world)]
    apart = torch.cat([apply(aug.MANET, images[part], draws[part]) for part in parts])
    torch.testing.assert_close(apart, apply(aug.MANET, images, draws), atol=1e-6, rtol=0)


def test_first_numbers_never_change():
    """A record names its seed: the same seed must go on meaning the same images."""
    draws = draw(aug.MSATL_CT, 3, (0, 4, 17))
    assert draws.left.tolist() == pytest.approx([0.936858935, 0.982447813, 0.756750281])
    assert draws.brightness.tolist() == pytest.approx([0.948985351, 0.70812202, 1.0])
    assert draws.flip_x.tolist() == [False, False, False]


@PRESETS
def test_every_operation_happens_as_often_as_it_says(preset):
    count = 20_000
    draws = draw(preset, count, (7,))
    neutral = identity(count)
    for name, expected in zip(OPERATIONS, preset.probabilities(), strict=True):
        if name == "crop" and preset.crop and preset.crop.high < 1:
            continue  # always happens: tested with its slices
        column = {"shift": "shift_x"}.get(name, name)
        happened = (getattr(draws, column) != getattr(neutral, column)).double().mean().item()
        if preset.random_number and expected:
            expected = 0.5  # each number from 0 to all is equally likely: half of them on average
        assert happened == pytest.approx(expected, abs=0.015), name  # four standard errors


def test_a_random_number_of_operations_is_uniform():
    draws = draw(aug.MAGSD_TABLE2, 14_000, (0,))
    happened = torch.stack(
        [
            draws.crop != 1,
            draws.angle != 0,
            draws.flip_x,
            draws.flip_y,
            draws.brightness != 1,
            draws.contrast != 1,
        ]
    ).sum(0)
    shares = torch.bincount(happened, minlength=7).double() / 14_000
    torch.testing.assert_close(shares, torch.full((7,), 1 / 7).double(), atol=0.012, rtol=0)


def test_operations_are_drawn_independently():
    draws = draw(aug.MANET, 20_000, (0,))
    happened = torch.stack([draws.shift_x != 0, draws.zoom != 1, draws.angle != 0]).double()
    assert torch.corrcoef(happened).fill_diagonal_(0).abs().max() < 0.03
    values = torch.stack([draws.shift_x, draws.shift_y, draws.zoom, draws.angle])
    assert torch.corrcoef(values)[2:, :2].abs().max() < 0.03


def published(name):
    folder = Path(covidlib.__file__).parent / "published_data"
    with open(folder / name, newline="") as file:
        return {row["metric"]: row["value"] for row in csv.DictReader(file)}


def test_magsd_draws_what_its_table_prints():
    table = published("magsd_table2.csv")
    draws = draw(aug.MAGSD_TABLE2, 20_000, (0,))
    for values, name in (
        (draws.brightness, "brightness_factor"),
        (draws.contrast, "contrast_factor"),
        (draws.angle, "rotation"),
    ):
        low, high = float(table[f"{name}_min"]), float(table[f"{name}_max"])
        assert low <= values.min() and values.max() <= high
        used = values[(values != 1) & (values != 0)]
        # Both ends are reached, within a hundredth of the range.
        assert used.min() < low + (high - low) / 100
        assert used.max() > high - (high - low) / 100


def test_manet_and_msatl_keep_their_ranges():
    draws = draw(aug.MANET, 20_000, (0,))
    for values, low, high in (
        (draws.shift_x, -0.0625, 0.0625),
        (draws.shift_y, -0.0625, 0.0625),
        (draws.zoom, 0.8, 1.2),
        (draws.angle, -30, 30),
        (draws.brightness, 0.8, 1.2),
        (draws.offset, -0.2, 0.2),
    ):
        assert values.min() == pytest.approx(low, abs=(high - low) / 100)
        assert values.max() == pytest.approx(high, abs=(high - low) / 100)
    jitter = draw(aug.MSATL_CT, 20_000, (0,)).contrast
    assert 0.6 <= jitter.min() < 0.61 and 1.39 < jitter.max() <= 1.4


# --- refusals -----------------------------------------------------------------------------------


def test_evaluation_takes_the_crop_that_training_always_takes():
    assert aug.MSATL_CT.centre() == aug.MSATL_NATURAL.centre() == aug.EVAL
    assert aug.MAGSD_TABLE2.centre() == aug.MANET.centre() == aug.NONE


@pytest.mark.parametrize(
    "settings",
    [
        lambda: Range(1, 0),
        lambda: Range(0, 1, 1.5),
        lambda: Augmentation(flip_x=-0.1),
        lambda: Augmentation(crop=Range(0.5, 1.1)),
        lambda: Augmentation(zoom=Range(0, 1)),
        lambda: Augmentation(contrast=Range(-1, 1)),
        lambda: Augmentation(border="mirror"),
    ],
)
def test_impossible_settings_are_refused(settings):
    with pytest.raises(ValueError):
        settings()


def test_what_does_not_belong_together_is_refused():
    images, draws = pictures(4), identity(4)
    with pytest.raises(ValueError, match="3 draws for 4 images"):
        apply(aug.NONE, images, draws[:3])
    with pytest.raises(ValueError, match="do not fit"):
        apply(aug.NONE, images, draws, images[:, :, :-1].bool())
    with pytest.raises(TypeError, match="masks are bool"):
        apply(aug.NONE, images, draws, images.float())
    with pytest.raises(ValueError, match="expected"):
        apply(aug.NONE, images[:, :, :-1], draws)
    with pytest.raises(ValueError, match="skip some of them"):
        apply(aug.NONE, images, draws, size=12)
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        apply(aug.NONE, images.float(), draws)


def test_autocast_changes_nothing():
    images, draws = pictures(8, 40), draw(aug.MANET, 8, (0,))
    expected = apply(aug.MANET, images, draws, size=36)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(apply(aug.MANET, images, draws, size=36), expected)


@pytest.mark.gpu
def test_a_gpu_shows_the_same_images():
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    images, draws = pictures(32, 256), draw(aug.MANET, 32, (0,))
    there = apply(aug.MANET, images.cuda(), draws, size=224).cpu()
    torch.testing.assert_close(there, apply(aug.MANET, images, draws, size=224), atol=1e-4, rtol=0)
