from collections import Counter

import pytest

from covidlib.plans import PLANS, plan
from covidlib.plans.across import CT, FOLDS, HELD_OUT, NAME, XRAYS
from covidlib.runs.reference import in_order
from covidlib.settings import MAGSDSettings, ProtocolMAGSDSettings, ProtocolSettings
from covidlib.training.magsd import check_maps


def test_the_trainings_of_laptop_are_few_and_each_happens_once():
    chosen = plan(NAME, "laptop", phantoms=False)
    assert len(chosen.rows) == len(chosen.specs) == len({s.key for s in chosen.specs}) == 38
    cells = [dict(row.cell) for row in chosen.rows]
    sets = Counter(cell["learnt"] for cell in cells if cell["view"] == "own")
    assert {name: sets[name] for name in (CT, *XRAYS)} == {CT: 5} | dict.fromkeys(XRAYS, 6)
    assert all(sets[name] == 2 for name in HELD_OUT)
    assert not [c for c in cells if c["network"] == "ma" and c["learnt"] == CT]


def test_the_protocol_is_one():
    chosen = plan(NAME, "laptop", phantoms=False)
    shared = ("size", "augmentation", "normalisation", "batch", "lr", "momentum", "weight_decay",
              "drop_last", "precision", "channels")  # fmt: skip
    facts = {tuple(getattr(s.training, name) for name in shared) for s in chosen.specs}
    assert len(facts) == 1
    for spec in chosen.specs:
        magsd = spec.network.slug.startswith("ma-")
        assert type(spec.training) is (ProtocolMAGSDSettings if magsd else ProtocolSettings)
        assert spec.training.lr_at(1) == ProtocolSettings(epochs=spec.training.epochs).lr_at(1)
        assert spec.init is None and spec.data.preprocessing.clahe_clip is None
    epochs = {(s.data.dataset, s.data.learn_from): set() for s in chosen.specs}
    for spec in chosen.specs:
        epochs[spec.data.dataset, spec.data.learn_from].add(spec.training.epochs)
    assert all(len(found) == 1 for found in epochs.values())


def test_only_mask_attention_and_blacked_out_lungs_need_a_segmentation():
    for row in plan(NAME, "laptop", phantoms=False).rows:
        cell, (spec,) = dict(row.cell), row.specs
        needs = cell["network"] == "ma" or cell["view"] == "outside"
        assert (spec.data.lungs is not None) == needs
    finders = {s.data.lungs.key for s in plan(NAME, "laptop", phantoms=False).specs if s.data.lungs}
    assert finders == {plan("manet/segmentation", "laptop", phantoms=False).specs[0].key}


def test_the_headline_network_comes_first_and_folds_are_runs_of_paper():
    ordered = in_order("across", "laptop", phantoms=False)
    assert [s.network.slug for s in ordered[:4]] == ["r50-baseline"] * 4
    rows = plan(NAME, "paper", phantoms=False).rows
    for row in rows:
        assert len(row.specs) == FOLDS
        on_ct = dict(row.cell)["learnt"] == CT
        assert [s.seed for s in row.specs] == ([0, 1, 2] if on_ct else [0, 0, 0])
        assert [s.data.fold for s in row.specs] == ([None] * 3 if on_ct else [0, 1, 2])


@pytest.mark.parametrize("profile", ["smoke", "laptop"])
def test_no_plan_asks_for_views_of_images_that_are_too_small(profile):
    whole = (spec for name in PLANS for spec in plan(name, profile, phantoms=True, seeds=1).specs)
    viewed = {
        (spec.network, spec.training.size): spec.training
        for spec in whole
        if isinstance(spec.training, MAGSDSettings) and spec.training.views
    }
    for (network, _), training in viewed.items():
        check_maps(network.build(2), training)
    assert {type(training) for training in viewed.values()} >= {ProtocolMAGSDSettings}
