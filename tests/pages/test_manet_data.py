from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from covidlib.pages import manet_data, manet_heatmaps


@pytest.fixture
def data():
    table = pd.DataFrame({
        "sample": [f"kermany/{k}" for k in range(4)] + [f"cohen/{k}" for k in range(6)],
        "label": ["normal"] * 3 + ["viral pneumonia"] + ["COVID-19"] * 5 + ["normal"],
        "patient": [f"p{k // 2}" for k in range(10)],
        "split": ["train"] * 8 + ["val", "test"],
    })  # fmt: skip
    return SimpleNamespace(table=table, classes=("normal", "COVID-19", "viral pneumonia"))


def test_table_1_stands_beside_the_counts_here(data):
    frame = manet_data.counts_table(data).frame
    assert frame.loc["normal", "training, paper"] == 1484
    assert frame.loc["all", "total, paper"] == 6792
    assert frame.loc["normal", ["training, here", "test, here", "total, here"]].tolist() == [
        3,
        1,
        4,
    ]
    assert frame.loc["TB", "total, here"] == 0 and frame.loc["all", "patients, here"] == 5


def test_a_collection_names_its_commonest_class(data):
    assert manet_data.one_collection(data) == (3 + 5) / 10
    assert manet_data.sources_table(data).frame.loc["cohen", "COVID-19"] == 5


def test_a_mean_over_images_is_drawn_by_patients():
    """One patient with three images and one with one: drawn sets weigh what they hold."""
    values = pd.Series([0.0, 0.0, 0.0, 1.0])
    mean, low, high = manet_heatmaps.interval(values, pd.Series(["a", "a", "a", "b"]))
    assert (mean, low, high) == (0.25, 0, 1)
    same = manet_heatmaps.interval(pd.Series(np.full(5, 0.3)), pd.Series(list("abcde")))
    assert same == pytest.approx((0.3, 0.3, 0.3))


def test_a_difference_of_heat_is_over_images_on_which_both_maps_have_some():
    def heat(network, inside):
        names = ["a", "b", "c"]
        rows = {"sample": names, "patient": names, "label": names, "inside": inside}
        rows |= {name: inside for name in ("edge", "half", "area", "edge_area")}
        return SimpleNamespace(
            network=network, scores=pd.DataFrame(rows), provenance={"phantom": False}
        )

    plain, masked = heat("resnet50", [0.2, 0.4, np.nan]), heat("resnet50-mask", [0.3, np.nan, 0.9])
    row = manet_heatmaps.table([], [plain, masked]).frame.loc[("this run", "ResNet50 (MA)")]
    assert row["maps with heat"] == "2 of 3"
    assert row["heat in the lungs"].startswith("0.600")
    assert row["heat in the lungs, − plain"].startswith("+0.100")
