from dataclasses import replace

import numpy as np
import pytest
import torch
from small_runs import DATA, draw_covid_ct, tiny

from covidlib import plans, stage_scores
from covidlib.errors import DataError
from covidlib.models.attention_resnet import AttentionResNetSettings
from covidlib.plans import Plan, Row
from covidlib.runs.executor import execute
from covidlib.runs.running import build
from covidlib.runs.store import Store
from covidlib.settings import SupervisedSettings
from covidlib.training.data import training_data
from covidlib.transferability import neighbour_accuracy, probe_accuracy

NETWORK = AttentionResNetSettings(18, "attn1")
CELL = {"model": "r18", "variant": "attn1", "stages": "stl_n"}
SOURCE = tiny(network=NETWORK, epochs=1, stage="stl-n")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COVIDLIB_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield draw_covid_ct(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def scores(root):
    target = training_data(DATA, root)
    network = build(SOURCE, target).network
    return stage_scores.score_stage(network, SOURCE, CELL, target, "laptop", resamples=40)


@pytest.fixture
def planned(monkeypatch):
    rows = tuple(
        Row(f"R-18 {stages}", tuple((CELL | {"stages": stages}).items()), (spec,))
        for stages, spec in (
            ("stl_n", SOURCE),
            ("stl_n+stl_m", replace(SOURCE, init=SOURCE, stage="stl-m")),
        )
    )

    def leep_scores(profile, *, phantoms, seeds=None):
        return Plan(stage_scores.PLAN, "msatl_table6", rows)

    monkeypatch.setitem(plans.PLANS, stage_scores.PLAN, leep_scores)
    return rows


def test_images_of_one_patient_do_not_vote_for_each_other(root):
    target = training_data(DATA, root)
    target.table["patient"] = [f"p{n // 4}" for n in range(len(target.table))]
    network = build(SOURCE, target).network
    found = stage_scores.score_stage(network, SOURCE, CELL, target, "laptop", resamples=5).scores
    _, features, labels = stage_scores.outputs(network, SOURCE, target)
    people = target.table["patient"].iloc[target.rows("train").numpy()]
    assert people.duplicated().any()
    assert found["5 neighbours"].value == neighbour_accuracy(features, labels, groups=people)
    folds = min(people[labels == label].nunique() for label in (0, 1))
    assert folds < 5
    apart = probe_accuracy(features, labels, groups=people, folds=folds)
    assert found["linear probe"].value == apart


def test_leep_of_a_stage_is_what_a_loop_over_images_gives(root, scores):
    target = training_data(DATA, root)
    theta, features, labels = stage_scores.outputs(build(SOURCE, target).network, SOURCE, target)
    assert theta.shape == (22, 2)
    assert features.shape == (22, 512)
    terms = []
    for i in range(22):
        chance = 0.0
        for z in range(2):
            column = theta[:, z]
            chance += theta[i, z] * column[labels == labels[i]].sum() / column.sum()
        terms.append(np.log(chance))
    np.testing.assert_allclose(scores.likelihoods, terms, atol=1e-9)
    assert scores.scores["LEEP"].value == pytest.approx(np.mean(terms))
    assert scores.bounds["-H(Y)"] == pytest.approx(-np.log(2))
    assert scores.bounds["-H(Y)"] <= scores.bounds["-H(Y | Z)"] <= scores.scores["LEEP"].value
    assert -np.log(2) <= scores.shuffled < 0
    assert (scores.classes, scores.images) == (2, 22)


def test_outputs_are_those_of_the_network_in_evaluation(root):
    target = training_data(DATA, root)
    network = build(SOURCE, target).network.train()
    first, second = (stage_scores.outputs(network, SOURCE, target)[0] for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_scores_survive_the_file_and_are_never_replaced(scores, tmp_path):
    assert not stage_scores.is_kept(CELL, SOURCE.key, tmp_path)
    path = stage_scores.write(scores, tmp_path)
    assert stage_scores.is_kept(CELL, SOURCE.key, tmp_path)
    assert not stage_scores.is_kept(CELL | {"stages": "none"}, SOURCE.key, tmp_path)
    assert path.parent == tmp_path / "msatl" / "leep_scores"
    assert path.stat().st_size < 4000
    assert stage_scores.write(replace(scores, shuffled=0.0), tmp_path) is None
    (again,) = stage_scores.read(tmp_path)
    np.testing.assert_allclose(again.likelihoods, scores.likelihoods, atol=1e-4)
    assert again.scores["LEEP"].low == pytest.approx(scores.scores["LEEP"].low, abs=1e-6)
    assert np.isnan(again.scores["LogME"].low)
    assert (again.network, again.stages, again.seed) == (("r18", "attn1"), "stl_n", 0)


def test_scores_of_phantoms_and_of_small_runs_are_not_kept(scores, tmp_path):
    for change in ({"phantom": True}, {"profile": "smoke"}):
        changed = replace(scores, provenance=dict(scores.provenance) | change)
        with pytest.raises(DataError, match="real images"):
            stage_scores.write(changed, tmp_path)
    assert stage_scores.read(tmp_path) == []


def test_the_larger_profile_speaks_alone(scores, tmp_path):
    stage_scores.write(scores, tmp_path)
    large = dict(scores.provenance) | {"profile": "paper"}
    stage_scores.write(replace(scores, key="another", provenance=large), tmp_path)
    assert [one.key for one in stage_scores.read(tmp_path)] == ["another"]


def test_a_plan_is_scored_as_far_as_the_store_has_weights(planned, root, tmp_path):
    store = Store(tmp_path / "store")
    execute([SOURCE], store, root)
    found = list(stage_scores.score_plan(store, DATA, "smoke", root, resamples=5))
    assert [one.stages for one in found] == ["stl_n", "none"]
    assert not list(stage_scores.score_plan(store, DATA, "smoke", root, keep=lambda *_: False))
    trained, untrained = found
    assert trained.key == untrained.key
    assert trained.scores["LEEP"] != untrained.scores["LEEP"]
    network = build(SOURCE, training_data(DATA, root)).network
    target = training_data(DATA, root)
    fresh = stage_scores.score_stage(network, SOURCE, CELL, target, "smoke", resamples=5)
    assert untrained.scores["LEEP"].value == pytest.approx(fresh.scores["LEEP"].value)
    table = stage_scores.by_network(found)
    assert table["r18", "attn1"]["none"] == [untrained]
    assert isinstance(SOURCE.training, SupervisedSettings)
    assert torch.is_grad_enabled()
