import io

import numpy as np
import pytest
from own_folders import photographs, slices, xrays
from PIL import Image

from covidlib.data import open_dataset
from covidlib.data.decoding import Problem
from covidlib.own_images.modality import (
    KINDS,
    coloured_share,
    features,
    fitted,
    kind_probabilities,
    look,
    look_at_all,
    off_line,
)


def test_a_tinted_ramp_is_no_colour_and_a_hue_circle_is():
    grey = np.arange(256, dtype=float)[:, None, None]
    tinted = (grey * np.array([1.0, 0.8, 0.5])).astype(np.uint8)
    assert off_line(tinted) == 0
    angle = np.linspace(0, 2 * np.pi, 256)[:, None, None]
    phases = np.array([0, 2 * np.pi / 3, 4 * np.pi / 3])
    circle = (127 + 100 * np.cos(angle - phases)).astype(np.uint8)
    assert off_line(circle) > 0.8
    assert off_line(np.full((4, 4, 3), 7, np.uint8)) == 0


def test_the_distance_to_the_line_is_that_of_a_slow_loop():
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
    cloud = pixels.reshape(-1, 3).astype(float)
    centre = cloud.mean(axis=0)
    axis = np.linalg.svd(cloud - centre)[2][0]
    away = [np.linalg.norm(np.cross(point - centre, axis)) for point in cloud]
    assert off_line(pixels) == np.mean(np.array(away) > 16)


def test_an_arrow_in_a_grey_picture_is_no_photograph(tmp_path):
    rng = np.random.default_rng(0)
    picture = np.repeat(rng.integers(0, 256, (128, 128, 1), dtype=np.uint8), 3, axis=2)
    picture[40:60, 40:60] = (255, 0, 0)
    Image.fromarray(picture).save(tmp_path / "arrow.jpg", quality=75)
    assert 0 < coloured_share(str(tmp_path / "arrow.jpg")) <= 0.1
    Image.fromarray(picture[..., 0]).save(tmp_path / "grey.png")
    assert coloured_share(str(tmp_path / "grey.png")) == 0


def test_features_do_not_depend_on_size_brightness_or_contrast():
    rng = np.random.default_rng(1)
    small = np.asarray(
        Image.fromarray(rng.integers(0, 100, (6, 6), dtype=np.uint8)).resize((32, 32))
    )
    large = np.kron(small, np.ones((4, 4), np.uint8))
    np.testing.assert_allclose(features(large)[:64], features(small)[:64], atol=0.05)
    brighter = (small * 2 + 20).astype(np.uint8)
    np.testing.assert_allclose(features(brighter)[:64], features(small)[:64])
    assert features(small).shape == (130,)
    assert np.isfinite(features(np.zeros((5, 5), np.uint8))).all()


def test_probabilities_sum_to_one_and_the_fit_has_a_row_per_kind():
    body = fitted()
    assert np.shape(body["slopes"]) == (len(KINDS), 130)
    found = kind_probabilities(np.random.default_rng(0).random((5, 130)))
    np.testing.assert_allclose(found.sum(axis=1), 1)


def test_drawn_images_are_told_apart(tmp_path):
    for kind, folder in (("cxr", xrays(tmp_path / "x")), ("ct", slices(tmp_path / "c"))):
        paths = [str(path) for path in folder.rglob("*.png") if "masks" not in str(path)][:20]
        assert [found.kind for found in look_at_all(paths)] == [kind] * len(paths)
        other = "ct" if kind == "cxr" else "cxr"
        assert np.mean([found.excludes(other) for found in look_at_all(paths)]) > 0.9
        assert not any(found.excludes(kind) for found in look_at_all(paths))


def test_a_photograph_is_excluded_and_a_broken_file_is_a_problem(tmp_path):
    picture = next(photographs(tmp_path).rglob("*.png"))
    assert look(str(picture)).kind == "photo"
    assert look(str(picture)).excludes("ct")
    assert look(str(picture)).excludes("cxr")
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nno")
    (problem,) = look_at_all([str(tmp_path / "broken.png")])
    assert isinstance(problem, Problem)


def test_the_rates_in_the_package_keep_what_is_promised():
    rates = {row["source"]: row for row in fitted()["rates"]}
    assert sum(row["images"] for name, row in rates.items() if "phantoms" not in name) == 6387
    for name, row in rates.items():
        assert row["wrong"] < 0.08, name
        assert row["refused"] < 0.035, name
        if row["kind"] != "photo":
            assert row["passes"]["ct" if row["kind"] == "cxr" else "cxr"] < 0.07, name
            assert row["coloured"] < 0.02, name


@pytest.mark.parametrize(("name", "kind"), [("covid-ct", "ct"), ("chestxray8-subset", "cxr")])
def test_real_images_are_told_apart(real_data, name, kind):
    paths = open_dataset(name, real_data).table["path"].iloc[::40]
    found = [look(path) for path in paths]
    assert np.mean([one.kind == kind for one in found]) >= 0.9
    assert np.mean([one.excludes(kind) for one in found]) <= 0.1


def test_real_photographs_are_refused(real_data, tmp_path):
    import zipfile

    with zipfile.ZipFile(real_data / "tiny-imagenet-100.zip") as archive:
        names = [name for name in archive.namelist() if name.endswith(".JPEG")][:2000:40]
        for name in names:
            picture = Image.open(io.BytesIO(archive.read(name)))
            picture.save(tmp_path / f"{name.rpartition('/')[2]}.png")
    found = [look(str(path)) for path in tmp_path.glob("*.png")]
    assert np.mean([one.excludes("cxr") for one in found]) > 0.9


def test_what_a_training_would_refuse_is_a_problem_at_the_first_look(tmp_path):
    twelve = np.linspace(0, 4095, 4096).astype(np.uint16).reshape(64, 64)
    for name, values in (("twelve", twelve), ("sixteen", twelve * 16)):
        Image.fromarray(values).save(tmp_path / f"{name}.png")
    found = look_at_all([str(tmp_path / f"{name}.png") for name in ("twelve", "sixteen")])
    assert isinstance(found[0], Problem) and "nearly uniform" in found[0].reason
    assert not isinstance(found[1], Problem)
