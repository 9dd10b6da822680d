"""Grey pictures in DICOM files, with the range that they are meant to be shown in."""

from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from covidlib.data.pixels import Pixels, check_size, scaled
from covidlib.errors import CovidlibError, DataError

if TYPE_CHECKING:
    from pydicom import Dataset


class MissingExtra(CovidlibError):
    """An optional package that a file needs; the message says how to install it."""


def read_dicom(file: BinaryIO) -> Pixels:
    """Decode one grey frame; VOI look-up tables and sigmoid windows are not applied."""
    try:
        import pydicom
    except ImportError as error:
        text = f"{file.name}: DICOM files need pydicom: pip install 'covidlib[dicom]'"
        raise MissingExtra(text) from error
    header = pydicom.dcmread(file, stop_before_pixels=True)
    check_size(header.Columns, header.Rows)
    if (frames := int(header.get("NumberOfFrames") or 1)) > 1:
        raise DataError(f"holds {frames} images, one is expected")
    if header.PhotometricInterpretation not in ("MONOCHROME1", "MONOCHROME2"):
        raise DataError(f"{header.PhotometricInterpretation} is not a grey DICOM image")
    if "ModalityLUTSequence" in header:
        raise DataError("a modality look-up table, where slope and intercept are expected")
    dark_is_high = header.PhotometricInterpretation == "MONOCHROME1"
    file.seek(0)
    stored = pydicom.dcmread(file).pixel_array
    slope, intercept = (
        float(header.get("RescaleSlope", 1)),
        float(header.get("RescaleIntercept", 0)),
    )
    values = stored.astype(np.float32) * slope + intercept
    if "PixelPaddingValue" in header and (outside := stored == header.PixelPaddingValue).any():
        if outside.all():
            raise DataError("every pixel is padding")
        values[outside] = values[~outside].max() if dark_is_high else values[~outside].min()
    low, high = _display_range(header, slope, intercept)
    pixels = Pixels(values, low, high, dark_is_high)
    if header.BitsStored > 8:
        return pixels
    return Pixels(scaled(pixels, low, high, np.uint8), 0, 255)


def _display_range(header: "Dataset", slope: float, intercept: float) -> tuple[float, float]:
    """Return the first linear window (DICOM PS3.3 C.11.2.1.2), else the range of stored bits."""
    width, centre = (np.atleast_1d(header.get(f"Window{n}", [])) for n in ("Width", "Center"))
    if len(width) and len(centre) and float(width[0]) > 1:
        middle, half = float(centre[0]) - 0.5, (float(width[0]) - 1) / 2
        return middle - half, middle + half
    signed = header.PixelRepresentation
    least = -(2 ** (header.BitsStored - 1)) if signed else 0
    ends = least * slope + intercept, (least + 2**header.BitsStored - 1) * slope + intercept
    return min(ends), max(ends)
