from dataclasses import dataclass, make_dataclass, replace

import pytest

from covidlib.models.attention_resnet import AttentionResNetSettings
from covidlib.runs.executor import distinct
from covidlib.runs.spec import RunSpec, canonical, described, seed_of
from covidlib.settings import DataSettings, SupervisedSettings


def spec(**changes):
    first = RunSpec(AttentionResNetSettings(), DataSettings("covid-ct"), SupervisedSettings())
    return replace(first, **changes)


def test_key_is_the_same_in_every_process():
    assert spec().key == "covid-ct-r50-baseline-scratch-supervised-s0-" + spec().key[-10:]
    assert spec().key == spec(seed=0).key
    assert len({spec(seed=seed).key for seed in range(20)}) == 20
    assert seed_of(spec(seed=12).key) == "s12"


@pytest.mark.parametrize(
    "change",
    [
        {"network": AttentionResNetSettings(101)},
        {"data": DataSettings("covid-ct", split="kfold", fold=1)},
        {"training": SupervisedSettings(lr=0.1)},
        {"init": spec(stage="stl-n")},
    ],
)
def test_whatever_decides_the_result_changes_the_key(change):
    assert spec(**change).key != spec().key


def test_a_grandparent_is_part_of_the_key():
    first, second = spec(stage="stl-n"), spec(stage="stl-n", seed=1)
    keys = {spec(init=spec(stage="stl-m", init=start)).key for start in (first, second)}
    assert len(keys) == 2
    assert all("stl-n-stl-m" in key for key in keys)


def test_a_setting_added_at_its_default_keeps_old_keys():
    old = make_dataclass("Settings", [("lr", float, 0.1)], frozen=True)
    new = make_dataclass("Settings", [("lr", float, 0.1), ("warmup", int, 0)], frozen=True)
    assert canonical(old(0.3)) == canonical(new(0.3))
    assert described(old(0.3)) != described(new(0.3))
    assert canonical(new(0.3, 5)) != canonical(new(0.3))


def test_settings_of_equal_values_and_other_types_differ():
    first = make_dataclass("First", [("lr", float, 0.1)], frozen=True)
    second = make_dataclass("Second", [("lr", float, 0.1)], frozen=True)
    assert canonical(first()) != canonical(second())


def test_a_spec_refuses_what_has_no_stable_form():
    @dataclass(frozen=True)
    class Holder:
        value: object

    with pytest.raises(TypeError, match="set"):
        canonical(Holder({1, 2}))


def test_shared_stages_are_trained_once_and_before_their_children():
    natural = spec(stage="stl-n")
    medical = spec(stage="stl-m", init=natural)
    children = [spec(init=medical, seed=s) for s in range(3)] + [spec(init=natural)]
    generations = distinct([*children, *children])
    assert [s.key for s in generations[0]] == [natural.key]
    assert {s.key for s in generations[1]} == {medical.key, spec(init=natural).key}
    assert len(generations[2]) == 3


def test_a_fold_shows_in_the_key():
    folded = spec(data=DataSettings("covid-ct", split="kfold", fold=2))
    assert "covid-ct-fold2" in folded.key
