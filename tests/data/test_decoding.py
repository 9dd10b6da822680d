import io
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile

from covidlib.data.decoding import (
    check_images,
    read_colour,
    read_grey,
    read_mask,
    read_uint8,
    refuse,
)
from covidlib.data.pixels import MAX_PIXELS
from covidlib.errors import DataError, UnreadableImages

GRADIENT = np.arange(48, dtype=np.uint8).reshape(6, 8) * 5
DEEP = np.linspace(0, 65535, 48).round().astype(np.uint16).reshape(6, 8)


def saved(path: Path, image, **options) -> Path:
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    image.save(path, **options)
    return path


def reason(path: Path) -> str:
    with pytest.raises(DataError) as error:
        read_grey(path)
    return str(error.value)


def header_only_png(path: Path, width: int, height: int) -> Path:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    body = header + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    return path


@pytest.mark.parametrize("suffix", ["png", "tif", "bmp"])
def test_eight_bits_come_back_as_stored(tmp_path, suffix):
    grey = read_grey(saved(tmp_path / f"a.{suffix}", GRADIENT))
    assert grey.dtype == np.uint8
    np.testing.assert_array_equal(grey, GRADIENT)


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_sixteen_bits_come_back_as_stored(tmp_path, suffix):
    grey = read_grey(saved(tmp_path / f"a.{suffix}", DEEP))
    assert grey.dtype == np.uint16
    assert grey.dtype.isnative
    np.testing.assert_array_equal(grey, DEEP)


def test_big_endian_tiff(tmp_path):
    path = tmp_path / "a.tif"
    body = DEEP.astype(">u2").tobytes()
    entries = [
        (256, 8),
        (257, 6),
        (258, 16),
        (259, 1),
        (262, 1),
        (273, 8),
        (278, 6),
        (279, len(body)),
    ]
    ifd = struct.pack(">H", len(entries))
    ifd += b"".join(struct.pack(">HHII", tag, 4, 1, value) for tag, value in entries)
    path.write_bytes(b"MM\0*" + struct.pack(">I", 8 + len(body)) + body + ifd + b"\0\0\0\0")
    np.testing.assert_array_equal(read_grey(path), DEEP)


@pytest.mark.parametrize(("values", "top"), [(GRADIENT, 255), (DEEP, 65535)])
def test_tiff_whose_zero_is_white_is_inverted(tmp_path, values, top):
    path = saved(tmp_path / "a.tif", values)
    black_is_zero = struct.pack("<HHII", 262, 3, 1, 1)
    assert path.read_bytes().count(black_is_zero) == 1
    path.write_bytes(path.read_bytes().replace(black_is_zero, struct.pack("<HHII", 262, 3, 1, 0)))
    np.testing.assert_array_equal(read_grey(path), top - values)


def test_colour_becomes_luma_and_grey_colour_keeps_its_grey(tmp_path):
    colours = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [90, 90, 90]]], np.uint8)
    np.testing.assert_array_equal(
        read_grey(saved(tmp_path / "a.png", colours)), [[76, 150, 29, 90]]
    )  # 0.299 R + 0.587 G + 0.114 B
    stacked = np.repeat(GRADIENT[..., None], 3, axis=2)
    np.testing.assert_array_equal(read_grey(saved(tmp_path / "b.png", stacked)), GRADIENT)


def test_palette_is_looked_up_not_read_as_grey(tmp_path):
    image = Image.new("P", (3, 1))
    image.putpalette([250, 250, 250, 10, 10, 10, 128, 128, 128])
    image.putdata([0, 1, 2])
    np.testing.assert_array_equal(read_grey(saved(tmp_path / "a.png", image)), [[250, 10, 128]])
    saved(tmp_path / "b.png", image, transparency=0)
    np.testing.assert_array_equal(read_grey(tmp_path / "b.png"), [[0, 10, 128]])


def test_one_bit_is_black_and_white(tmp_path):
    image = Image.fromarray(np.array([[0, 255, 0]], np.uint8)).convert("1")
    np.testing.assert_array_equal(read_grey(saved(tmp_path / "a.png", image)), [[0, 255, 0]])


def test_alpha_is_laid_over_black(tmp_path):
    rgba = np.array([[[200] * 3 + [255], [200] * 3 + [0], [200] * 3 + [128]]], np.uint8)
    grey = read_grey(saved(tmp_path / "a.png", rgba))
    np.testing.assert_array_equal(grey, [[200, 0, 100]])  # 200 * 128 / 255 = 100.4
    pairs = Image.fromarray(rgba).convert("LA")
    np.testing.assert_array_equal(read_grey(saved(tmp_path / "b.png", pairs)), grey)


def test_a_transparent_grey_value_is_black_at_both_depths(tmp_path):
    saved(tmp_path / "a.png", GRADIENT, transparency=int(GRADIENT[2, 3]))
    saved(tmp_path / "b.png", DEEP, transparency=int(DEEP[2, 3]))
    for name, values in (("a.png", GRADIENT), ("b.png", DEEP)):
        expected = values.copy()
        expected[2, 3] = 0
        np.testing.assert_array_equal(read_grey(tmp_path / name), expected)


def test_a_wholly_transparent_image_is_refused(tmp_path):
    rgba = np.full((4, 4, 4), 200, np.uint8)
    rgba[..., 3] = 0
    assert reason(saved(tmp_path / "a.png", rgba)) == "every pixel is transparent"


@pytest.mark.parametrize("suffix", ["jpg", "tif"])
def test_cmyk_white_is_white_and_black_is_black(tmp_path, suffix):
    ink = np.zeros((16, 32, 4), np.uint8)
    ink[:, 16:, 3] = 255
    path = saved(tmp_path / f"a.{suffix}", Image.frombytes("CMYK", (32, 16), ink.tobytes()))
    assert Image.open(path).mode == "CMYK"
    grey = read_grey(path)
    assert (grey[:, :16] == 255).all()
    assert (grey[:, 16:] == 0).all()


UPRIGHT = {  # what undoes each orientation of the EXIF standard (tag 274)
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.T,
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].T,
    8: lambda a: np.rot90(a),
}


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize("values", [GRADIENT, DEEP], ids=["8 bits", "16 bits"])
def test_exif_orientation_of_png(tmp_path, orientation, values):
    exif = Image.Exif()
    exif[274] = orientation
    grey = read_grey(saved(tmp_path / "a.png", values, exif=exif))
    np.testing.assert_array_equal(grey, UPRIGHT[orientation](values))


@pytest.mark.parametrize("orientation", UPRIGHT)
def test_exif_orientation_of_jpeg_and_tiff(tmp_path, orientation):
    corners = np.kron(
        np.array([[20, 80, 140], [180, 220, 250]], np.uint8), np.ones((16, 16), np.uint8)
    )
    exif = Image.Exif()
    exif[274] = orientation
    grey = read_grey(saved(tmp_path / "a.jpg", corners, exif=exif, quality=95))
    assert np.abs(grey.astype(int) - UPRIGHT[orientation](corners)).max() <= 3
    saved(tmp_path / "a.tif", corners, tiffinfo={274: orientation})
    np.testing.assert_array_equal(read_grey(tmp_path / "a.tif"), UPRIGHT[orientation](corners))


@pytest.fixture(params=["png", "jpg", "tif", "bmp"])
def textured(request, tmp_path) -> Path:
    noise = np.random.default_rng(0).integers(0, 256, (64, 80), np.uint8)
    return saved(tmp_path / f"whole.{request.param}", noise)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
@pytest.mark.parametrize("lenient", [False, True])
def test_truncation_is_found_even_where_pillow_is_told_to_forgive(textured, lenient, monkeypatch):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", lenient)
    whole = textured.read_bytes()
    for share in (0.02, 0.1, 0.5, 0.9, 0.98):
        textured.write_bytes(whole[: int(len(whole) * share)])
        assert reason(textured)
        assert lenient == ImageFile.LOAD_TRUNCATED_IMAGES
    textured.write_bytes(whole)
    assert read_grey(textured).shape == (64, 80)


def test_any_flipped_byte_of_a_png_is_found_or_harmless(tmp_path):
    whole = bytearray(saved(tmp_path / "a.png", GRADIENT).read_bytes())
    found = []
    for position in range(len(whole)):
        whole[position] ^= 0x41
        (tmp_path / "b.png").write_bytes(whole)
        whole[position] ^= 0x41
        try:
            np.testing.assert_array_equal(read_grey(tmp_path / "b.png"), GRADIENT)
        except DataError:
            found.append(position)
    # All but the end mark, whose length and checksum nothing depends on.
    assert set(range(len(whole) - 12)) <= set(found)


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's own, about damaged metadata
def test_damaged_bytes_raise_nothing_but_data_errors(textured):
    rng = np.random.default_rng(1)
    whole = np.frombuffer(textured.read_bytes(), np.uint8)
    for _ in range(150):
        bytes_ = whole.copy()
        bytes_[rng.integers(0, min(len(whole), 700), 4)] = rng.integers(0, 256, 4)
        textured.write_bytes(bytes_.tobytes())
        try:
            assert read_grey(textured).ndim == 2
        except DataError as error:
            assert str(error)


@pytest.mark.parametrize("side", [9_000, 10_000, 60_000])  # ours; Pillow's warning; Pillow's error
def test_absurd_sizes_are_refused_from_the_header_alone(tmp_path, side):
    assert side**2 > MAX_PIXELS
    path = header_only_png(tmp_path / "bomb.png", side, side)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        text = reason(path)
    assert "pixels" in text  # a decoder would have complained of the missing data instead
    assert "pixels" not in reason(header_only_png(tmp_path / "fair.png", 500, 500))


def test_several_images_in_one_file_are_refused_but_a_camera_jpeg_is_read(tmp_path):
    first, second = Image.fromarray(GRADIENT), Image.fromarray(GRADIENT[::-1])
    several = {"save_all": True, "append_images": [second]}
    assert "2 images" in reason(saved(tmp_path / "a.tif", first, **several))
    assert "2 images" in reason(saved(tmp_path / "a.png", first, **several))
    saved(tmp_path / "a.jpg", first, format="MPO", quality=100, **several)
    assert np.abs(read_grey(tmp_path / "a.jpg").astype(int) - GRADIENT).max() <= 3


def test_pixels_of_unknown_or_impossible_range_are_refused(tmp_path):
    assert "floating-point" in reason(saved(tmp_path / "a.tif", GRADIENT.astype(np.float32)))
    assert "16 bits" in reason(saved(tmp_path / "b.tif", GRADIENT.astype(np.int32) - 1))
    assert "16 bits" in reason(saved(tmp_path / "c.tif", GRADIENT.astype(np.int32) + 65536))
    fits = GRADIENT.astype(np.int32) * 257
    np.testing.assert_array_equal(read_grey(saved(tmp_path / "d.tif", fits)), fits)


def test_every_bad_file_is_reported_in_order(tmp_path):
    good = saved(tmp_path / "good.png", GRADIENT)
    empty, text, absent = (tmp_path / name for name in ("empty.png", "text.jpg", "absent.png"))
    empty.touch()
    text.write_text("<html>404</html>")
    bomb = header_only_png(tmp_path / "bomb.png", 60_000, 60_000)
    paths = [empty, good, text, absent, tmp_path, good, bomb]
    problems = check_images(paths)
    assert [p.path for p in problems] == [empty, text, absent, tmp_path, bomb]
    assert problems[0].reason == "empty file"
    assert "cannot identify" in problems[1].reason
    assert "No such file" in problems[2].reason
    with pytest.raises(UnreadableImages) as error:
        refuse(problems)
    assert all(f"{p.path}: {p.reason}" in str(error.value) for p in problems)
    assert str(error.value).startswith("5 files")
    assert check_images(iter(paths), workers=2) == problems


def test_twelve_bits_in_a_sixteen_bit_file_do_not_become_a_black_image(tmp_path):
    twelve = np.linspace(0, 4095, 48).astype(np.uint16).reshape(6, 8)
    path = saved(tmp_path / "a.png", twelve)
    with pytest.raises(DataError, match="nearly uniform"):
        read_uint8(path)
    np.testing.assert_array_equal(read_uint8(path, (0, 4095)), np.rint(twelve / 4095 * 255))
    (problem,) = check_images([path, saved(tmp_path / "b.png", DEEP)])
    assert problem.path == path and "spread them over it" in problem.reason
    with pytest.raises(DataError, match="low < high"):
        read_uint8(path, (5, 5))


def test_eight_bit_pictures_ignore_the_window(tmp_path):
    path = saved(tmp_path / "a.png", GRADIENT)
    np.testing.assert_array_equal(read_uint8(path, (-600, 1500)), GRADIENT)


@pytest.mark.parametrize("top", [1, 255])
def test_masks_of_two_values(tmp_path, top):
    drawn = np.eye(6, dtype=bool)
    mask = read_mask(saved(tmp_path / "a.png", drawn.astype(np.uint8) * top))
    assert mask.dtype == np.bool_
    np.testing.assert_array_equal(mask, drawn)


@pytest.mark.parametrize("values", [[0, 1, 2], [0, 128, 255], [0, 1, 255], [3, 3, 3]])
def test_masks_of_other_values_are_refused(tmp_path, values):
    path = saved(tmp_path / "a.png", np.array([values], np.uint8))
    with pytest.raises(DataError, match="a mask holds"):
        read_mask(path)


def test_every_real_image_decodes(real_data):
    paths = sorted(
        path
        for path in real_data.rglob("*")
        if path.suffix.lower() in (".png", ".jpg", ".jpeg") and path.is_file()
    )
    assert len(paths) >= 746
    assert check_images(paths) == []


def test_a_truncated_real_image_is_found(real_data, tmp_path):
    folder = real_data / "covid-ct" / "Images-processed"
    for suffix in ("png", "jpg"):
        source = sorted(folder.rglob(f"*.{suffix}"))[0].read_bytes()
        Image.open(io.BytesIO(source)).load()
        path = tmp_path / f"cut.{suffix}"
        path.write_bytes(source[: len(source) * 2 // 3])
        assert reason(path)


def test_colour_is_kept_and_grey_of_any_depth_is_repeated(tmp_path):
    random = np.random.default_rng(0)
    colour = random.integers(0, 256, (6, 7, 3), dtype=np.uint8)
    path = saved(tmp_path / "colour.png", colour)
    np.testing.assert_array_equal(read_colour(path), colour)
    for name, values in (
        ("grey.png", colour[..., 0]),
        ("deep.png", random.integers(0, 65536, (6, 7), dtype=np.uint16)),
    ):
        grey = saved(tmp_path / name, values)
        seen = read_colour(grey)
        assert seen.shape == (6, 7, 3) and seen.dtype == np.uint8
        for channel in range(3):
            np.testing.assert_array_equal(seen[..., channel], read_uint8(grey))
    see_through = np.dstack([colour, np.zeros((6, 7), np.uint8)])
    see_through[0, 0, 3] = 255
    laid = read_colour(saved(tmp_path / "alpha.png", see_through))
    np.testing.assert_array_equal(laid[0, 0], colour[0, 0])
    assert laid.sum() == colour[0, 0].sum()
    (tmp_path / "empty.png").write_bytes(b"")
    with pytest.raises(DataError, match="empty file"):
        read_colour(tmp_path / "empty.png")
