import json
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from covidlib.models.cxr_classifiers import CxrClassifierSettings
from covidlib.pages import cost, manet_data, manet_heatmaps, segmentation, segmentation_masks


@pytest.fixture
def data():
    table = pd.DataFrame({
        "sample": [f"kermany/{k}" for k in range(4)] + [f"cohen/{k}" for k in range(6)],
        "label": ["normal"] * 3 + ["viral pneumonia"] + ["COVID-19"] * 5 + ["normal"],
        "patient": [f"p{k // 2}" for k in range(10)],
        "split": ["train"] * 8 + ["val", "test"],
    })  # fmt: skip
    return SimpleNamespace(table=table, classes=("normal", "COVID-19", "viral pneumonia"))


def test_table_1_stands_beside_the_counts_here(data, tmp_path):
    known = tmp_path / manet_data.FILE
    known.parent.mkdir(parents=True)
    body = manet_data.counts(data)
    assert body.loc["all", "patients"] == 5 and body.loc["TB", "total"] == 0
    body.loc["normal", "test"] = 171  # as printed
    body.loc["normal", "val"] = 999
    known.write_text(json.dumps(body.T.to_dict()))
    table = manet_data.counts_table(data, True, tmp_path)
    frame = table.frame
    assert len(frame) == 24 and frame.loc[("all", "total"), "paper"] == 6792
    assert frame.loc[("normal", "training")].tolist() == [1484, 3, "phantoms: 3", "below"]
    assert frame.loc[("normal", "test"), "verdict"] == "reproduced"
    assert frame.loc[("normal", "validation"), "verdict"] == "above"
    assert set(frame.loc["TB", "verdict"]) == {"not testable here"}
    told = manet_data.sentences(data, table)
    assert (
        told["cells"]
        == 24
        == sum(told[name] for name in ("reproduced", "below", "above", "untested"))
    )
    assert told["reproduced"] == 1 and told["paper_images"] == 6792


def test_without_a_record_no_count_has_a_verdict(data, tmp_path):
    frame = manet_data.counts_table(data, False, tmp_path).frame
    assert set(frame["verdict"]) == {"not testable here"} and frame["recorded"].isna().all()
    assert frame.loc[("normal", "training"), "this run"] == 3


def test_the_last_epoch_is_compared_with_the_best():
    curves = [[0.5, 0.9, 0.8], [0.6, 0.7, 0.7]]
    records = [SimpleNamespace(curve=pd.DataFrame({"val_iou": values})) for values in curves]
    told = segmentation.last_epochs(records)
    assert told == {"last": "0.750", "best": "0.800", "fall": "0.100"}
    assert set(segmentation.last_epochs([]).values()) == {"not recorded yet"}


def test_columns_of_masks_are_named_once():
    mask = np.ones((4, 4), bool)
    image = np.zeros((4, 4), np.uint8)
    one = segmentation_masks.Shown("a", image, mask, mask, mask, 0.9, 0.9)
    figure, axes = plt.subplots(2, 4)
    segmentation_masks.draw_masks(axes, [one, one])
    titles = [[ax.get_title() for ax in line] for line in axes]
    assert titles == [["image", "predicted", "drawn", "segmentation"], [""] * 4]
    plt.close(figure)


def test_table_3_is_counted_in_full():
    table = cost.table_3({("vgg16", "none"): cost.cost_of(CxrClassifierSettings("vgg16"))})
    told = cost.verdicts(table)
    assert told == {
        "cells": 3, "counts": 2, "reproduced": 2, "below": 0, "above": 0, "untested": 1,
    }  # fmt: skip


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
