from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from covidlib.data import open_dataset
from covidlib.data.cache import Cached
from covidlib.data.table import COLUMNS, Dataset
from covidlib.errors import DataError
from covidlib.localization_scores import (
    COARSE,
    LUNGS,
    MEAN,
    SIZE,
    THRESHOLDS,
    Overlaps,
    drawn_means,
    mean_attention,
    outlined,
    read,
    scores,
    scoring,
    specs,
    write,
)
from covidlib.settings import MAGSDSettings

REAL = {"phantom": False, "profile": "laptop", "fingerprint": "f", "commit": "c", "dirty": False}


@pytest.fixture
def cached(tmp_path):
    """Two images with a square lesion; the second has no lung mask and no known patient."""
    lesions = np.zeros((2, SIZE, SIZE), np.uint8)
    lesions[:, 50:100, 60:120] = 1
    lungs = np.zeros_like(lesions)
    lungs[0, 50:100, 60:180] = 1
    table = pd.DataFrame({"sample": ["a", "b"], "label": ["COVID-19", "pneumonia"]})
    table["patient"] = pd.array(["p", pd.NA], dtype="string")
    images = np.zeros_like(lesions)
    known = np.array([True, False])
    return Cached(images, lungs, lesions, known, np.ones(2, bool), table, (), tmp_path)


def overlaps(cached, key="run", **changes):
    heat = cached.lesions.astype(float)
    table = scores({MEAN: heat, COARSE: 1 - heat}, cached)
    return replace(Overlaps(key, "A", 0, table, REAL), **changes)


def test_attention_on_the_lesion_scores_one_and_the_lungs_a_half(cached):
    found = overlaps(cached).table.set_index(["sample", "source"])
    attention = found.xs(MEAN, level="source")
    assert (attention["mask"] == 1).all() and (attention["box"] == 1).all()
    assert found.loc[("a", LUNGS), "mask"].item() == 0.5
    assert ("b", LUNGS) not in found.index
    assert len(attention) == 2 * len(THRESHOLDS)
    away = found.xs(COARSE, level="source")
    assert (away["mask"] == 0).all()
    # The rectangle around everything but the lesion is the whole image.
    assert away["box"].tolist() == pytest.approx([50 * 60 / SIZE**2] * 6)
    assert found["patient"].unique().tolist() == ["p", "b"]


def test_overlaps_are_kept_and_read_and_phantoms_are_not(cached, tmp_path):
    found = overlaps(cached)
    assert write(found, tmp_path).name == "run.json"
    assert write(found, tmp_path) is None
    (again,) = read(tmp_path)
    assert (again.key, again.letter, again.fold, again.provenance) == ("run", "A", 0, REAL)
    order = ["sample", "source", "threshold"]
    sides = [one.table.sort_values(order, ignore_index=True) for one in (found, again)]
    pd.testing.assert_frame_equal(*sides, atol=1e-4, rtol=0, check_dtype=False)
    with pytest.raises(DataError, match="images"):
        write(replace(found, provenance=REAL | {"phantom": True}), tmp_path)


def test_a_draw_leaves_no_network_without_an_image():
    """Five networks have three images each of their own, as those that learnt set B."""
    rng = np.random.default_rng(0)
    networks = [
        pd.DataFrame({"patient": [f"{k}{i}" for i in range(3)], "iou": rng.random(3)}).set_axis(
            [f"image {k}{i}" for i in range(3)]
        )
        for k in range(5)
    ]
    found = drawn_means(networks, "iou", resamples=500)
    assert found.shape == (501, 5) and np.isfinite(found).all()
    assert found[0] == pytest.approx([network["iou"].mean() for network in networks])
    assert abs(np.corrcoef(found[1:].T)[np.triu_indices(5, 1)]).max() < 0.2


def test_networks_that_are_asked_about_the_same_images_see_the_same_draws():
    """Two images of one patient come together; the order of the rows is of no meaning."""
    one = pd.DataFrame({"patient": ["p", "p", "q"], "iou": [1.0, 0.0, 0.2]}, index=list("abc"))
    found = drawn_means([one, one[::-1].assign(iou=lambda rows: 2 * rows["iou"])], "iou", 500)
    assert found[:, 1] == pytest.approx(2 * found[:, 0])
    assert found[0, 0] == pytest.approx(0.4)
    assert set(found[1:, 0].round(12)) == {0.5, 0.4, 0.2}


def test_the_mean_map_is_that_of_the_image_as_large_as_it_is(cached):
    seen = []

    class Corner(torch.nn.Module):
        def attend(self, images):
            assert not self.training  # one image has no batch to be normalised by
            seen.append(tuple(images.shape))
            maps = torch.zeros(1, 2, 7, 7)
            maps[0, 0, 0, 0], maps[0, 1, 6, 6] = 4.0, 2.0
            return torch.zeros(1, 2), maps

    method = SimpleNamespace(network=Corner(), settings=MAGSDSettings())
    small = replace(cached, images=np.zeros((1, 64, 64), np.uint8))
    heat = mean_attention(method, small)
    assert seen == [(1, 3, 64, 64)] and heat.shape == (1, SIZE, SIZE)
    assert (heat[0, 0, 0], heat[0, -1, -1], heat[0, 0, -1]) == (1.0, 0.5, 0.0)


def test_outlined_images_are_preprocessed_as_those_that_were_learnt(monkeypatch):
    asked = []
    monkeypatch.setattr(scoring, "build_cache", lambda *given, **options: asked.append(given[1]))
    scoring.decoded(None, SIZE)
    (learnt,) = {spec.data.preprocessing for spec in specs("paper", "B")}
    assert (asked[0].clahe_clip, asked[0].size) == (learnt.clahe_clip, learnt.size)


def test_images_that_were_trained_on_are_left_out(real_data):
    table = open_dataset("magsd-localization", real_data).table
    table = table[table["lesion_mask"].notna()]
    first, other = table.iloc[0], table.iloc[10]
    third = table[~table["patient"].isin([first["patient"], other["patient"]])].iloc[0]
    number = {name: row["patient"].split(":")[1] for name, row in {"o": other, "t": third}.items()}
    seen = pd.DataFrame(
        {
            "sample": [
                first["sample"].replace("covid-cxr-segmentations", "x"),
                "y/1.png",
                "z/2.png",
            ],
            "patient": [
                pd.NA,
                f"covid-chestxray-dataset:{number['o']}",
                f"covid-cxnet:{number['t']}",
            ],
            "split": ["train", "val", "train"],
        }
    ).astype("string")
    kept = outlined(SimpleNamespace(table=seen), real_data, phantom=False).table
    left = set(table["sample"]) - set(kept["sample"])
    assert first["sample"] in left
    assert set(table.loc[table["patient"] == other["patient"], "sample"]) <= left
    assert third["sample"] in set(kept["sample"])  # another person with the same number
    tested = outlined(SimpleNamespace(table=seen.assign(split="test")), real_data, phantom=False)
    assert len(tested.table) == len(table)


def test_people_who_were_joined_under_another_name_are_left_out(monkeypatch):
    """Patient 7 shares a picture with one of another collection, whose name comes first."""
    outlines = pd.DataFrame(
        {
            "sample": ["s/first.png", "s/second.png", "s/third.png", "s/fourth.png"],
            "patient": [f"covid-cxr-segmentations:{n}" for n in ("7", "7", "8", "9")],
            "lesion_mask": "mask.png",
        }
    ).astype("string")
    network = pd.DataFrame(
        {
            "sample": ["c/first.jpg", "x/1.png", "c/third.jpg", "c/other.jpg"],
            "patient": [
                "chestxray8-subset:3",
                "chestxray8-subset:3",
                "covid-chestxray-dataset:8",
                "covid-chestxray-dataset:9",
            ],
            "split": ["test", "train", "test", "val"],
        }
    ).astype("string")
    table = outlines.reindex(columns=COLUMNS).assign(path=outlines["sample"])
    found = Dataset("magsd-localization", table.astype("string"), ("COVID-19",))
    monkeypatch.setattr(scoring, "open_dataset", lambda *_, **__: found)
    kept = outlined(SimpleNamespace(table=network), None, phantom=False).table
    # 7 was learnt from as the other's 3, and has a second image; of 9 another image was.
    assert kept["sample"].tolist() == ["s/third.png"]
    names = scoring.names_of(outlines, network)
    assert names["covid-cxr-segmentations:7"] == {
        "covid-chestxray-dataset:7", "chestxray8-subset:3"
    }  # fmt: skip


def test_the_runs_that_are_scored_are_rows_of_table_3():
    from covidlib.plans import plan

    rows = {
        row.label: row.specs for row in plan("magsd/architectures", "laptop", phantoms=False).rows
    }
    for letter in "AB":
        assert [s.key for s in specs("laptop", letter)] == [
            s.key for s in rows[f"{letter}: MAG-SD"]
        ]
