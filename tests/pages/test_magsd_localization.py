from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from covidlib.data import open_dataset
from covidlib.data.cache import Cached
from covidlib.pages import localization
from covidlib.pages.results import NOT_YET


@pytest.fixture
def cached(tmp_path):
    """Two images with a square lesion; the second has no lung mask."""
    side = localization.SIZE
    lesions = np.zeros((2, side, side), np.uint8)
    lesions[:, 50:100, 60:120] = 1
    lungs = np.zeros_like(lesions)
    lungs[0, 50:100, 60:180] = 1
    table = pd.DataFrame({"sample": ["a", "b"], "label": ["COVID-19", "pneumonia"]})
    known = np.array([True, False])
    images = np.zeros_like(lesions)
    return Cached(images, lungs, lesions, known, np.ones(2, bool), table, (), tmp_path)


def test_attention_on_the_lesion_scores_one_and_the_lungs_a_half(cached):
    heat = cached.lesions.astype(float)
    found = localization.scores(heat, cached).set_index(["sample", "source"])
    attention = found.xs("mean attention", level="source")
    assert (attention["mask"] == 1).all()
    assert found.loc[("a", "floor: lung mask"), "mask"] == 0.5
    assert ("b", "floor: lung mask") not in found.index
    assert len(attention) == 2 * len(localization.THRESHOLDS)


def test_table_and_sentences_without_records(cached, tmp_path):
    found = localization.scores(cached.lesions.astype(float), cached)
    frame = localization.table(found, tmp_path, phantom=True).frame
    row = frame.loc[("COVID-19", "mean attention, above 0.5")]
    assert row["mask, recorded"] == NOT_YET
    assert row["mask, this run (phantoms)"] == "1.00 [1.00, 1.00] (1)"
    told = localization.sentences(found, tmp_path)
    assert (told["claimed"], told["images"], told["covid"]) == (0.25, 2, NOT_YET)


def test_records_are_read_back(cached, tmp_path):
    path = tmp_path / localization.FILE
    path.parent.mkdir(parents=True)
    found = localization.scores(cached.lesions.astype(float), cached)
    found.to_csv(path, index=False)
    told = localization.sentences(found, tmp_path)
    assert told["covid_lungs"] == "0.50 [0.50, 0.50] (1)"


def test_images_that_were_trained_on_are_left_out(real_data, monkeypatch):
    table = open_dataset("magsd-localization", real_data).table
    kept = {}

    def keep(dataset, preprocessing, masks):
        kept["table"] = dataset.table
        return None

    monkeypatch.setattr(localization, "build_cache", keep)
    first, other = table.iloc[0], table.iloc[10]
    seen = pd.DataFrame(
        {
            "sample": [first["sample"].replace("covid-cxr-segmentations", "x"), "y/unknown.png"],
            "patient": [pd.NA, f"covid-chestxray-dataset:{other['patient'].split(':')[1]}"],
            "split": ["train", "val"],
        }
    ).astype("string")
    localization.outlined(SimpleNamespace(table=seen), real_data, phantom=False)
    left = set(table["sample"]) - set(kept["table"]["sample"])
    outlined = table[table["lesion_mask"].notna()]
    assert first["sample"] in left
    same = table.loc[table["patient"] == other["patient"], "sample"]
    assert set(same) <= left
    tested = seen.assign(split="test")
    localization.outlined(SimpleNamespace(table=tested), real_data, phantom=False)
    assert len(kept["table"]) == len(outlined)
    assert replace(localization.spec_of("smoke", True), seed=0).data.dataset == "magsd-b"
