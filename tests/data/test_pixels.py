import numpy as np

from covidlib.data.pixels import Pixels, to_uint8


def test_wide_values_map_as_documented():
    rng = np.random.default_rng(2)
    values = rng.integers(0, 65536, (5, 7)).astype(np.uint16)
    pixels = Pixels(values, 0, 65535)
    np.testing.assert_array_equal(to_uint8(pixels), np.rint(values / 257))
    low, high = 10_000, 30_000
    for value, mapped in zip(values.flat, to_uint8(pixels, (low, high)).flat, strict=True):
        expected = 0 if value < low else 255 if value > high else (int(value) - low) / 20_000 * 255
        assert abs(mapped - expected) <= 0.5 + 1e-9
    spread = to_uint8(pixels, "minmax")
    assert (spread.min(), spread.max()) == (0, 255)
    assert (to_uint8(Pixels(np.full((2, 2), 7, np.uint16), 0, 65535), "minmax") == 0).all()


def test_an_inverted_picture_is_the_negative():
    values = np.array([[-1000.0, 0.0, 1000.0]], np.float32)
    np.testing.assert_array_equal(to_uint8(Pixels(values, -1000, 1000)), [[0, 128, 255]])
    np.testing.assert_array_equal(to_uint8(Pixels(values, -1000, 1000, True)), [[255, 128, 0]])
    np.testing.assert_array_equal(
        to_uint8(Pixels(values, -1000, 1000, True), (0, 500)), [[255, 255, 0]]
    )
