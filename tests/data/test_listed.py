"""Images listed in a CSV."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from covidlib.data import open_dataset
from covidlib.errors import DataError, DatasetMissing


@pytest.fixture
def home(tmp_path) -> Path:
    rng = np.random.default_rng(0)
    for name in ("a/1.png", "a/2.png", "b/1.png", "b/2.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (20, 20), dtype=np.uint8)).save(tmp_path / name)
    return tmp_path


def write(home: Path, text: str, encoding: str = "utf-8") -> None:
    (home / "list.csv").write_bytes(text.encode(encoding))


def test_columns_are_taken_whatever_their_order_case_and_separator(home):
    for separator in (",", ";", "\t"):
        lines = [
            ["Label", "PATH", "patient", "note"],
            ["ill", "a/1.png", "P1", "x"],
            ["ill", "a/2.png", "P1", ""],
            ["well", "b/1.png", " ", "y"],
            ["", "b/2.png", "P2", ""],
        ]
        write(home, "\n".join(separator.join(line) for line in lines))
        found = open_dataset("list.csv", home)
        assert found.classes == ("ill", "well")
        table = found.table.set_index("sample")
        assert table["label"].fillna("?").tolist() == ["ill", "ill", "well", "?"]
        assert table["patient"].fillna("?").tolist() == ["P1", "P1", "?", "P2"]
        assert table["split"].isna().all()
        assert table.loc["b/1.png", "path"] == str((home / "b/1.png").resolve())
        assert "note" not in table
        assert not found.phantom


def test_no_finding_may_be_a_class_and_words_for_unknown_are_not(home):
    write(home, "path,label,patient\na/1.png,None,None\na/2.png,ill,NA\nb/1.png,NA,P1\nb/2.png\n")
    found = open_dataset("list.csv", home)
    assert found.classes == ("None", "ill")
    assert found.table["label"].fillna("?").tolist() == ["None", "ill", "?", "?"]
    assert found.table["patient"].fillna("?").tolist() == ["?", "?", "P1", "?"]


def test_a_byte_order_mark_backslashes_and_absolute_paths_are_understood(home):
    write(home, f"path,label,split\na\\1.png,x,train\n{home}/b/1.png,y,test\n", "utf-8-sig")
    table = open_dataset("list.csv", home).table
    assert set(table["split"]) == {"train", "test"}
    assert all(Path(path).is_file() for path in table["path"])


def test_the_images_decide_the_fingerprint_not_the_place_of_the_list(home, tmp_path_factory):
    import shutil

    write(home, "path,label\na/1.png,x\nb/1.png,y\n")
    copy = tmp_path_factory.mktemp("copy") / "home"
    shutil.copytree(home, copy)
    first, second = (open_dataset("list.csv", place) for place in (home, copy))
    assert first.fingerprint == second.fingerprint


def test_drawn_images_are_said_to_be_drawn(home):
    write(home, "path,label\na/1.png,x\nb/1.png,y\n")
    (home / "phantom.json").write_text("{}")
    assert open_dataset("list.csv", home).phantom


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "cannot be read as a CSV"),
        ("file,label\na/1.png,x\n", r"lacks the columns \['path'\].*columns path and label"),
        ("path,label\n,x\n", "line 2: no path"),
        ("path,label\na/1.png,x\na/1.png,y\n", "names 1 images twice, the first is 'a/1.png'"),
        ("path,label\na/1.png,x\na/9.png,y\nb/9.png,y\n", "2 of 3 files .* first is 'a/9.png'"),
        ("path,label,split\na/1.png,x,dev\n", r"unknown split \['dev'\]"),
    ],
)
def test_a_bad_list_is_an_error_that_says_where(home, text, message):
    write(home, text)
    with pytest.raises(DataError, match=message):
        open_dataset("list.csv", home)


def test_no_list_no_rows_and_another_encoding_are_errors(home):
    with pytest.raises(DatasetMissing, match="no file"):
        open_dataset("list.csv", home)
    write(home, "path,label\n")
    with pytest.raises(DatasetMissing, match="no image"):
        open_dataset("list.csv", home)
    write(home, "path,label\na/1.png,gesünder\n", "latin-1")
    with pytest.raises(DataError, match="UTF-8"):
        open_dataset("list.csv", home)
