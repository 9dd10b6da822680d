import json
from dataclasses import replace

import pytest
from small_runs import TinySettings, draw_covid_ct, tiny

from covidlib.data.phantoms import PhantomSettings
from covidlib.errors import RunError
from covidlib.models.attention_resnet import AttentionResNetSettings
from covidlib.plans import plan
from covidlib.runs.rebuilding import rebuilt
from covidlib.runs.record import Record
from covidlib.runs.running import run
from covidlib.runs.spec import described
from covidlib.runs.store import Store


def recorded(folder, spec) -> Record:
    """Write a record as JSON and read it back."""
    folder.mkdir(parents=True)
    body = {"key": spec.key, "spec": described(spec)}
    (folder / "record.json").write_text(json.dumps(body))
    return Record(folder)


@pytest.mark.parametrize("phantoms", [True, False])
def test_the_runs_of_a_plan_come_back_equal(tmp_path, phantoms):
    for number, spec in enumerate(plan("msatl/without_transfer", "smoke", phantoms=phantoms).specs):
        assert rebuilt(recorded(tmp_path / str(number), spec)) == spec


def test_the_stage_a_run_starts_from_and_nested_settings_come_back_too(tmp_path):
    first = tiny(network=AttentionResNetSettings(18, "attn1"), stage="stl-n")
    second = tiny(network=AttentionResNetSettings(18, "attn1"), init=first, milestones=(0.5,))
    drawn = PhantomSettings(images=24, seed=3)
    second = replace(second, data=replace(second.data, phantom=drawn))
    found = rebuilt(recorded(tmp_path / "a", second))
    assert found == second
    assert found.init.stage == "stl-n"


def test_a_trained_run_comes_back(tmp_path):
    root, store, spec = draw_covid_ct(tmp_path / "data"), Store(tmp_path / "store"), tiny(epochs=1)
    record = run(spec, store, root)
    assert rebuilt(record, {"TinySettings": TinySettings}) == spec


def test_what_is_not_known_here_is_an_error(tmp_path):
    with pytest.raises(RunError, match=r"another version of the library.*TinySettings"):
        rebuilt(recorded(tmp_path / "a", tiny()))
    spec = tiny(network=AttentionResNetSettings(18))
    record = recorded(tmp_path / "b", spec)
    record.body["spec"]["training"]["colour"] = 3
    with pytest.raises(RunError, match="colour"):
        rebuilt(record)
    record = recorded(tmp_path / "c", spec)
    record.body["spec"]["seed"] = 8
    with pytest.raises(RunError, match="does not follow"):
        rebuilt(record)
