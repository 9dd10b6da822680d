from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from covidlib.data import open_dataset
from covidlib.data.floors import FLOORS, floor_features, floor_runs
from covidlib.data.table import COLUMNS, Dataset
from covidlib.errors import DataError
from covidlib.evaluation import intervals, roc

CLASSES = ("NonCOVID", "COVID")


@pytest.fixture(autouse=True)
def few_trees(monkeypatch, request):
    if "real_data" not in request.fixturenames:
        monkeypatch.setattr("covidlib.data.floors.TREES", 25)


def make(folder: Path, count: int = 60, **planted: bool) -> Dataset:
    """Noise of no class, in which one property tells the class: size, mode, grey or frame."""
    random = np.random.default_rng(0)
    rows = []
    for number in range(count):
        positive = number % 2 == 1
        width = 40 + 20 * (positive and planted.get("size", False))
        image = random.integers(60, 200, (40, width), dtype=np.uint8)
        if positive and planted.get("grey"):
            image //= 2
        if positive and planted.get("frame"):
            image[:2] = image[-2:] = 0
        mode = "RGB" if positive and planted.get("mode") else "L"
        path = folder / f"{number}.png"
        Image.fromarray(image).convert(mode).save(path)
        split = ("train", "train", "train", "val", "test", "test")[number // 2 % 6]
        rows.append((path.name, str(path), CLASSES[positive], f"p{number}", split))
    table = pd.DataFrame(rows, columns=["sample", "path", "label", "patient", "split"])
    return Dataset("noise", table.reindex(columns=list(COLUMNS)).astype("string"), CLASSES)


def measured(runs, metric="auc"):
    """The mean over seeds of each floor."""
    return {name: intervals(own, [metric], resamples=2)[metric].value for name, own in runs.items()}


@pytest.mark.parametrize(
    ("planted", "sees", "blind"),
    [
        ("size", {"size and shape", "all file properties"}, {"file type and colour mode"}),
        ("mode", {"file type and colour mode", "all file properties"}, {"size and shape"}),
        ("grey", {"grey statistics", "frame"}, {"all file properties"}),
        ("frame", {"frame"}, {"all file properties"}),
    ],
)
def test_each_floor_sees_what_is_its_own(tmp_path, planted, sees, blind):
    areas = measured(floor_runs(make(tmp_path, **{planted: True}), seeds=2))
    assert all(areas[name] > 0.95 for name in sees)
    assert all(areas[name] == 0.5 for name in (*blind, "class frequencies"))


def test_predictions_are_those_of_the_test_set_in_class_order(tmp_path):
    data = make(tmp_path, size=True)
    runs = floor_runs(data, seeds=[3, 4])
    assert set(runs) == set(FLOORS)
    tested = data.table.loc[data.table["split"] == "test", "sample"].tolist()
    for predictions in (run for found in runs.values() for run in found):
        assert predictions.columns.tolist() == [
            "sample",
            "patient",
            "split",
            "label",
            "p_NonCOVID",
            "p_COVID",
        ]
        assert predictions["sample"].tolist() == tested
        np.testing.assert_allclose(predictions[["p_NonCOVID", "p_COVID"]].sum(axis=1), 1)
    frequent = runs["class frequencies"][0]
    np.testing.assert_allclose(frequent["p_COVID"], 0.5)
    assert roc(runs["size and shape"][0])["tpr"].iloc[-1] == 1


def test_seeds_repeat_and_differ(tmp_path):
    data = make(tmp_path)
    first, second = floor_runs(data, seeds=[1, 2])["grey statistics"]
    again = floor_runs(data, seeds=[1])["grey statistics"][0]
    pd.testing.assert_frame_equal(first, again)
    assert (first["p_COVID"] != second["p_COVID"]).any()


def test_the_test_set_is_never_fitted(tmp_path):
    data = make(tmp_path, size=True)
    turned = data.table.copy()
    tested = turned["split"] == "test"
    turned.loc[tested, "label"] = turned.loc[tested, "label"].map(
        {"COVID": "NonCOVID", "NonCOVID": "COVID"}
    )
    runs = floor_runs(Dataset("turned", turned, CLASSES), seeds=1)
    expected = floor_runs(data, seeds=1)
    for name, (run,) in runs.items():
        np.testing.assert_array_equal(run["p_COVID"], expected[name][0]["p_COVID"])


def test_the_sets_to_fit_on_can_be_chosen(tmp_path):
    data = make(tmp_path)
    both = floor_runs(data, seeds=1)["frame"][0]["p_COVID"]
    alone = floor_runs(data, seeds=1, train=["train"])["frame"][0]["p_COVID"]
    assert (both != alone).any()


def test_unknown_labels_are_neither_fitted_nor_tested(tmp_path):
    data = make(tmp_path)
    table = data.table.copy()
    table.loc[[0, 8, 9], "label"] = pd.NA
    run = floor_runs(Dataset("noise", table, CLASSES), seeds=1)["frame"][0]
    assert len(run) == len(floor_runs(data, seeds=1)["frame"][0]) - 2
    assert run["label"].notna().all()


def test_floors_that_are_not_asked_for_are_left_out(tmp_path):
    data = make(tmp_path, frame=True)
    (own,) = floor_runs(data, seeds=1, names=["frame"]).items()
    assert own[0] == "frame"
    pd.testing.assert_frame_equal(own[1][0], floor_runs(data, seeds=1)["frame"][0])


def test_more_than_two_classes_and_one_that_is_not_fitted(tmp_path):
    data = make(tmp_path, size=True)
    table = data.table.copy()
    table.loc[table["split"].eq("test") & (table.index % 3 == 0), "label"] = "TB"
    three = Dataset("three", table, ("TB", "NonCOVID", "COVID"))
    run = floor_runs(three, seeds=1)["size and shape"][0]
    assert run.columns[-3:].tolist() == ["p_TB", "p_NonCOVID", "p_COVID"]
    assert (run["p_TB"] == 0).all()
    table.loc[[0, 1, 2], "label"] = "TB"
    found = measured(floor_runs(Dataset("three", table, three.classes), seeds=1))
    assert all(0 <= area <= 1 for area in found.values())


def test_a_floor_says_whether_a_network_could_use_what_it_knows():
    assert {floor.exploitable for floor in FLOORS.values()} == {"yes", "in part", "no"}
    assert FLOORS["file type and colour mode"].exploitable == "no"


def test_features_keep_the_index_and_have_348_and_16_of_the_pixels(tmp_path):
    table = make(tmp_path, 6).table.set_index(pd.Index(range(10, 16)))
    features = floor_features(table)
    assert features.index.tolist() == table.index.tolist()
    kinds = features.columns.str.split("_").str[0].value_counts()
    assert kinds["frame"] == 348 and kinds["grey"] == 16


def test_a_data_set_without_split_is_refused(tmp_path):
    table = make(tmp_path, 12).table.assign(split=pd.NA)
    with pytest.raises(DataError, match="fill the column split with split_table"):
        floor_runs(Dataset("noise", table, CLASSES), seeds=1)


def test_a_single_class_is_refused(tmp_path):
    table = make(tmp_path, 12).table.assign(label="COVID")
    with pytest.raises(DataError, match="all images to fit on are 'COVID'"):
        floor_runs(Dataset("noise", table, CLASSES), seeds=1)


@pytest.mark.slow
def test_covid_ct_is_told_by_its_files(real_data):
    # Measured before on the original files, by another implementation; the pixels are reduced here.
    runs = floor_runs(open_dataset("covid-ct", real_data), seeds=3)
    accuracies, areas = measured(runs, "accuracy"), measured(runs)
    expected = {
        "class frequencies": (105 / 203, 0.5),
        "size and shape": (0.58, 0.64),
        "all file properties": (0.893, 0.977),
        "grey statistics": (0.716, 0.810),
        "frame": (0.65, 0.728),
    }
    for name, (accuracy, auc) in expected.items():
        assert accuracies[name] == pytest.approx(accuracy, abs=0.03)
        assert areas[name] == pytest.approx(auc, abs=0.03)
