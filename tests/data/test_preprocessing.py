from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from covidlib.data import preprocessing
from covidlib.data.preprocessing import Preprocessing, prepare, prepare_mask
from covidlib.errors import DataError

SMALL = Preprocessing(size=16)


def noise(count: int, shape=(40, 50), seed=0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 256, shape, np.uint8) for _ in range(count)]


def triangle(line: np.ndarray, size: int) -> np.ndarray:
    """Resample one line with the triangle filter, widened by the reduction; the slow reference."""
    scale = len(line) / size
    centres = (np.arange(size) + 0.5) * scale
    support = max(scale, 1.0)
    result = np.empty(size)
    for i, centre in enumerate(centres):
        weights = [max(0.0, 1 - abs(x + 0.5 - centre) / support) for x in range(len(line))]
        result[i] = np.dot(weights, line) / sum(weights)
    return result


@pytest.mark.parametrize("shape", [(64, 64), (50, 37), (10, 90), (8, 8)])
def test_squash_is_the_antialiased_bilinear_filter(shape):
    image = noise(1, shape)[0]
    rows = np.apply_along_axis(triangle, 1, image.astype(float), 32)
    expected = np.apply_along_axis(triangle, 0, rows, 32)
    squashed = prepare(image, Preprocessing(size=32))
    assert squashed.dtype == np.uint8
    assert np.abs(squashed - expected).max() <= 1.01  # Pillow rounds after each axis


def test_a_gradient_stays_a_gradient_and_fine_stripes_turn_grey():
    gradient = np.tile(np.arange(256, dtype=np.uint8), (64, 1))
    row = prepare(gradient, Preprocessing(size=64))[30].astype(int)
    np.testing.assert_allclose(row[2:-2], (np.arange(64) * 4 + 1.5)[2:-2], atol=0.51)
    stripes = np.tile(np.array([0, 255], np.uint8), (64, 128))
    grey = prepare(stripes, Preprocessing(size=64)).astype(int)
    assert np.abs(grey[:, 1:-1] - 127.5).max() <= 0.5  # half of the filter is outside at the edge


def test_an_image_of_the_right_size_is_untouched():
    image = noise(1, (32, 32))[0]
    for fit in ("squash", "pad", "crop"):
        np.testing.assert_array_equal(prepare(image, Preprocessing(size=32, fit=fit)), image)


def test_pad_keeps_the_aspect_and_adds_black():
    image = np.full((20, 40), 200, np.uint8)
    wide = prepare(image, Preprocessing(size=32, fit="pad"))
    assert (wide[8:24] == 200).all()
    assert (wide[:8] == 0).all()
    assert (wide[24:] == 0).all()
    np.testing.assert_array_equal(prepare(image.T, Preprocessing(size=32, fit="pad")), wide.T)


def test_crop_shows_the_central_square():
    image = noise(1, (40, 100))[0]
    cropped = prepare(image, Preprocessing(size=20, fit="crop"))
    whole = np.asarray(Image.fromarray(image).resize((50, 20), Image.Resampling.BILINEAR))
    np.testing.assert_array_equal(cropped, whole[:, 15:35])


@pytest.mark.parametrize("fit", ["squash", "pad", "crop"])
def test_a_line_of_pixels_needs_no_memory(fit):
    line = np.full((1, 3_000_000), 9, np.uint8)
    prepared = prepare(line, Preprocessing(size=256, fit=fit))
    assert prepared.shape == (256, 256)
    assert prepared.max() == 9


@pytest.mark.parametrize("fit", ["squash", "pad", "crop"])
def test_masks_follow_their_images(fit):
    rows, columns = np.mgrid[:90, :130]
    disc = (rows - 50) ** 2 + (columns - 60) ** 2 < 35**2
    settings = Preprocessing(size=48, fit=fit)
    mask = prepare_mask(disc, settings)
    assert mask.dtype == np.uint8
    assert set(np.unique(mask)) == {0, 1}
    shown = prepare(disc.astype(np.uint8) * 255, settings)
    assert (mask[shown > 200] == 1).all()
    assert (mask[shown < 55] == 0).all()


def test_a_mask_pixel_is_set_from_half_its_area():
    blocks = np.zeros((16, 16), bool)
    blocks[0, 0] = blocks[0:2, 4] = blocks[4:6, 4:6] = True
    blocks[8:10, 8:10] = [[1, 1], [0, 1]]
    expected = np.zeros((8, 8), np.uint8)
    expected[0, 2] = expected[2, 2] = expected[4, 4] = 1
    np.testing.assert_array_equal(prepare_mask(blocks, Preprocessing(size=8)), expected)
    tiny = np.eye(8, dtype=bool)
    enlarged = prepare_mask(tiny, Preprocessing(size=32))
    np.testing.assert_array_equal(enlarged, np.kron(tiny, np.ones((4, 4))))


def scene() -> np.ndarray:
    """A smooth picture over the whole range of grey, with weak texture."""
    rows, columns = np.mgrid[:128, :128] / 128
    texture = np.random.default_rng(3).normal(0, 0.02, (128, 128))
    smooth = 0.5 + 0.4 * np.sin(3 * rows) * np.cos(4 * columns) + texture
    spread = (smooth - smooth.min()) / np.ptp(smooth)
    return np.rint(spread * 255).astype(np.uint8)


@pytest.mark.parametrize("clip", [3.0, 6.0])
def test_clahe_clip_means_what_it_means_in_opencv(clip):
    cv2 = pytest.importorskip("cv2", reason="OpenCV is the reference of the clip's unit")
    ours = prepare(scene(), Preprocessing(size=128, clahe_clip=clip)).astype(float)
    theirs = cv2.createCLAHE(clipLimit=clip, tileGridSize=(4, 4)).apply(scene()).astype(float)
    errors = {
        factor: np.abs(
            prepare(scene(), Preprocessing(size=128, clahe_clip=clip * factor)) - theirs
        ).mean()
        for factor in (0.2, 5.0)
    }
    assert np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] > 0.97
    assert np.abs(ours - theirs).mean() < min(errors.values())


def test_clahe_raises_local_contrast_and_leaves_padding_and_constants_alone():
    plain = prepare(scene(), Preprocessing(size=128))
    equal = prepare(scene(), Preprocessing(size=128, clahe_clip=4))
    assert np.diff(equal.astype(float)).std() > 1.5 * np.diff(plain.astype(float)).std()
    padded = prepare(scene()[:64], Preprocessing(size=128, fit="pad", clahe_clip=4))
    assert (padded[:32] == 0).all()
    assert (padded[96:] == 0).all()
    np.testing.assert_array_equal(
        padded[32:96], preprocessing._equalise(prepare(scene(), Preprocessing(size=128))[:64], 4, 4)
    )
    constant = np.full((30, 30), 77, np.uint8)
    assert (prepare(constant, Preprocessing(size=32, clahe_clip=4)) == 77).all()


def test_the_lung_mask_blackens_the_rest_and_nothing_else():
    image, lung = noise(1)[0], np.zeros((40, 50), bool)
    lung[10:30, 5:25] = True
    settings = Preprocessing(size=32, clahe_clip=4)
    masked = prepare(image, replace(settings, apply_lung_mask=True), lung)
    inside = prepare_mask(lung, settings) == 1
    assert (masked[~inside] == 0).all()
    np.testing.assert_array_equal(masked[inside], prepare(image, settings)[inside])
    with pytest.raises(DataError, match="no lung mask"):
        prepare(image, replace(settings, apply_lung_mask=True))


@pytest.mark.parametrize(
    "image",
    [np.zeros((9, 9), np.float32), np.zeros((9, 9), np.uint16), np.zeros((9, 9, 3), np.uint8)],
)
def test_images_and_masks_of_another_kind_are_refused(image):
    with pytest.raises(DataError, match="expected uint8"):
        prepare(image, SMALL)
    with pytest.raises(DataError, match="expected booleans"):
        prepare_mask(image, SMALL)


@pytest.mark.parametrize(
    "setting",
    [
        {"size": 4},
        {"fit": "stretch"},
        {"clahe_clip": 0.0},
        {"clahe_clip": 300.0},
        {"clahe_grid": 0, "clahe_clip": 4},
        {"clahe_grid": 64, "clahe_clip": 4},
        {"window": (5, 5)},
        {"window": "lung"},
    ],
)
def test_settings_outside_their_range_are_refused(setting):
    with pytest.raises(DataError, match=next(iter(setting))):
        Preprocessing(**setting)


def test_colour_is_of_another_shape_and_without_clahe():
    with pytest.raises(DataError, match="CLAHE is for grey"):
        Preprocessing(colour=True, clahe_clip=4)
    with pytest.raises(DataError, match=r"expected uint8 of shape \(H, W, 3\)"):
        prepare(np.zeros((8, 8), np.uint8), Preprocessing(size=8, colour=True))
