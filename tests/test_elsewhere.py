from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score
from small_runs import masked

from covidlib import elsewhere
from covidlib.claims import manet
from covidlib.data import open_dataset
from covidlib.elsewhere import CLASSES, Elsewhere
from covidlib.errors import DataError, RunError
from covidlib.pages import dealt_anew
from covidlib.plans import plan
from covidlib.runs.running import run
from covidlib.runs.store import Store
from covidlib.training.fit import Resources

SPEC = masked(32)
FACTS = {"phantom": False, "profile": "laptop", "fingerprint": "f"}


def said(network, seed, right, count=30):
    """Predictions that name a class rightly in every image whose number is in ``right``."""
    rows = []
    for number in range(count):
        label = CLASSES[number % 3]
        named = label if number in right else CLASSES[(number + 1) % 3]
        chances = {f"p_{name}": float(name == named) for name in (*CLASSES, "normal")}
        rows.append({"sample": f"i{number}", "patient": f"{number // 2}", "label": label} | chances)
    key = f"manet-classes-lungs-{network}-scratch-cxr-s{seed}-0123456789"
    return Elsewhere(network, key, pd.DataFrame(rows), FACTS)


def balanced(one):
    table = one.predictions
    named = table.filter(like="p_").idxmax(axis=1).str.removeprefix("p_")
    return balanced_accuracy_score(table["label"], named)


def test_recalls_are_those_of_each_class():
    found = elsewhere.recalls(said("resnet50", 0, {0, 3, 1}).predictions, resamples=50)
    assert found.iloc[0].tolist() == pytest.approx([0.2, 0.1, 0.0])
    assert list(found) == list(CLASSES) and len(found) == 51
    few = said("resnet50", 0, {0}).predictions.query("label != 'COVID-19'")
    assert list(elsewhere.recalls(few, resamples=1)) == list(CLASSES[:2])


def test_gains_are_paired_trial_by_trial_and_image_by_image():
    pairs = [
        (said("resnet50", 0, set(range(9))), said("resnet50-mask", 0, set(range(15)))),
        (said("resnet50", 1, set(range(12))), said("resnet50-mask", 1, set(range(12)))),
    ]
    alone = said("resnet50", 2, set())
    mixed = pairs[0][1]
    shuffled = replace(mixed, predictions=mixed.predictions.sample(frac=1, random_state=0))
    found = elsewhere.gain([pairs[0][0], shuffled, *pairs[1], alone], "resnet50-mask", "resnet50")
    expected = np.mean([balanced(mask) - balanced(plain) for plain, mask in pairs])
    assert found.value == pytest.approx(expected)
    assert (found.runs, found.units, found.images) == (2, 1, 30)
    assert elsewhere.gain([alone], "resnet50-mask", "resnet50") is None


def test_the_claim_reads_what_was_kept(tmp_path):
    (claim,) = (one for one in manet.CLAIMS if one.id == "manet-Q17")
    assert "not recorded" in claim.experiment(tmp_path)
    for seed in range(3):
        for one in (said("resnet50", seed, set()), said("resnet50-mask", seed, set(range(30)))):
            assert elsewhere.write(one, tmp_path) is not None
            assert elsewhere.write(one, tmp_path) is None
    assert claim.experiment(tmp_path).value == 1
    with pytest.raises(DataError, match="real images"):
        drawn = replace(said("resnet50", 9, set()), provenance=FACTS | {"phantom": True})
        elsewhere.write(drawn, tmp_path)


def test_networks_that_never_name_a_pneumonia_are_no_experiment(tmp_path):
    (claim,) = (one for one in manet.CLAIMS if one.id == "manet-Q17")
    known = []
    for network, seed in (("resnet50", 0), ("resnet50-mask", 0)):
        one = said(network, seed, set(range(30)))
        one.predictions[[f"p_{name}" for name in elsewhere.PNEUMONIAS]] = 0.0
        one.predictions["p_normal"] = 1 - one.predictions["p_COVID-19"]
        known.append(one)
        elsewhere.write(one, tmp_path)
    found = claim.experiment(tmp_path)
    assert "neither network names a pneumonia" in found.why and "+0.000" in found.why
    assert len(found.records) == 2
    told = dealt_anew.sentences(known, known)
    assert told["elsewhere_pneumonias"] == "ResNet50 in 0 of 30, ResNet50 (MA) in 0 of 30"
    known[1] = said("resnet50-mask", 0, set(range(30)))
    assert dealt_anew.sentences(known, known)["elsewhere_pneumonias"].endswith(
        "ResNet50 (MA) in 20 of 30"
    )


def test_a_trained_network_is_asked_about_every_image(tmp_path):
    store = Store(tmp_path)
    with pytest.raises(RunError, match="not in the store"):
        elsewhere.measure(SPEC, store, "smoke")
    run(SPEC, store, resources=Resources("cpu", threads=1))
    found = elsewhere.measure(SPEC, store, "smoke")
    data = elsewhere.shown(SPEC, store)
    assert found.predictions["sample"].tolist() == data.table["sample"].tolist()
    assert set(found.predictions["label"]) <= set(CLASSES)
    names = [f"p_{name}" for name in ("normal", "tuberculosis")]
    np.testing.assert_allclose(found.predictions[names].sum(axis=1), 1, atol=1e-6)
    dark = np.asarray(data.cached.images)[~np.asarray(data.cached.lungs, bool)]
    assert (dark == 0).all() and found.seed == "s0" and found.provenance["phantom"]


def test_nobody_who_was_learnt_from_is_asked_about(real_data):
    spec = plan(elsewhere.PLAN, "laptop", phantoms=False).specs[0]
    found = elsewhere.images(spec, real_data).table
    known = open_dataset("manet-classes", real_data).table
    assert not set(found["sample"]) & set(known["sample"])
    assert not set(found["patient"].dropna()) & set(known["patient"].dropna())
    counts = pd.crosstab(found["label"], found["part"])
    assert counts.loc["COVID-19", "covid-cxnet"] > 500
    assert (counts.loc[list(CLASSES[:2]), "covid-chestxray-dataset"] > 20).all()
    assert counts.loc["COVID-19", "covid-chestxray-dataset"] == 0
