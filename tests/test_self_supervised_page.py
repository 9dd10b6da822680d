import json
import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib import pyplot as plt

from covidlib import diagrams, lobe_findings
from covidlib.book import Page, Parameters
from covidlib.data import open_dataset
from covidlib.errors import DataError
from covidlib.models.lung_boxes import WAYS, locate
from covidlib.pages import contrastive_loss, lobes, stage_sources
from covidlib.pages import self_supervised_transfer as parts
from covidlib.pages.results import NOT_YET
from covidlib.paths import RESULTS
from covidlib.training.contrastive_losses import info_nce


@pytest.mark.parametrize("width", [3, 16, 128])
@pytest.mark.parametrize("sharpness", [1.0, 5.0, 14.3])
def test_the_mean_weight_of_random_negatives_is_what_sampling_gives(width, sharpness):
    generator = torch.Generator().manual_seed(0)
    vectors = torch.randn(200_000, width, generator=generator, dtype=torch.float64)
    cosine = vectors[:, 0] / vectors.norm(dim=1)
    sampled = (sharpness * cosine).exp().mean().log().item()
    assert contrastive_loss.mean_weight(sharpness, width) == pytest.approx(sampled, abs=0.06)


def test_in_three_dimensions_the_mean_weight_has_a_simple_form():
    for k in (0.5, 2.0, 9.0):
        assert contrastive_loss.mean_weight(k, 3) == pytest.approx(
            math.log(math.sinh(k) / k), rel=1e-9
        )


@pytest.mark.parametrize("printed", [False, True])
def test_the_drawn_loss_is_equation_2_with_random_negatives(printed):
    generator = torch.Generator().manual_seed(1)
    negatives = torch.randn(4095, contrastive_loss.WIDTH, generator=generator)
    negatives = torch.nn.functional.normalize(negatives, dim=1)
    query = torch.eye(contrastive_loss.WIDTH)[:1]
    for similarity in (0.0, 0.4, 0.9):
        key = torch.zeros_like(query)
        key[0, 0], key[0, 1] = similarity, math.sqrt(1 - similarity**2)
        mode = "positive" if printed else "all"
        exact = info_nce(query, key, negatives, 0.1, mode).item()
        drawn = float(contrastive_loss.loss_at(np.array(similarity), 0.1, 4095, printed))
        assert drawn == pytest.approx(exact, abs=0.1)


def test_the_pull_is_the_slope_of_the_loss_and_is_half_where_negatives_weigh_as_much():
    at, step, temperature, count = np.array([-0.1, 0.3, 0.7]), 1e-5, 0.2, 255
    ends = [contrastive_loss.loss_at(at + sign * step, temperature, count) for sign in (1, -1)]
    slope = -(ends[0] - ends[1]) / (2 * step) * temperature
    pull = contrastive_loss.pull_at(at, temperature, count)
    assert pull == pytest.approx(slope, rel=1e-6) and (np.diff(pull) < 0).all()
    even = contrastive_loss.release(temperature, count)
    assert contrastive_loss.pull_at(np.array(even), temperature, count) == pytest.approx(0.5)
    assert all(contrastive_loss.release(1.0, n) > 1 for n in contrastive_loss.COUNTS)


def test_examples_show_every_way_once_and_stay_in_order():
    way = torch.tensor([0, 0, 3, 0, 1, 0, 0, 1])
    chosen = lobes.Slices(
        torch.empty(8, 1, 2, 2), SimpleNamespace(way=way, box=torch.rand(8, 4)), []
    )
    picked = lobes.examples(chosen, 5)
    ways = way[picked].tolist()
    assert len(picked) == len(set(picked)) == 5 and set(ways) == {0, 1, 3} and ways == sorted(ways)


def test_the_table_counts_every_slice(tmp_path):
    page = Page(Parameters(), None, tmp_path, tmp_path)
    found = lobes.slices(page)
    known = lobe_findings.LobeFindings(np.array([0, 3, 3]), np.array([0.5, 1.0, 1.0]), {})
    table = lobes.ways_table(found, known).frame
    counts = table["slices, this run"]
    assert list(table.index) == list(WAYS) and counts.sum() == len(found.images)
    share = lobes.whole_share(found.found.way.numpy())
    assert share == counts["whole image"] / len(found.images)
    assert table["slices, recorded"].tolist() == [1, 0, 0, 2]
    assert table["box, recorded"].tolist() == ["50%", None, None, "100%"]
    assert "slices, recorded" not in lobes.ways_table(found, None).frame
    assert found.regions(0).shape == (5, lobe_findings.SIDE, lobe_findings.SIDE)


def test_what_is_found_in_real_slices_is_kept_once_and_what_is_drawn_never(tmp_path, real_data):
    assert lobe_findings.read(tmp_path) is None
    real = lobe_findings.find(open_dataset("covid-ct", real_data))
    assert len(real.way) == len(real.area) == 425
    lobe_findings.write(real, tmp_path)
    again = lobe_findings.read(tmp_path)
    assert (again.way == real.way).all()
    np.testing.assert_allclose(again.area, real.area, atol=1e-4)
    committed = lobe_findings.read(RESULTS)
    assert (committed.way == real.way).all() and (committed.area == again.area).all()
    with pytest.raises(DataError, match="is there"):
        lobe_findings.write(real, tmp_path)
    drawn = replace(real, provenance=real.provenance | {"phantom": True})
    with pytest.raises(DataError, match="only findings of real"):
        lobe_findings.write(drawn, tmp_path / "other")


def test_each_region_of_drawn_slices_holds_its_own_lobe_most():
    found = lobes.held(12)
    assert found.sum(axis=1).to_numpy() == pytest.approx(np.ones(5), abs=1e-5)
    assert found.drop(columns="no lung").to_numpy().argmax(1).tolist() == [0, 1, 2, 3, 4]
    assert lobes.box_error(12) <= 3


def test_the_steps_are_those_of_the_generator():
    image = torch.full((40, 40), 200, dtype=torch.uint8)
    image[:3] = image[-3:] = image[:, :3] = image[:, -3:] = 0
    image[10:30, 8:18] = image[10:30, 22:32] = 50
    fig, axes = plt.subplots(1, 5)
    lobes.draw_steps(axes, image)
    box = locate(image[None, None]).box[0] * 40
    (drawn,) = axes[3].patches
    assert (drawn.get_x() + 0.5, drawn.get_width()) == (box[0].item(), (box[2] - box[0]).item())
    assert len(axes[4].patches) == 5
    plt.close(fig)


def test_the_diagram_names_both_branches():
    fig, ax = plt.subplots()
    words = {text.get_text() for text in diagrams.self_supervision(ax).texts}
    assert {"query encoder", "key encoder", "queue of keys", "ru", "ll"} <= words
    plt.close(fig)


def test_the_framework_is_drawn_from_its_runs():
    fig, ax = plt.subplots()
    words = [
        text.get_text() for text in diagrams.framework(ax, stage_sources.chains("laptop")).texts
    ]
    stages = [word for word in words if word in ("STL-N", "STL-M", "SSTL-M", "TARGET")]
    assert stages == ["STL-N", "STL-M", "SSTL-M", "TARGET"] * 2
    assert {"imagenet", "covidx", "tiny-imagenet-100", "covidx-here"} <= set(words)
    assert words.count("covid-ct") == 4
    plt.close(fig)


def test_settings_stand_beside_those_they_follow():
    frame = parts.settings_table("laptop").frame
    rates = frame.loc["learning rate"]
    assert (rates["SSTL-M, print"], rates["MoCo, print"]) == ("0.3", "0.03")
    assert (rates["SSTL-M, here"], rates["SimCLR, here"]) == ("0.00375", "0.0375")
    keys = frame.loc["keys in the queue"]
    assert (keys["MoCo, print"], keys["MoCo, here"], keys["SSTL-M, here"]) == (
        "65536",
        "256",
        "256",
    )
    assert keys[["SSTL-M, print", "SimCLR, print", "SimCLR, here"]].isna().all()
    assert list(frame.loc["hidden layer before the projection"])[2:] == ["no", "no", "yes", "yes"]


def test_the_end_of_a_stage_is_its_last_look():
    curve = pd.DataFrame(
        {
            "epoch": [0, 1, 2],
            "spread": [0.05, np.nan, 0.61],
            "effective_rank": [1.5, np.nan, 7.25],
            "collapsed": [1.0, np.nan, 0.0],
            "knn_accuracy": [0.5, np.nan, 0.75],
            "knn_auc": [0.5, np.nan, 0.8],
        }
    )
    seen = {"seen_train": 425, "seen_val": 0, "seen_test": 0}
    plain = SimpleNamespace(curve=curve, metrics=seen, body={"spec": {"seed": 0}})
    told = SimpleNamespace(
        **vars(plain) | {"curve": curve.assign(region_accuracy=[0.2, None, 0.9])}
    )
    all_seen = SimpleNamespace(**vars(told) | {"metrics": {**seen, "seen_test": 203}})
    own = {name: plain for name in parts.METHODS}
    found = parts.ends_table(own, {"SSTL-M": [told]}, {"on all images": all_seen}).frame
    assert found.loc["on all images, recorded", "learnt from"] == "425 / 0 / 203"
    line = found.loc["SSTL-M, recorded"]
    assert list(line) == ["425 / 0 / 0", "0.75", "0.80", "0.61", "7.2", "0.90", "1 of 2"]
    assert found.loc["MoCo, this run"].isna().sum() == 1 and len(found) == 5
    assert "90% of the lobes" in parts.told({"SSTL-M": [told]})
    assert "not recorded" in parts.told({"SSTL-M": []})


def test_a_recorded_stage_that_several_seeds_share_is_one_run():
    folder = Path(__file__).parents[1] / "book" / "results"
    known = parts.recorded_runs(SimpleNamespace(recorded=folder))
    keys = [record.key for records in known.values() for record in records]
    assert keys and len(keys) == len(set(keys))


def test_stages_of_other_networks_and_of_unprinted_rows_are_found():
    folder = Path(__file__).parents[1] / "book" / "results"
    page = SimpleNamespace(recorded=folder)
    found = parts.other_stages(page)
    shown = {one.key for records in parts.recorded_runs(page).values() for one in records}
    keys = [record.key for record in found.values()]
    assert len(keys) == len(set(keys)) and not shown & set(keys)
    methods = [record.body["spec"]["training"]["is"] for record in found.values()]
    assert {"SstlmSettings", "MocoSettings", "SimclrSettings"} == set(methods)
    ends = [found[f"R-50 {name} w SSTL-M alone"].curve["collapsed"].dropna().iloc[-1]
            for name in ("baseline", "1 ATTN", "5 ATTNs")]  # fmt: skip
    assert parts.collapsed_alone(page).startswith(f"{sum(ends):.0f} of 3 ")
    assert parts.collapsed_alone(SimpleNamespace(recorded=folder / "nowhere")) == NOT_YET
    alone = found["R-50 baseline w SSTL-M alone"]
    assert alone.metrics["seen_test"] == 0 and alone.body["spec"]["init"] is None


def test_a_step_stands_beside_its_ceiling(tmp_path):
    page = Page(Parameters(), None, tmp_path, tmp_path)
    assert parts.step_table(page).frame.loc["SSTL-M", "ms per step"] == NOT_YET
    body = {"ceiling": [1.0, 2.0, 4.0], "covidlib": [2.0, 2.0, 5.0], "size": 64, "batch": 32}
    body |= {
        "regions": 4,
        "depth": 50,
        "threads": 1,
        "provenance": {"hardware": "a CPU", "device": "cpu"},
    }
    (tmp_path / parts.STEP).parent.mkdir(parents=True)
    (tmp_path / parts.STEP).write_text(json.dumps(body))
    found = parts.step_table(page)
    assert found.frame.loc["covidlib"].tolist() == ["2,000", "16.0", "0.80", "0.50 to 1.00"]
    assert found.frame.iloc[0]["of the ceiling"] == "1.00"
    assert "a CPU, 1 thread. Medians of 3 rounds" in found.caption
    assert "Processor time" in found.caption
