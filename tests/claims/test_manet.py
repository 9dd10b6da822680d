import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import f1_score

from covidlib import lung_heat, overheads
from covidlib.claims import ledger, manet, manet_measures
from covidlib.claims.manet_experiments import CurveExperiment, HeatExperiment, accuracy_jumps
from covidlib.errors import DataError
from covidlib.published import claims


def test_every_claim_of_the_paper_has_an_entry():
    listed = claims("manet")["id"]
    wanted = [name for name in listed if "-Q" in name]
    assert [claim.id for claim in manet.CLAIMS] == wanted


def test_the_paper_s_own_effects():
    printed = {claim.id: claim.printed for claim in manet.CLAIMS}
    assert printed["manet-Q01"] == pytest.approx(0.9632 - 0.9608)  # the smallest of four gains
    assert printed["manet-Q03"] == pytest.approx(0.9608 - 0.9559)
    assert printed["manet-Q04"] == pytest.approx(0.9632 - 0.9608)
    assert printed["manet-Q20"] is None


def test_without_records_nothing_is_claimed(tmp_path):
    table = ledger("manet", manet.CLAIMS, tmp_path)
    counted = table.loc[["manet-Q08", "manet-Q19"]]
    assert set(counted["verdict"]) == {"supported"}
    assert set(table.drop(counted.index)["verdict"]) == {"not testable here"}
    assert table["reason"].str.len().min() > 10


def test_parameters_and_operations_are_counted(monkeypatch, tmp_path):
    assert manet_measures.parameters(tmp_path).holds
    found = manet_measures.trainable(tmp_path)
    # manet Table 3: 21.44 - 21.28 and 26.03 - 23.51 M, 14.63 and 40.98 M.
    assert found.holds and "0.16 against 0 M" in found.why and "41.0 against 0.2 M" in found.why
    # A convolution of 16 to 16 channels at 512 pixels alone has 16 * 16 * 9 * 512² operations.
    assert manet_measures.segmentation_operations() > 3 * 16 * 16 * 9 * 512**2
    original = manet_measures._cost
    heavier = {"mask": 7, "none": 0, "cbam": 0}
    monkeypatch.setattr(
        manet_measures,
        "_cost",
        lambda b, a: replace(original(b, a), parameters=heavier[a], map_pools=10**9),
    )
    assert not manet_measures.parameters(tmp_path).holds
    assert not manet_measures.trainable(tmp_path).holds


def test_a_step_with_masks_is_lighter_if_rounds_say_so(monkeypatch, tmp_path):
    assert manet_measures.light(tmp_path) == "no time of a training step is recorded"
    load = np.array([1.0, 4.0, 2.0, 1.0])  # of the machine, which both sides of a round share
    seconds = {}
    for backbone, slower in (("resnet34", 1.5), ("resnet50", 1.2)):
        seconds[f"{backbone}/mask"] = list(load)
        seconds[f"{backbone}/cbam"] = list(load * slower * np.array([1, 1.1, 0.9, 1]))
    overheads.write(overheads.Overheads(seconds, 64, 4, {}), tmp_path / "manet" / "cost")
    found = manet_measures.light(tmp_path)
    expected = np.log(1.2 * np.array([1, 1.1, 0.9, 1]))
    assert found.value == pytest.approx(expected.mean()) and found.runs == 4
    assert found.p_value == pytest.approx(stats.ttest_1samp(expected, 0).pvalue)
    assert manet_measures.light_in_print() == pytest.approx(np.log(163 / 141))
    monkeypatch.setattr(manet_measures, "TRIVIAL", 1e-6)
    assert manet_measures.light(tmp_path).holds is False


@pytest.mark.parametrize(
    ("mean", "largest", "holds"), [(0.01, 0.04, True), (0.01, 0.3, None), (0.06, 0.3, False)]
)
def test_a_mismatch_is_slight_everywhere_somewhere_or_nowhere(
    monkeypatch, tmp_path, mean, largest, holds
):
    assert "no maps" in manet_measures.slight(tmp_path)
    skips = pd.DataFrame({"mean": [0.0, mean], "maximum": [largest, 0.0]})
    found = SimpleNamespace(skips=skips)
    monkeypatch.setattr(manet_measures.mask_findings, "read", lambda *_: found)
    assert manet_measures.slight(tmp_path).holds is holds


def test_larger_classes_are_those_with_most_images():
    classes = [f"c{k}" for k in range(4)]
    sizes = {"c0": 10, "c1": 60, "c2": 30, "c3": 20}
    truth = np.repeat(list(sizes), list(sizes.values()))
    rng = np.random.default_rng(0)
    records, gaps = [], []
    for _ in range(3):
        given = np.where(rng.random(len(truth)) < 0.3, rng.permutation(truth), truth)
        table = pd.DataFrame({f"p_{c}": (given == c).astype(float) for c in classes})
        names = np.arange(len(truth)).astype(str)
        table = table.assign(sample=names, patient=names, split="test", label=truth)
        table = table.sample(frac=1, random_state=len(records))  # each in an order of its own
        records.append(SimpleNamespace(predictions=table))
        scores = dict(zip(classes, f1_score(truth, given, average=None), strict=True))
        gaps.append((scores["c1"] + scores["c2"] - scores["c3"] - scores["c0"]) / 2)
    found = manet_measures.larger_classes(records, resamples=200)
    assert found.value == pytest.approx(np.mean(gaps))
    assert (found.units, found.runs, found.images) == (1, 3, 120)
    assert found.low < found.value < found.high
    fewer = SimpleNamespace(predictions=records[0].predictions.iloc[1:])
    with pytest.raises(DataError, match="share some"):
        manet_measures.larger_classes([fewer, *records[1:]])
    # manet Tables 1 and 4: bacterial 0.99, normal 0.95; viral 0.99, COVID-19 0.95, TB 0.85.
    assert manet_measures.by_size_in_print() == pytest.approx(0.97 - 0.93)


class Curve:
    def __init__(self, jump, seed=0):
        self.key = f"run-{jump}-s{seed}-0"
        self.folder = Path("manet") / self.key
        values = 0.8 + jump * (-1.0) ** np.arange(20)
        self.curve = pd.DataFrame({"epoch": range(20), "val_accuracy": values})


def test_jumps_are_compared_network_by_network(monkeypatch, tmp_path):
    known = {
        "ResNet50": [Curve(0.10, 0), Curve(0.11, 1), Curve(0.12, 2)],
        "ResNet50 (MA)": [Curve(0.04, 0), Curve(0.06, 1), Curve(0.05, 2)],
        "VGG16": [Curve(0.1)],
    }
    target = "covidlib.claims.manet_experiments.by_profile"
    monkeypatch.setattr(target, lambda *_: [(None, known)])
    effect = CurveExperiment(accuracy_jumps, more="none", less="mask")(tmp_path)
    jumps = [accuracy_jumps(Curve(j).curve) for j in (0.10, 0.11, 0.12, 0.04, 0.06, 0.05)]
    assert effect.value == pytest.approx(np.mean(jumps[:3]) - np.mean(jumps[3:]))
    assert effect.value > 0 and (effect.units, effect.runs) == (1, 3)
    assert len(effect.records) == 6 and "manet/run-0.04-s0-0" in effect.records
    rows = CurveExperiment(accuracy_jumps, more="cbam", less="mask").asked
    assert len(rows) == 4  # CBAM stands in the two ResNets alone
    known["ResNet50"] = known["ResNet50"][1:]  # a trial is compared with the one of its seed
    known["VGG16 (MA)"] = [Curve(0.05, 1)]
    effect = CurveExperiment(accuracy_jumps, more="none", less="mask")(tmp_path)
    expected = [jumps[1] - jumps[4], jumps[2] - jumps[5]]
    assert effect.value == pytest.approx(np.mean(expected)) and effect.runs == 2
    assert len(effect.records) == 4, "the trial without a counterpart has no part in it"
    known["ResNet50"] = known["ResNet50"][:1]
    assert "no test" in CurveExperiment(accuracy_jumps, more="none", less="mask")(tmp_path)


def test_heat_is_compared_image_by_image_and_trial_by_trial(tmp_path):
    folder = tmp_path / lung_heat.FOLDER
    folder.mkdir(parents=True)
    for seed in (0, 1, 2):
        for slug, inside in (("resnet50", 0.5), ("resnet50-mask", 0.6 + 0.01 * seed)):
            scores = {
                "columns": ["sample", "patient", "inside"],
                "data": [[f"i{k}", f"p{k // 2}" if k else None, inside] for k in range(9)],
            }
            key = f"manet-classes-lungs-{slug}-scratch-cxr-s{seed}-0123456789"
            body = {"network": slug, "key": key, "scores": scores, "randomised": {}}
            body |= {"provenance": {"profile": "laptop", "phantom": False}}
            (folder / f"{key}.json").write_text(json.dumps(body))
    experiment = HeatExperiment(
        lambda s: s["resnet50-mask"]["inside"] - s["resnet50"]["inside"],
        ("resnet50", "resnet50-mask"),
    )
    effect = experiment(tmp_path)
    assert effect.value == pytest.approx(0.11) and effect.units == 3
    assert effect.runs == 3 and effect.images == 9
    assert len(effect.records) == 6 and effect.records[0].startswith("manet/heatmaps/manet-classes")
    assert "not scored" in experiment(tmp_path / "elsewhere")
