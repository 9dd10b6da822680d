"""From an image file to grey values, and every file that cannot be read, named."""

import re
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NoReturn

import numpy as np
from joblib import Parallel, delayed
from PIL import ExifTags, Image, ImageFile, ImageOps

from covidlib.data.dicom import read_dicom
from covidlib.data.pixels import Pixels, Window, check_size, scaled, to_uint8
from covidlib.errors import CovidlibError, DataError, UnreadableImages

FORMATS = ("PNG", "JPEG", "TIFF", "BMP")
GREY16 = ("I;16", "I;16L", "I;16B")

Convert = Callable[[Image.Image], np.ndarray]


@dataclass(frozen=True)
class Problem:
    """A file that cannot be used, and why."""

    path: Path
    reason: str


def read_grey(path: str | Path) -> np.ndarray:
    """Decode one image to grey, upright, at its stored depth.

    Colour becomes luma (ITU-R BT.601), whatever is transparent becomes black, EXIF orientation is
    applied, colour profiles and gamma are not. Colour or alpha of 16 bits keeps its high byte. A
    DICOM file of more than 8 bits is scaled from its own display range to the whole of uint16.

    Returns:
        uint8 or uint16. Shape: (H, W).

    Raises:
        DataError: not an image, empty, truncated, damaged, too large, several frames, no grey.
        MissingExtra: a DICOM file, and pydicom is not installed.
    """
    pixels = read_pixels(path)
    if pixels.values.dtype in (np.uint8, np.uint16):
        return pixels.values
    return scaled(pixels, pixels.low, pixels.high, np.uint16)


def read_uint8(path: str | Path, window: Window = "full") -> np.ndarray:
    """Decode one image to 8 bits; pictures of 8 bits are taken as they are.

    Args:
        path: the file.
        window: how more than 8 bits become 8, always linear, clipped and rounded to the nearest.
            "full": the range of the file: 0 to 65535 for PNG and TIFF; for DICOM its first linear
            display window, or its stored bits where it has none. "minmax": darkest to brightest
            pixel of each image. (low, high): these values, in Hounsfield units for a DICOM CT.

    Raises:
        DataError: as ``read_grey``; or "full" would use less than 1/16 of the 256 grey levels.
    """
    pixels = read_pixels(path)
    return pixels.values if pixels.values.dtype == np.uint8 else to_uint8(pixels, window)


def read_colour(path: str | Path, window: Window = "full") -> np.ndarray:
    """Decode one image to 8 bits of red, green and blue, upright.

    What is transparent becomes black; a picture without colour has three equal channels.

    Args:
        path: the file.
        window: how more than 8 bits of grey become 8, see ``read_uint8``.

    Returns:
        uint8. Shape: (H, W, 3).

    Raises:
        DataError: as ``read_grey``.
    """
    path = Path(path)
    values = _decoded(path, _to_colour)
    if isinstance(values, np.ndarray) and values.ndim == 3:
        return values
    grey = read_uint8(path, window)
    return np.repeat(grey[..., None], 3, axis=2)


def read_mask(path: str | Path) -> np.ndarray:
    """Decode a mask of two values to booleans.

    Raises:
        DataError: as ``read_grey``; or values other than {0, 1} or {0, 255}.
    """
    values = read_grey(path)
    present = np.unique(values).tolist()
    if not (set(present) <= {0, 1} or set(present) <= {0, 255}):
        raise DataError(f"a mask holds 0 and 1, or 0 and 255; this one {str(present[:5])[1:-1]} …")
    return values > 0


def check_images(paths: Iterable[str | Path], workers: int | None = 1) -> list[Problem]:
    """Decode every file to 8 bits and return those that fail, in the order given.

    Args:
        paths: image files; those that are not there are problems too.
        workers: processes, None for one per core.
    """
    paths = list(paths)
    reasons = Parallel(n_jobs=workers or -1)(delayed(_failure)(path) for path in paths)
    return [Problem(Path(path), why) for path, why in zip(paths, reasons, strict=True) if why]


def refuse(problems: Iterable[Problem]) -> NoReturn:
    """Raise UnreadableImages naming every problem."""
    lines = [f"  {problem.path}: {problem.reason}" for problem in problems]
    ways_out = "Replace them or take them away; `covidlib list` makes a list without them."
    raise UnreadableImages("\n".join([f"{len(lines)} files cannot be used:", *lines, ways_out]))


def read_pixels(path: str | Path) -> Pixels:
    """Decode one image without choosing a window, see ``read_grey``."""
    values = _decoded(Path(path), _to_grey)
    if isinstance(values, Pixels):
        return values
    return Pixels(values, 0, np.iinfo(values.dtype).max)


def _decoded(path: Path, convert: Convert) -> np.ndarray | Pixels:
    """Return what a picture holds, converted, or the pixels of a DICOM file."""
    try:
        with open(path, "rb") as file, _strict_pillow():
            start = file.read(132)
            if not start:
                raise DataError("empty file")
            file.seek(0)
            if start[128:] == b"DICM" or path.suffix.lower() in (".dcm", ".dicom"):
                return read_dicom(file)
            return _read_picture(file, convert)
    except CovidlibError:
        raise
    except Exception as error:
        # Damaged bytes make decoders raise anything, from OSError to KeyError and SyntaxError.
        text = re.sub(r"<_io\.BufferedReader name=.*?>", path.name, str(error))
        raise DataError(f"{type(error).__name__}: {text}") from error


def _failure(path: str | Path) -> str | None:
    try:
        read_uint8(path)
    except DataError as error:
        return str(error)
    return None


@contextmanager
def _strict_pillow() -> Iterator[None]:
    """Let Pillow neither fill truncated images with grey nor open one that it warns of."""
    lenient, ImageFile.LOAD_TRUNCATED_IMAGES = ImageFile.LOAD_TRUNCATED_IMAGES, False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            yield
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = lenient


def _read_picture(file: BinaryIO, convert: Convert) -> np.ndarray:
    # An open file, not its name: by name, Pillow maps an uncompressed TIFF into memory with the
    # sides of the turned image, and so garbles orientations 5 to 8.
    with Image.open(file, formats=FORMATS) as image:
        check_size(*image.size)
        # An MPO file is a camera's JPEG followed by other renderings of the same picture.
        if image.format != "MPO" and (frames := getattr(image, "n_frames", 1)) > 1:
            raise DataError(f"holds {frames} images, one is expected")
        if image.format == "PNG":
            image.verify()  # the checksums, which decoding skips; the image is spent by it
    file.seek(0)
    with Image.open(file, formats=FORMATS) as image:
        image.load()
        white_is_zero = (
            image.format == "TIFF"
            and image.mode in GREY16
            and image.tag_v2[ExifTags.Base.PhotometricInterpretation] == 0
        )
        ImageOps.exif_transpose(image, in_place=True)
        values = convert(image)
    return 65535 - values if white_is_zero else values


def _to_grey(image: Image.Image) -> np.ndarray:
    """Return uint8 or uint16 grey from any mode of Pillow."""
    if image.mode in (*GREY16, "I"):
        values = np.asarray(image)
        if values.min() < 0 or values.max() > 65535:
            raise DataError(f"values from {values.min()} to {values.max()} do not fit 16 bits")
        return np.where(values == image.info.get("transparency", -1), 0, values).astype(np.uint16)
    if image.mode == "F":
        raise DataError("floating-point pixels, whose range nobody knows; 8 or 16 bits are needed")
    return np.array(_on_black(image).convert("L"))


def _to_colour(image: Image.Image) -> np.ndarray:
    """Return uint8 (H, W, 3), or what ``_to_grey`` makes of more than 8 bits of grey."""
    if image.mode in (*GREY16, "I", "F"):
        return _to_grey(image)
    return np.array(_on_black(image).convert("RGB"))


def _on_black(image: Image.Image) -> Image.Image:
    """Return an image whose transparent parts are black."""
    if not image.has_transparency_data:
        return image
    image = image.convert("RGBA")
    if image.getchannel("A").getextrema() == (0, 0):
        raise DataError("every pixel is transparent")
    return Image.alpha_composite(Image.new("RGBA", image.size, (0, 0, 0, 255)), image)
