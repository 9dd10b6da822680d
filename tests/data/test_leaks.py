from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from covidlib.data import open_dataset
from covidlib.data.leaks import audit
from covidlib.data.lookalikes import (
    Looks,
    closest_pairs,
    identical_pairs,
    look_at,
    near_pairs,
)
from covidlib.data.splits import split_counts, split_table
from covidlib.data.table import COLUMNS, Dataset
from covidlib.errors import DataError, UnreadableImages

CLASSES = ("NonCOVID", "COVID")


def picture(seed: int, size: int = 96) -> np.ndarray:
    """A smooth random picture, unlike that of any other seed."""
    field = gaussian_filter(np.random.default_rng(seed).normal(size=(size, size)), size / 12)
    field = (field - field.min()) / (field.max() - field.min())
    return (40 + 150 * field).astype(np.uint8)


def dataset(folder: Path, rows: dict[str, dict], images: dict[str, np.ndarray]) -> Dataset:
    """Write PNG images and a table of one row each; what a row leaves out is unknown."""
    for name, image in images.items():
        Image.fromarray(image).save(folder / name)
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("sample").reset_index()
    table["path"] = [str(folder / name) for name in table["sample"]]
    table = table.reindex(columns=[*COLUMNS]).astype("string")
    return Dataset("small", table, CLASSES)


@pytest.fixture
def planted(tmp_path: Path) -> Dataset:
    """Four pictures without relatives, and one of each leak."""
    images = {f"{letter}.png": picture(seed) for seed, letter in enumerate("abcd")}
    rows = {
        "a.png": {"label": "COVID", "patient": "1", "source": "x", "split": "train"},
        "b.png": {"label": "COVID", "patient": "1", "source": "x", "split": "test"},
        "c.png": {"label": "NonCOVID", "patient": "2", "source": "y", "split": "train"},
        "d.png": {"label": "COVID", "patient": "3", "source": "y", "split": "val"},
    }
    images["c again.png"] = images["c.png"]
    rows["c again.png"] = {"label": "COVID", "split": "test"}
    brighter = np.clip(images["d.png"].astype(float) * 0.6 + 80, 0, 255).astype(np.uint8)
    images["d brighter.png"] = np.asarray(Image.fromarray(brighter).resize((150, 140)))
    rows["d brighter.png"] = {"label": "COVID", "patient": "3", "split": "val"}
    made = dataset(tmp_path, rows, images)
    # Other bytes, equal pixels: a format without loss.
    Image.fromarray(images["a.png"]).save(tmp_path / "a.bmp")
    table = pd.concat([made.table, made.table.iloc[[0]]], ignore_index=True)
    table.loc[6, ["sample", "path", "split"]] = ["a.bmp", str(tmp_path / "a.bmp"), "val"]
    return Dataset("small", table, CLASSES)


def test_every_planted_leak_is_found_and_nothing_else(planted):
    report = audit(planted)
    found = {
        (pair.kind, frozenset((pair.sample_a, pair.sample_b))) for pair in report.pairs.itertuples()
    }
    assert found == {
        ("identical files", frozenset(("c.png", "c again.png"))),
        ("identical pixels", frozenset(("a.png", "a.bmp"))),
        ("near-duplicates", frozenset(("d.png", "d brighter.png"))),
    }
    assert report.patients.to_numpy().tolist() == [["1", 1, 1, 1, "COVID"]]
    assert report.sources.set_index("source")[["train", "val", "test"]].to_dict("index") == {
        "x": {"train": 1, "val": 1, "test": 1},
        "y": {"train": 1, "val": 1, "test": 0},
    }
    assert report.sources.set_index("source").loc["y", "labels"] == "COVID, NonCOVID"


def test_the_summary_counts_by_pair_of_sets(planted):
    summary = audit(planted).summary()
    columns = ["train-val", "train-test", "val-test", "same set", "test images"]
    expected = {
        "patients": [1, 1, 1, pd.NA, 1],
        "sources": [2, 1, 1, pd.NA, 1],
        "identical files": [0, 1, 0, 0, 1],
        "identical pixels": [1, 0, 0, 0, 0],
        "near-duplicates": [0, 0, 0, 1, 0],
    }
    for kind, counts in expected.items():
        assert summary.loc[kind, columns].tolist() == counts
    assert summary.loc["identical files", "opposite labels"] == 1
    assert summary["not checked"].dropna().to_dict() == {"patients": 1, "sources": 2}


def test_pairs_carry_what_a_contact_sheet_needs_worst_first(planted):
    pairs = audit(planted).pairs
    worst = pairs.iloc[0]
    assert worst["across"] and worst["opposite"]
    assert {worst["label_a"], worst["label_b"]} == set(CLASSES)
    assert Path(worst["path_a"]).is_file() and Path(worst["path_b"]).is_file()
    assert pairs["across"].tolist() == [True, True, False]
    assert pairs["correlation"].between(0.95, 1.0001).all()


def test_images_without_a_set_are_compared_and_not_called_a_leak(planted):
    table = planted.table.assign(split=pd.array([pd.NA] * len(planted.table), dtype="string"))
    report = audit(Dataset("small", table, CLASSES))
    assert len(report.pairs) == 3 and not report.pairs["across"].any()
    assert report.patients.empty and report.sources.empty
    assert report.summary().loc["identical files", "same set"] == 1


def test_a_data_set_without_leaks_gives_zeros(tmp_path):
    rows = {f"{n}.png": {"label": "COVID", "split": ["train", "test"][n % 2]} for n in range(6)}
    report = audit(dataset(tmp_path, rows, {name: picture(n) for n, name in enumerate(rows)}))
    counts = report.summary().drop(columns="not checked").fillna(0)
    assert report.pairs.empty and (counts == 0).all(axis=None)


def test_uniform_images_are_alike_only_when_they_are_equal(tmp_path):
    images = {f"{grey}.png": np.full((40, 40), grey, np.uint8) for grey in (0, 90, 255)}
    images["90 again.png"] = images["90.png"]
    rows = {name: {"label": "COVID", "split": "train"} for name in images}
    pairs = audit(dataset(tmp_path, rows, images)).pairs
    assert pairs[["kind", "sample_a", "sample_b"]].to_numpy().tolist() == [
        ["identical files", "90.png", "90 again.png"]
    ]


def test_twelve_bits_in_a_sixteen_bit_file_match_their_eight_bit_copy(tmp_path):
    image = picture(5)
    images = {"deep.png": image.astype(np.uint16) * 16, "flat.png": image}
    rows = {name: {"label": "COVID", "split": "train"} for name in images}
    pairs = audit(dataset(tmp_path, rows, images)).pairs
    assert pairs["kind"].tolist() == ["near-duplicates"]
    assert pairs["distance"].tolist() == [0]


def test_unreadable_images_are_named_together(tmp_path):
    rows = {f"{n}.png": {"label": "COVID", "split": "train"} for n in range(3)}
    made = dataset(tmp_path, rows, {name: picture(n) for n, name in enumerate(rows)})
    (tmp_path / "0.png").write_bytes(b"")
    (tmp_path / "2.png").write_bytes(b"not an image")
    with pytest.raises(UnreadableImages, match=r"(?s)2 files.*0\.png.*2\.png"):
        audit(made)


@pytest.mark.parametrize("thresholds", [{"distance": 65}, {"distance": -1}, {"correlation": 0}])
def test_thresholds_outside_their_range_are_refused(planted, thresholds):
    with pytest.raises(DataError, match="distance is 0 to 64"):
        audit(planted, **thresholds)


def test_blocks_find_the_same_pairs_as_a_slow_loop(monkeypatch):
    monkeypatch.setattr("covidlib.data.lookalikes.BLOCK", 7)
    random = np.random.default_rng(0)
    thumbnails = random.normal(size=(30, 4)).astype(np.float32)
    thumbnails /= np.linalg.norm(thumbnails, axis=1, keepdims=True)
    hashes = random.integers(0, 2**64, 30, dtype=np.uint64)
    names = np.array([f"{n}" for n in range(30)], dtype=object)
    looks = Looks(names, names, names, hashes, thumbnails)
    slow = [
        (names[a], names[b], (int(hashes[a]) ^ int(hashes[b])).bit_count())
        for a in range(30)
        for b in range(a + 1, 30)
        if (int(hashes[a]) ^ int(hashes[b])).bit_count() <= 32
        and float(thumbnails[a] @ thumbnails[b]) >= 0.3
    ]
    found = near_pairs(looks, distance=32, correlation=0.3)
    rows = found[["sample_a", "sample_b", "distance"]].itertuples(index=False, name=None)
    assert len(slow) > 20
    assert sorted(rows) == sorted(slow)


def test_no_images_have_no_pairs():
    looks = look_at([], [])
    assert identical_pairs(looks).empty and near_pairs(looks, 10, 0.95).empty


def test_fifteen_thousand_images_are_compared_in_seconds():
    random = np.random.default_rng(0)
    thumbnails = random.normal(size=(15_000, 64)).astype(np.float32)
    thumbnails /= np.linalg.norm(thumbnails, axis=1, keepdims=True)
    hashes = random.integers(0, 2**64, 15_000, dtype=np.uint64)
    thumbnails[14_999], hashes[14_999] = thumbnails[3], hashes[3] ^ np.uint64(5)
    names = np.arange(15_000).astype(str).astype(object)
    found = near_pairs(Looks(names, names, names, hashes, thumbnails), 10, 0.95)
    assert found[["sample_a", "sample_b", "distance"]].to_numpy().tolist() == [["3", "14999", 2]]


def test_covid_ct_leaks_are_the_known_ones(real_data):
    report = audit(open_dataset("covid-ct", real_data))
    assert report.patients.empty and report.identical.empty
    papers = report.sources[report.sources["labels"] == "COVID"]
    assert len(papers) == 3
    assert papers["test"].sum() == 7
    across = report.pairs[report.pairs["across"]]
    # Two pictures are in the test set as COVID and in the training set as NonCOVID.
    assert {Path(name).name for name in across["sample_a"]} == {
        "kjr-21-e24-p5-29.png",
        "kjr-21-e24-p5-31.png",
    }
    assert {Path(name).name for name in across["sample_b"]} == {"71%0.jpg", "71%1.jpg"}
    assert across["opposite"].all()
    assert (
        across["split_a"].tolist() == ["test"] * 2 and across["split_b"].tolist() == ["train"] * 2
    )


def test_the_closest_pairs_are_those_of_a_slow_loop(monkeypatch):
    monkeypatch.setattr("covidlib.data.lookalikes.BLOCK", 5)
    thumbnails = np.random.default_rng(1).normal(size=(17, 6)).astype(np.float32)
    thumbnails /= np.linalg.norm(thumbnails, axis=1, keepdims=True)
    names = np.array([f"{n}" for n in range(17)], dtype=object)
    hashes = np.arange(17, dtype=np.uint64)
    slow = sorted(
        ((float(thumbnails[a] @ thumbnails[b]), a, b) for a in range(17) for b in range(a + 1, 17)),
        reverse=True,
    )
    found = closest_pairs(Looks(names, names, names, hashes, thumbnails), 8)
    assert found["sample_a"].tolist() == [str(a) for _, a, _ in slow[:8]]
    assert found["sample_b"].tolist() == [str(b) for _, _, b in slow[:8]]
    np.testing.assert_allclose(found["correlation"], [r for r, _, _ in slow[:8]], rtol=1e-5)
    assert found["distance"].tolist() == [(a ^ b).bit_count() for _, a, b in slow[:8]]


def test_few_images_have_few_closest_pairs():
    assert closest_pairs(look_at([], []), 3).empty
    thumbnails = np.eye(2, dtype=np.float32)
    names = np.array(["a", "b"], dtype=object)
    looks = Looks(names, names, names, np.zeros(2, np.uint64), thumbnails)
    assert len(closest_pairs(looks, 3)) == 1


@pytest.mark.parametrize(
    "name", ["covid-ct", "covid-chestxray-dataset", "chestxray8-subset", "kermany-subset"]
)
def test_drawn_splits_of_real_images_keep_patients_and_copies_of_files_together(real_data, name):
    if not (real_data / name).is_dir():
        pytest.skip(f"{name} is not there")
    dataset = open_dataset(name, real_data)
    table = split_table(dataset.table, "holdout", seed=0)
    report = audit(Dataset(name, table, dataset.classes))
    assert report.patients.empty
    assert not report.pairs.loc[report.pairs["kind"] != "near-duplicates", "across"].any()
    counts = split_counts(table, dataset.classes)
    assert (counts.loc[list(dataset.classes), ["train", "val", "test"]] > 0).all(axis=None)


def test_the_official_split_of_the_kermany_subset_leaks(real_data):
    if not (real_data / "kermany-subset").is_dir():
        pytest.skip("kermany-subset is not there")
    report = audit(open_dataset("kermany-subset", real_data))
    assert len(report.patients) == 1
    assert report.summary().loc["near-duplicates", "train-test"] == 5
