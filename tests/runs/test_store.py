import json

import pytest

from covidlib.errors import RunError
from covidlib.models.attention_resnet import AttentionResNetSettings
from covidlib.runs.record import Record, recorded_folder
from covidlib.runs.spec import RunSpec, described
from covidlib.runs.store import Store, place, publish
from covidlib.settings import DataSettings, SupervisedSettings

SPEC = RunSpec(AttentionResNetSettings(), DataSettings("covid-ct"), SupervisedSettings())


def write(folder, phantom=False, profile="laptop", dirty=False, auc=0.8):
    provenance = {"phantom": phantom, "profile": profile, "dirty": dirty}
    body = {"key": SPEC.key, "spec": described(SPEC), "metrics": {"auc": auc}}
    (folder / "record.json").write_text(json.dumps(body | {"provenance": provenance}))
    (folder / "curve.csv").write_text("epoch,loss\n0,1.0\n")
    (folder / "weights.safetensors").write_bytes(b"weights")


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "runs")


def test_a_run_is_found_again_and_its_working_folder_is_gone(store):
    assert store.get(SPEC) is None
    (store.working(SPEC) / "state.ckpt").write_bytes(b"state")
    store.add(SPEC, write)
    assert store.get(SPEC).metrics == {"auc": 0.8}
    assert not (store.root / ".working" / SPEC.key).exists()


def test_a_store_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match=r"cannot make the folder of runs .*--store"):
        Store(tmp_path / "file" / "runs")


def test_a_writer_that_fails_leaves_nothing(store):
    def fail(folder):
        write(folder)
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        store.add(SPEC, fail)
    assert store.get(SPEC) is None
    assert [p.name for p in store.root.iterdir()] == [".working"]


def test_a_finished_run_is_never_overwritten(store):
    store.add(SPEC, write)
    with pytest.raises(RunError, match="never overwritten"):
        store.add(SPEC, write)


def test_a_record_made_under_other_defaults_is_refused(store):
    def stale(folder):
        write(folder)
        body = json.loads((folder / "record.json").read_text())
        body["spec"]["training"]["momentum"] = 0.5
        (folder / "record.json").write_text(json.dumps(body))

    store.add(SPEC, stale)
    with pytest.raises(RunError, match="other defaults"):
        store.get(SPEC)


def test_a_setting_added_later_leaves_a_record_valid(tmp_path):
    body = {"key": SPEC.key, "spec": described(SPEC)}
    record = Record(tmp_path)
    record.__dict__["body"] = body
    assert record.check(SPEC) is record
    del body["spec"]["training"]["channels"]
    assert record.check(SPEC) is record
    body["spec"]["training"]["removed"] = 1
    with pytest.raises(RunError, match="other defaults"):
        record.check(SPEC)


def test_recorded_results_leave_the_weights_behind(store, tmp_path):
    target = publish(store.add(SPEC, write), tmp_path / "results" / "msatl")
    assert sorted(p.name for p in target.iterdir()) == ["curve.csv", "record.json"]
    assert publish(store.get(SPEC), tmp_path / "results" / "msatl") == target
    with pytest.raises(RunError, match="no weights"):
        _ = Record(target).weights


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"phantom": True}, "phantom"),
        ({"profile": "smoke"}, "smoke"),
        ({"dirty": True}, "differs from its commit"),
    ],
)
def test_recorded_results_refuse(store, tmp_path, facts, reason):
    record = store.add(SPEC, lambda folder: write(folder, **facts))
    with pytest.raises(RunError, match=reason):
        publish(record, tmp_path / "results")
    assert not (tmp_path / "results").exists()


def test_recorded_results_refuse_a_second_run_of_one_spec(store, tmp_path):
    publish(store.add(SPEC, write), tmp_path / "results" / "msatl")
    other = Store(tmp_path / "other").add(SPEC, lambda folder: write(folder, auc=0.9))
    with pytest.raises(RunError, match="never replaced"):
        publish(other, tmp_path / "results" / "msatl")


def test_a_run_is_recorded_once_whichever_paper_needed_it_first(store, tmp_path):
    results = tmp_path / "results"
    first = publish(store.add(SPEC, write), results / "manet")
    assert publish(store.get(SPEC), results / "across") == first
    again = Store(tmp_path / "other").add(SPEC, lambda folder: write(folder, auc=0.9))
    assert publish(again, results / "across") == first
    assert not (results / "across").exists()
    assert recorded_folder(results, "across", SPEC.key) == first
    assert recorded_folder(results, "across", "another") is None
    assert len((results / "history.jsonl").read_text().splitlines()) == 1


def test_place_refuses_an_existing_folder(tmp_path):
    (tmp_path / "here").mkdir()
    with pytest.raises(RunError, match="exists"):
        place(tmp_path / "here", lambda folder: None)
