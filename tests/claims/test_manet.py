import json

import numpy as np
import pandas as pd
import pytest

from covidlib import lung_heat
from covidlib.claims import ledger, manet
from covidlib.claims.manet_experiments import CurveExperiment, HeatExperiment, accuracy_jumps
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
    assert set(table["verdict"]) == {"not testable here"}
    assert table["reason"].str.len().min() > 10


class Curve:
    def __init__(self, jump):
        values = 0.8 + jump * (-1.0) ** np.arange(20)
        self.curve = pd.DataFrame({"epoch": range(20), "val_accuracy": values})


def test_jumps_are_compared_network_by_network(monkeypatch, tmp_path):
    known = {
        "ResNet50": [Curve(0.10), Curve(0.11), Curve(0.12)],
        "ResNet50 (MA)": [Curve(0.04), Curve(0.06), Curve(0.05)],
        "VGG16": [Curve(0.1)],
    }
    target = "covidlib.claims.manet_experiments.rows"
    monkeypatch.setattr(target, lambda *_: known)
    effect = CurveExperiment(accuracy_jumps, more="none", less="mask")(tmp_path)
    jumps = [accuracy_jumps(Curve(j).curve) for j in (0.10, 0.11, 0.12, 0.04, 0.06, 0.05)]
    assert effect.value == pytest.approx(np.mean(jumps[:3]) - np.mean(jumps[3:]))
    assert effect.value > 0 and (effect.units, effect.runs) == (1, 3)
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
    assert "not scored" in experiment(tmp_path / "elsewhere")
