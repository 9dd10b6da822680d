"""``covidlib reference``: order of value, failures, and nothing done twice."""

import json
from dataclasses import replace

import pytest
import torch
from small_runs import TinySettings, draw_covid_ct, tiny, written_at
from typer.testing import CliRunner

from covidlib import cli, plans
from covidlib.errors import CovidlibError
from covidlib.plans.plan import Plan, Row
from covidlib.runs import provenance
from covidlib.runs.record import RECORD
from covidlib.runs.reference import Failure, in_order, run_all
from covidlib.runs.running import run
from covidlib.runs.store import Store
from covidlib.training.fit import Resources

CPU = Resources("cpu", threads=1)


def row(label: str, width: int, rank: int, seeds: int) -> Row:
    network = TinySettings(width=width)
    specs = tuple(tiny(seed, network, epochs=1) for seed in range(seeds))
    return Row(label, (), specs, rank)


@pytest.fixture
def papers(monkeypatch):
    """Two plans that share a row, one of a large network, and one on request."""
    first = Plan("tests/first", "", (row("large", 8, 1, 1), row("small", 4, 0, 2)))
    second = Plan("tests/second", "", (row("small", 4, 0, 3), row("other", 5, 0, 1)))
    asked = Plan("tests/asked", "", (row("asked", 6, 0, 1),), on_request=True)
    for made in (first, second, asked):
        monkeypatch.setitem(plans.PLANS, made.name, lambda *_, made=made, **__: made)


@pytest.fixture
def root(tmp_path):
    return draw_covid_ct(tmp_path / "data")


def short(specs) -> list[tuple[int, int]]:
    return [(spec.network.width, spec.seed) for spec in specs]


def test_small_networks_then_first_seeds_then_plans_each_run_once(papers):
    every = in_order("tests", "smoke", phantoms=False)
    assert short(every) == [(4, 0), (5, 0), (4, 1), (4, 2), (8, 0)]
    named = in_order("tests", "smoke", phantoms=False, names=["tests/asked"])
    assert short(named) == [(6, 0)]
    for paper, names, message in (
        ("tests", ["tests/none"], "tests has tests/first, tests/second"),
        ("nature", [], "there are plans of .*msatl"),
    ):
        with pytest.raises(CovidlibError, match=message):
            in_order(paper, "smoke", phantoms=False, names=names)


def test_what_another_process_makes_comes_last_and_is_waited_for(root, tmp_path):
    store, order = Store(tmp_path / "store"), []
    specs = [tiny(seed, epochs=1) for seed in (1, 2)]
    theirs = Store(tmp_path / "store").lock(specs[0])
    theirs.acquire()

    def told(spec, outcome):
        order.append(spec.seed)
        theirs.release()  # the other process stops, and its run is made here

    assert run_all(specs, store, root, "smoke", resources=CPU, told=told) == []
    assert order == [2, 1] and len(store.records()) == 2


def test_a_failure_stops_its_descendants_and_nothing_else(root, tmp_path):
    store = Store(tmp_path / "store")
    bad = tiny(lr=float("1e30"), epochs=2, batch=22)  # its weights are not finite
    specs = [
        tiny(1, init=bad, epochs=1),
        tiny(2, init=bad, epochs=1),
        tiny(3, data=replace(tiny().data, dataset="kermany"), epochs=1),
        tiny(4, epochs=1),
    ]
    heard = []
    failures = run_all(
        specs, store, root, "smoke", resources=CPU, told=lambda spec, end: heard.append(end)
    )
    assert [failure.spec for failure in failures] == specs[:3]
    assert failures[0].reason.startswith("RunError")
    assert failures[1].reason == f"RunError: its stage {bad.key} failed before"
    assert failures[2].reason.startswith("DatasetMissing")
    assert [isinstance(end, Failure) for end in heard] == [True, True, True, False]
    assert [record.key for record in store.records()] == [specs[3].key]


def test_what_is_recorded_is_neither_made_nor_recorded_again(root, tmp_path, monkeypatch):
    facts = {"commit": "a" * 40, "dirty": False, "versions": {}}
    monkeypatch.setattr(provenance, "software", lambda: facts)
    results, parent = tmp_path / "results" / "msatl", tiny(epochs=1, stage="before")
    specs = [tiny(1, init=parent, epochs=1), tiny(2, init=parent, epochs=1)]
    options = {"results": results, "resources": CPU}
    assert run_all(specs[:1], Store(tmp_path / "one"), root, "laptop", **options) == []
    names = {path.name: path.stat().st_mtime_ns for path in results.iterdir()}
    assert set(names) == {parent.key, specs[0].key}  # the stage is recorded too
    heard = []
    # Another machine has the records and no weights: it trains the stage for the second run alone.
    other = Store(tmp_path / "two")
    options["told"] = lambda spec, end: heard.append(end)
    assert run_all(specs, other, root, "laptop", **options) == []
    assert heard[0] is None and heard[1].key == specs[1].key
    assert {record.key for record in other.records()} == {parent.key, specs[1].key}
    assert {path.name for path in results.iterdir()} == {*names, specs[1].key}
    assert all((results / name).stat().st_mtime_ns == when for name, when in names.items())


def test_nothing_is_tried_after_an_error_that_the_gpu_keeps(root, tmp_path, monkeypatch, caplog):
    def fails(spec, *arguments, **options):
        raise RuntimeError("an illegal memory access")

    def gone():
        raise RuntimeError("still illegal")

    monkeypatch.setattr("covidlib.runs.executor.run", fails)
    specs = [tiny(seed, epochs=1) for seed in range(3)]
    assert len(run_all(specs, Store(tmp_path), root, "smoke", resources=CPU)) == 3
    assert "an illegal memory access" in caplog.text and "Traceback" in caplog.text
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: None)
    assert len(run_all(specs, Store(tmp_path), root, "smoke", resources=Resources())) == 3
    monkeypatch.setattr(torch.cuda, "synchronize", gone)
    (only,) = run_all(specs, Store(tmp_path), root, "smoke", resources=Resources())
    assert only.spec == specs[0] and "does not answer" in caplog.text


def test_days_of_training_that_cannot_be_recorded_are_refused(papers, root, tmp_path, monkeypatch):
    monkeypatch.setattr(cli, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(
        provenance, "software", lambda: {"dirty": True, "commit": "", "versions": {}}
    )
    asked = ["reference", "tests", "--store", str(tmp_path / "store"), "--data", str(root)]
    answer = CliRunner().invoke(cli.app, [*asked, "--profile", "laptop"])
    assert answer.exit_code == 1 and "COVIDLIB_COMMIT" in answer.stderr
    assert not (tmp_path / "store").exists() or not Store(tmp_path / "store").records()
    answer = CliRunner().invoke(cli.app, [*asked, "--profile", "laptop", "--dry"])
    assert answer.exit_code == 0 and "to do" in answer.stdout
    answer = CliRunner().invoke(
        cli.app, [*asked, "--profile", "laptop", "--no-record", "--only", "r"]
    )
    assert answer.exit_code == 0 and Store(tmp_path / "store").records()
    assert not (tmp_path / "results").exists()


def test_the_command_goes_on_reports_and_repeats_nothing(papers, root, tmp_path, monkeypatch):
    monkeypatch.setattr(cli, "RESULTS", tmp_path / "results")
    broken = tiny(0, TinySettings(width=5), epochs=1)
    store = ["--store", str(tmp_path / "store"), "--threads", "1", "--data", str(root)]

    def fails(spec, *arguments, **options):
        if spec == broken:
            raise ValueError("one bad run")
        return run(spec, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr("covidlib.runs.executor.run", fails)
        answer = CliRunner().invoke(cli.app, ["reference", "tests", *store])
    assert answer.exit_code == 1 and "nothing is recorded" in answer.stdout
    assert f"failed {broken.key}: ValueError: one bad run" in answer.stderr
    assert len(Store(tmp_path / "store").records()) == 4
    before = {r.key: written_at(r) for r in Store(tmp_path / "store").records()}
    answer = CliRunner().invoke(cli.app, ["reference", "tests", *store])
    assert answer.exit_code == 0 and "5/5 done" in answer.stdout
    after = {r.key: written_at(r) for r in Store(tmp_path / "store").records()}
    assert before.items() <= after.items() and len(after) == 5
    assert "auc" not in answer.stdout.replace("val_auc", "")
    answer = CliRunner().invoke(cli.app, ["reference", "tests", *store, "--only", "r900"])
    assert answer.exit_code == 1 and "no run of tests has 'r900' in its key" in answer.stderr
    assert not (tmp_path / "results").exists()


def test_what_is_to_do_leaves_out_what_is_recorded(papers, root, tmp_path, monkeypatch):
    monkeypatch.setattr(cli, "RESULTS", tmp_path / "results")
    specs = in_order("tests", "smoke", phantoms=False)
    (record := tmp_path / "results" / "tests" / specs[1].key / RECORD).parent.mkdir(parents=True)
    record.touch()
    options = ["--dry", "--profile", "laptop", "--data", str(root)]
    options += ["--store", str(tmp_path / "store")]
    answer = CliRunner().invoke(cli.app, ["reference", "tests", *options])
    states = ["recorded" if spec is specs[1] else "to do" for spec in specs]
    expected = [f"{state:12}{spec.key}" for state, spec in zip(states, specs, strict=True)]
    assert answer.exit_code == 0 and answer.stdout.splitlines() == expected
    answer = CliRunner().invoke(cli.app, ["reference", "tests", "--no-record", *options])
    assert "recorded" not in answer.stdout and answer.stdout.count("to do") == len(specs)


def test_a_run_whose_record_cannot_be_used_fails_alone(root, tmp_path):
    store = Store(tmp_path / "store")
    stale, damaged, sound = tiny(1, epochs=1), tiny(2, epochs=1), tiny(3, epochs=1)
    run_all([stale, damaged], store, root, "smoke", resources=CPU)
    record = store.root / stale.key / RECORD
    body = json.loads(record.read_text())
    body["spec"]["training"]["momentum"] = 0.123
    record.write_text(json.dumps(body))
    (store.root / damaged.key / RECORD).write_text('{"key":')
    failures = run_all([stale, damaged, sound], store, root, "smoke", resources=CPU)
    assert [failure.spec for failure in failures] == [stale, damaged]
    assert "made under other defaults" in failures[0].reason
    assert store.get(sound) is not None
