import math

import numpy as np
import pytest
import torch
from scipy import stats

from covidlib.data.normalisation import NORMALISATIONS, as_unit, to_model_input


def pictures(count=3, channels=1, size=8):
    seeded = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, channels, size, size), generator=seeded).to(torch.uint8)


def grey(value):
    return torch.full((1, 1, 4, 4), value, dtype=torch.uint8)


def test_every_grey_level_is_a_255th():
    levels = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)
    expected = torch.tensor([level / 255 for level in range(256)]).view(1, 1, 16, 16)
    assert torch.equal(as_unit(levels), expected)


@pytest.mark.parametrize("normalisation, black, white", [("unit", 0, 1), ("signed", -1, 1)])
def test_black_and_white_meet_the_ends(normalisation, black, white):
    assert (to_model_input(grey(0), normalisation) == black).all()
    assert (to_model_input(grey(255), normalisation) == white).all()


def test_zscore_is_per_image():
    images = pictures()
    images[1] //= 4  # darker and flatter than its neighbours
    shown = to_model_input(images, "zscore", channels=1)
    for image, result in zip(images.double(), shown, strict=True):
        values = image.flatten().tolist()
        mean = sum(values) / len(values)
        deviation = math.sqrt(sum((v - mean) ** 2 for v in values) / len(values))
        torch.testing.assert_close(
            result.double(), (image - mean) / deviation, atol=1e-5, rtol=1e-5
        )


def test_zscore_of_columns_is_what_scipy_does_to_a_picture_by_default():
    images = pictures()
    shown = to_model_input(images, "zscore-columns", channels=1)
    expected = np.stack([stats.zscore(image[0].numpy().astype(float)) for image in images])
    np.testing.assert_allclose(shown[:, 0], expected, atol=1e-5)
    images[1, :, :, 3] = 9
    shown = to_model_input(images, "zscore-columns", channels=1)
    assert shown[1, :, :, 3].abs().max() < 1e-5  # where SciPy gives NaN


@pytest.mark.parametrize("value", [0, 1, 77, 254, 255])
def test_zscore_of_a_constant_image_is_zero(value):
    image = torch.full((1, 1, 224, 224), value, dtype=torch.uint8)
    assert to_model_input(image, "zscore").abs().max() < 1e-5


def test_imagenet_is_torchvisions_normalisation():
    functional = pytest.importorskip("torchvision.transforms.v2.functional")
    images = pictures(channels=3)
    mean, std = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    expected = functional.normalize(as_unit(images), mean, std)
    torch.testing.assert_close(to_model_input(images, "imagenet"), expected)


@pytest.mark.parametrize("normalisation", NORMALISATIONS)
def test_grey_becomes_channels_and_bytes_equal_floats(normalisation):
    images = pictures()
    shown = to_model_input(images, normalisation)
    assert shown.shape == (3, 3, 8, 8) and shown.dtype == torch.float32
    assert shown.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(shown, to_model_input(as_unit(images), normalisation))
    if normalisation != "imagenet":
        assert torch.equal(shown[:, 0], shown[:, 1]) and torch.equal(shown[:, 0], shown[:, 2])


@pytest.mark.parametrize(
    "images, error",
    [
        (torch.zeros(2, 8, 8), ValueError),
        (torch.zeros(2, 1, 8, 8, dtype=torch.int64), TypeError),
        (torch.zeros(2, 1, 8, 8, dtype=torch.bool), TypeError),
        (torch.zeros(2, 1, 8, 8, dtype=torch.uint16), TypeError),
        (torch.full((2, 1, 8, 8), 255.0), ValueError),
        (torch.full((2, 1, 8, 8), -0.01), ValueError),
        (torch.full((2, 1, 8, 8), torch.nan), ValueError),
        (torch.tensor([0.5] * 7 + [torch.nan]).view(1, 1, 2, 4), ValueError),
    ],
)
def test_wrong_ranges_and_types_are_refused(images, error):
    with pytest.raises(error):
        to_model_input(images, "unit")


def test_what_no_network_expects_is_refused():
    with pytest.raises(ValueError, match="normalisation is one of"):
        to_model_input(pictures(), "minmax")
    with pytest.raises(ValueError, match="describes 3 channels"):
        to_model_input(pictures(), "imagenet", channels=1)
    with pytest.raises(ValueError, match="cannot turn 3 channels into 1"):
        to_model_input(pictures(channels=3), "unit", channels=1)
