import numpy as np
import pandas as pd
import pytest
from PIL import Image

from covidlib.data.properties import (
    STATISTICS,
    file_properties,
    frame,
    grey_statistics,
    pixel_properties,
)
from covidlib.errors import DataError


def statistics(values: np.ndarray) -> dict[str, float]:
    return dict(zip(STATISTICS, grey_statistics(values), strict=True))


@pytest.fixture
def files(tmp_path) -> pd.DataFrame:
    Image.new("RGBA", (30, 20)).save(tmp_path / "a.PNG")
    Image.new("L", (10, 40)).save(tmp_path / "b.jpg")
    names = ["a.PNG", "b.jpg"]
    return pd.DataFrame({"sample": names, "path": [str(tmp_path / name) for name in names]})


def test_properties_are_read_from_the_files(files):
    found = file_properties(files.astype("string").set_index(pd.Index([7, 3])))
    assert found.loc[7].to_dict() == {
        "width": 30,
        "height": 20,
        "mode": "RGBA",
        "aspect": 1.5,
        "suffix": "png",
    }
    assert found.loc[3].to_dict() | {"suffix": "jpg", "mode": "L"} == found.loc[3].to_dict()
    assert found.loc[3, "aspect"] == 0.25


def test_the_original_files_count_where_they_are_known(files):
    known = files.assign(width=[300, 200], height=[100, 100], mode=["L", "RGB"])
    found = file_properties(known)
    assert found[["width", "height", "aspect", "mode"]].to_numpy().tolist() == [
        [300, 100, 3, "L"],
        [200, 100, 2, "RGB"],
    ]


def test_known_and_unknown_originals_are_not_mixed(files):
    partly = files.assign(
        width=pd.array([300, pd.NA], dtype="Int64"), height=[100, 100], mode=["L", "L"]
    )
    assert file_properties(partly)["width"].tolist() == [30, 10]


def test_a_name_without_suffix_has_its_own_category(tmp_path):
    Image.new("L", (8, 8)).save(tmp_path / "plain.png")
    table = pd.DataFrame({"sample": ["v1.2/plain"], "path": [str(tmp_path / "plain.png")]})
    assert file_properties(table)["suffix"].tolist() == ["none"]


def test_statistics_of_two_halves_are_known():
    halves = np.zeros((224, 224), np.uint8)
    halves[:, 112:] = 255
    found = statistics(halves)
    assert found["mean"] == pytest.approx(0.5)
    assert found["standard deviation"] == pytest.approx(0.5)
    assert found["skewness"] == pytest.approx(0)
    assert found["kurtosis"] == pytest.approx(-2)  # the least there is
    assert found["entropy"] == pytest.approx(np.log(2))
    assert found["dark share"] == pytest.approx(0.5)
    assert (found["percentile 25"], found["percentile 75"]) == (0, 1)
    # Central differences: half a step in each of the two columns beside the edge.
    assert found["mean gradient"] == pytest.approx(2 * 0.5 / 224)


@pytest.mark.parametrize("grey", [0, 128, 255])
def test_a_uniform_image_has_finite_statistics(grey):
    found = statistics(np.full((50, 70), grey, np.uint8))
    assert np.isfinite(list(found.values())).all()
    assert found["mean"] == pytest.approx(grey / 255)
    assert found["standard deviation"] == found["entropy"] == found["mean gradient"] == 0


def test_the_frame_does_not_see_the_inside():
    image = np.full((32, 32), 51, np.uint8)
    inside = image.copy()
    inside[3:-3, 3:-3] = 255
    assert frame(image).shape == (32 * 32 - 26 * 26,)
    np.testing.assert_allclose(frame(image), 0.2)
    np.testing.assert_array_equal(frame(image), frame(inside))
    image[2, 16] = 255
    assert frame(image).max() == 1


def test_pixels_do_not_depend_on_contrast_of_deep_files(tmp_path):
    values = np.random.default_rng(0).integers(0, 256, (40, 40), dtype=np.uint8)
    values[0, :2] = 0, 255
    Image.fromarray(values).save(tmp_path / "flat.png")
    Image.fromarray(values.astype(np.uint16) * 16).save(tmp_path / "deep.png")
    flat, deep = (pixel_properties(str(tmp_path / f"{name}.png")) for name in ("flat", "deep"))
    for one, other in zip(flat, deep, strict=True):
        np.testing.assert_allclose(one, other)


def test_a_file_that_is_no_image_is_refused(tmp_path):
    (tmp_path / "a.png").write_bytes(b"nothing")
    table = pd.DataFrame({"sample": ["a.png"], "path": [str(tmp_path / "a.png")]})
    with pytest.raises(DataError):
        file_properties(table)
