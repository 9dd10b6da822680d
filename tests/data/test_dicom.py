import builtins
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from covidlib.data.decoding import check_images, read_grey, read_uint8
from covidlib.data.dicom import MissingExtra
from covidlib.errors import DataError

GRADIENT = np.arange(48, dtype=np.uint8).reshape(6, 8) * 5
DEEP = np.linspace(0, 65535, 48).round().astype(np.uint16).reshape(6, 8)


def reason(path: Path) -> str:
    with pytest.raises(DataError) as error:
        read_grey(path)
    return str(error.value)


def dicom(path: Path, values: np.ndarray, bits: int = 16, **tags) -> Path:
    pydicom = pytest.importorskip("pydicom", reason="DICOM needs the extra covidlib[dicom]")
    meta = pydicom.dataset.FileMetaDataset()
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    meta.MediaStorageSOPInstanceUID = "1.2.3"
    meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    data = pydicom.Dataset()
    data.file_meta = meta
    data.Rows, data.Columns = values.shape
    data.SamplesPerPixel, data.BitsAllocated = 1, values.dtype.itemsize * 8
    data.BitsStored, data.HighBit = bits, bits - 1
    data.PixelRepresentation = int(values.dtype.kind == "i")
    data.PhotometricInterpretation = "MONOCHROME2"
    data.PixelData = values.tobytes()
    for tag, value in tags.items():
        setattr(data, tag, value)
    data.save_as(path, enforce_file_format=True)
    return path


HOUNSFIELD = np.array([[-1000, -600, 0, 400], [-1350, 150, -225, 3000]], np.int16)


def test_dicom_of_twelve_stored_bits_fills_the_range(tmp_path):
    stored = np.array([[0, 1, 2048, 4095]], np.uint16)
    grey = read_grey(dicom(tmp_path / "a.dcm", stored, 12))
    assert grey.dtype == np.uint16
    np.testing.assert_array_equal(grey, np.rint(stored / 4095 * 65535))
    inverse = dicom(tmp_path / "b.dcm", stored, 12, PhotometricInterpretation="MONOCHROME1")
    np.testing.assert_array_equal(read_grey(inverse), np.rint((1 - stored / 4095) * 65535))


def test_dicom_window_is_in_rescaled_units(tmp_path):
    stored = (HOUNSFIELD + 1500).astype(np.uint16)
    path = tmp_path / "ct"  # no suffix: recognised by its content
    dicom(path, stored, RescaleSlope=1, RescaleIntercept=-1500)
    lung = (HOUNSFIELD.clip(-1350, 150) + 1350) / 1500  # centre -600, width 1500
    np.testing.assert_array_equal(read_uint8(path, (-1350, 150)), np.rint(lung * 255))
    dicom(path, stored // 2, RescaleSlope=1, RescaleIntercept=-1500)
    with pytest.raises(DataError, match="nearly uniform"):
        read_uint8(path)  # 16 stored bits of which a CT uses few, and no window in the file


def test_dicom_own_window_and_slope(tmp_path):
    stored = np.array([[-20, 0, 50, 100, 140]], np.int16)
    tags = {
        "RescaleSlope": 2,
        "RescaleIntercept": 10,
        "WindowCenter": [110.5, 40],
        "WindowWidth": [201, 400],
    }
    grey = read_grey(dicom(tmp_path / "a.dcm", stored, 16, **tags))
    shown = (np.array([[-30, 10, 110, 210, 290]]).clip(10, 210) - 10) / 200
    np.testing.assert_array_equal(grey, np.rint(shown * 65535))


def test_dicom_of_eight_bits_is_taken_as_it_is(tmp_path):
    np.testing.assert_array_equal(read_grey(dicom(tmp_path / "a.dcm", GRADIENT, 8)), GRADIENT)
    negative = dicom(tmp_path / "b.dcm", GRADIENT, 8, PhotometricInterpretation="MONOCHROME1")
    np.testing.assert_array_equal(read_uint8(negative), 255 - GRADIENT)


@pytest.mark.parametrize(("shown", "black"), [("MONOCHROME2", 10), ("MONOCHROME1", 4000)])
def test_dicom_padding_is_the_darkest_value(tmp_path, shown, black):
    stored = np.array([[63, 10, 2000, 4000]], np.uint16)
    tags = {"PhotometricInterpretation": shown, "PixelPaddingValue": 63}
    grey = read_grey(dicom(tmp_path / "a.dcm", stored, 12, **tags))
    assert grey[0, 0] == grey.min() == grey[stored == black][0]


@pytest.mark.parametrize(
    ("tags", "said"),
    [
        ({"NumberOfFrames": 2}, "2 images"),
        ({"Rows": 9000, "Columns": 9000}, "9000 x 9000 pixels"),
        ({"PhotometricInterpretation": "RGB"}, "RGB"),
        ({"Rows": 40}, "ValueError"),
    ],
)
def test_dicom_refusals(tmp_path, tags, said):
    assert said in reason(dicom(tmp_path / "a.dcm", DEEP, **tags))


def test_truncated_and_false_dicom(tmp_path):
    path = dicom(tmp_path / "a.dcm", DEEP)
    path.write_bytes(path.read_bytes()[:-20])
    assert reason(path)
    path.write_bytes(b"not a picture at all")
    assert "InvalidDicomError" in reason(path)


def test_without_pydicom_the_extra_is_named(tmp_path, monkeypatch):
    path = tmp_path / "a.dcm"
    path.write_bytes(b"\0" * 128 + b"DICM")
    monkeypatch.setitem(sys.modules, "pydicom", None)
    for read in (read_grey, read_uint8, lambda p: check_images([p])):
        with pytest.raises(MissingExtra, match=r"covidlib\[dicom\]"):
            read(path)


def test_dicom_is_not_imported_for_other_files(tmp_path, monkeypatch):
    original = builtins.__import__

    def guarded(name, *rest, **options):
        assert not name.startswith("pydicom")
        return original(name, *rest, **options)

    monkeypatch.setattr(builtins, "__import__", guarded)
    Image.fromarray(GRADIENT).save(tmp_path / "a.png")
    read_grey(tmp_path / "a.png")
