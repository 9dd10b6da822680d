import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from covidlib.data.findings import FACTS, FRAMES, PATHS, class_properties, find, read, write
from covidlib.data.table import COLUMNS, Dataset
from covidlib.errors import DataError

CLASSES = ("NonCOVID", "COVID")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Dataset:
    folder = tmp_path_factory.mktemp("images")
    random = np.random.default_rng(0)
    rows = []
    for number in range(40):
        positive = number % 2
        image = random.integers(0, 256, (30, 40 + 10 * positive), dtype=np.uint8)
        name = f"{number}.{'png' if positive else 'jpg'}"
        Image.fromarray(image).save(folder / name)
        split = ("train", "val", "test", "train")[number // 2 % 4]
        patient = f"p{number // 4}" if positive else pd.NA
        rows.append((name, str(folder / name), CLASSES[positive], patient, "here", split))
    table = pd.DataFrame(rows, columns=["sample", "path", "label", "patient", "source", "split"])
    return Dataset("small", table.reindex(columns=list(COLUMNS)).astype("string"), CLASSES)


@pytest.fixture(scope="module")
def found(dataset):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("covidlib.data.floors.TREES", 10)
        return find(dataset, "laptop", seeds=2)


def test_class_properties_are_ranges_medians_and_shares(dataset):
    frame = class_properties(dataset)
    covid = frame["COVID"]
    assert covid["images"] == "20" and covid["patients"] == "10" and covid["sources"] == "1"
    assert frame.loc["patients", "NonCOVID"] == "0"
    assert covid["width, pixels"] == "50–50 (50)"
    assert covid["width : height"] == "1.67–1.67 (1.67)"
    assert frame.loc["file type jpg"].tolist() == ["100%", "0%"]
    assert frame.loc["colour mode L"].tolist() == ["100%", "100%"]


def test_what_is_found_agrees_with_its_parts(dataset, found):
    assert found.sides == (30, 50)
    assert found.counts.loc["COVID", "train"] == 10
    assert found.fingerprint == dataset.fingerprint
    assert found.leaks.loc["sources", "test images"] == 10
    assert found.provenance["phantom"] is False and found.provenance["profile"] == "laptop"
    measured = found.measured("size and shape", resamples=50)
    assert measured.counts and measured.intervals["auc"].value == 1


def test_findings_come_back_as_they_were_without_paths(found, tmp_path):
    back = read(write(found, tmp_path / "kept"))
    for name in FRAMES:
        expected = getattr(found, name).drop(columns=PATHS, errors="ignore")
        pd.testing.assert_frame_equal(getattr(back, name), expected, check_dtype=False)
    assert (back.name, back.sides, back.fingerprint) == (found.name, found.sides, found.fingerprint)
    assert back.provenance == found.provenance
    assert list(back.runs) == list(found.runs)
    for floor, runs in found.runs.items():
        for one, other in zip(runs, back.runs[floor], strict=True):
            pd.testing.assert_frame_equal(one, other.reset_index(drop=True), check_dtype=False)


def test_no_path_of_this_machine_is_kept(found, dataset, tmp_path):
    text = (write(found, tmp_path / "kept") / FACTS).read_text()
    assert str(dataset.table["path"].iloc[0]) not in text
    assert json.loads(text)["name"] == "small"


def test_findings_are_never_replaced(found, tmp_path):
    write(found, tmp_path)
    with pytest.raises(DataError, match="holds findings"):
        write(found, tmp_path)


def test_findings_of_phantoms_are_never_kept(dataset, tmp_path, monkeypatch):
    monkeypatch.setattr("covidlib.data.floors.TREES", 3)
    drawn = Dataset("small", dataset.table, CLASSES, phantom=True)
    with pytest.raises(DataError, match="only findings of real images"):
        write(find(drawn, "laptop", seeds=1), tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_folder_without_findings_says_what_is_missing(tmp_path):
    with pytest.raises(DataError, match=r"floors\.parquet"):
        read(tmp_path)
