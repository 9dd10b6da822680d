"""``covidlib run``: what it shows, how it ends, and that the same command goes on."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from small_runs import draw_covid_ct, tiny
from typer.testing import CliRunner

from covidlib import cli, plans
from covidlib.plans.plan import Plan, Row
from covidlib.runs import provenance
from covidlib.runs.running import run
from covidlib.runs.store import Store
from covidlib.training.fit import Resources
from covidlib.training.method import Method

# The real command with one more plan, whose networks are small.
PROGRAM = """
import sys
sys.path[:0] = {path!r}
import test_cli
from covidlib import cli, plans
plans.PLANS["tests/tiny"] = test_cli.plan
if {slow}:
    test_cli.slow_down()
cli.app()
"""


def slow_down():
    """Leave time for a signal, however busy the machine is."""
    start = Method.on_train_epoch_start
    Method.on_train_epoch_start = lambda self: (time.sleep(0.2), start(self))


def plan(profile, *, phantoms, seeds=None):
    epochs = {"smoke": 2, "laptop": 60, "paper": 200}[profile]
    specs = tuple(tiny(seed=seed, epochs=epochs) for seed in range(seeds or 2))
    return Plan("tests/tiny", "", (Row("tiny", (), specs),))


@pytest.fixture
def root(tmp_path):
    return draw_covid_ct(tmp_path / "data")


@pytest.fixture
def ask(monkeypatch, tmp_path, root):
    """Call the command in this process; return exit code, stdout and stderr."""
    monkeypatch.setitem(plans.PLANS, "tests/tiny", plan)
    monkeypatch.setattr(cli, "RESULTS", tmp_path / "results")

    def call(*arguments, data=root):
        options = ["--data", str(data), "--store", str(tmp_path / "store"), "--threads", "1"]
        answer = CliRunner().invoke(cli.app, ["run", *arguments, *options])
        return answer.exit_code, answer.stdout, answer.stderr

    return call


def test_finished_runs_are_shown_and_reused(ask, tmp_path):
    store = Store(tmp_path / "store")
    keys = [spec.key for spec in plan("smoke", phantoms=False).specs]
    code, out, err = ask("tests/tiny", "--dry")
    assert (code, err) == (0, "") and out.splitlines() == [f"to do       {key}" for key in keys]
    assert store.records() == []
    code, out, _ = ask("tests/tiny", "--only", "-s1-")
    assert code == 0 and f"done {keys[1]}: val_loss" in out and keys[0] not in out
    assert "sensitivity" not in out and " auc" not in out  # test scores are for the pages
    (store.working(tiny(seed=0, epochs=2)) / "state.ckpt").write_bytes(b"")
    _, out, _ = ask("tests/tiny", "--dry")
    assert out.splitlines() == [f"interrupted {keys[0]}", f"finished    {keys[1]}"]
    (store.working(tiny(seed=0, epochs=2)) / "state.ckpt").unlink()
    before = (store.root / keys[1] / "record.json").read_bytes()
    code, out, _ = ask("tests/tiny")
    assert code == 0 and len(store.records()) == 2
    assert "val_loss" in out  # of the one that was trained
    assert (store.root / keys[1] / "record.json").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nonsense"], "msatl/without_transfer"),
        (["tests/tiny", "--profile", "huge"], "profile is one of smoke, laptop, paper"),
        (["tests/tiny", "--backend", "ray"], "backend is one of serial, loky, dask"),
        (["tests/tiny", "--workers", "2"], "2 workers need --backend loky or dask"),
        (["tests/tiny", "--address", "tcp://host:1"], "needs --backend dask"),
        (["tests/tiny", "--only", "r900"], "no run of tests/tiny has 'r900' in its key"),
        (["tests/tiny", "--record"], "only real data in the profiles laptop and paper"),
    ],
)
def test_what_cannot_be_run_is_said_on_stderr_with_exit_code_1(ask, arguments, message):
    code, _, err = ask(*arguments)
    assert code == 1 and message in err and "Traceback" not in err


@pytest.mark.parametrize("option", ["--seeds", "--workers", "--devices"])
def test_a_count_is_at_least_one(ask, option):
    code, out, err = ask("tests/tiny", option, "0")
    assert code == 2 and option in err and "to do" not in out


def test_a_place_that_cannot_be_written_is_said_before_images_are_opened(ask, tmp_path):
    (tmp_path / "store").write_text("a file")
    code, out, err = ask("tests/tiny", data=tmp_path / "nowhere")
    assert code == 1 and "cannot make the folder of runs" in err and "to do" not in out


def test_results_that_are_not_there_are_said(tmp_path):
    answer = CliRunner().invoke(cli.app, ["results", "list", "--results", str(tmp_path / "no")])
    assert answer.exit_code == 1 and "there is no folder of results" in answer.stderr


def test_a_missing_data_root_names_the_command_that_gets_it(ask, tmp_path):
    code, out, err = ask("tests/tiny", data=tmp_path / "nowhere")
    assert code == 1 and "covidlib data get covid-ct" in err
    assert "to do" in out and "val_loss" not in out


def test_a_fault_of_the_library_keeps_its_traceback(ask, monkeypatch):
    def broken(*_, **__):
        raise KeyError("surprise")

    monkeypatch.setattr("covidlib.runs.executor.run", broken)
    answer = ask("tests/tiny")
    assert answer[0] == 1 and "error" not in answer[2]


def test_records_need_a_committed_library_before_hours_are_spent(ask, monkeypatch, tmp_path):
    facts = {"commit": "0" * 40, "dirty": True, "versions": {}}
    monkeypatch.setattr(provenance, "software", lambda: facts)
    code, out, err = ask("tests/tiny", "--record", "--profile", "laptop")
    assert code == 1 and "differs from its commit" in err and "val_loss" not in out
    facts["dirty"] = False
    monkeypatch.setitem(plans.PLANS, "tests/tiny", lambda _, **options: plan("smoke", **options))
    code, _, _ = ask("tests/tiny", "--record", "--profile", "laptop")
    assert code == 0 and len(list((tmp_path / "results/tests").glob("*/record.json"))) == 2


def test_recorded_results_are_listed_and_added(root, tmp_path, monkeypatch):
    facts = {"commit": "a" * 40, "dirty": False, "versions": {}}
    monkeypatch.setattr(provenance, "software", lambda: facts)
    store, options = Store(tmp_path / "store"), {"resources": Resources("cpu", threads=1)}
    good = run(tiny(epochs=1), store, root, profile="laptop", **options)
    run(tiny(epochs=1, seed=1), store, root, profile="smoke", **options)
    place = ["--results", str(tmp_path / "results")]
    added = CliRunner().invoke(
        cli.app, ["results", "add", "msatl", "--store", str(store.root), *place]
    )
    assert added.exit_code == 0 and "left out" in added.stdout and "1 runs" in added.stdout
    listed = CliRunner().invoke(cli.app, ["results", "list", *place], env={"COLUMNS": "200"})
    assert "aaaaaaaa" in listed.stdout and f"{good.metrics['auc']:.3f}" in listed.stdout


def test_a_run_is_added_to_the_paper_whose_plans_have_it(root, tmp_path, monkeypatch):
    facts = {"commit": "a" * 40, "dirty": False, "versions": {}}
    monkeypatch.setattr(provenance, "software", lambda: facts)
    store = Store(tmp_path / "store")
    mine = run(tiny(epochs=1), store, root, profile="laptop", resources=Resources("cpu", threads=1))
    monkeypatch.setitem(plans.PLANS, "manet/tiny", lambda *_, **__: plan("smoke", phantoms=False))
    options = ["--store", str(store.root), "--results", str(tmp_path / "results")]

    def add(paper):
        return CliRunner().invoke(cli.app, ["results", "add", paper, *options])

    refused = add("msatl")
    assert f"left out: {mine.key} is a run of manet" in refused.stdout.replace("\n", "")
    assert "0 runs" in refused.stdout and not (tmp_path / "results").exists()
    assert "1 runs" in add("manet").stdout
    unknown = add("msalt")
    assert unknown.exit_code == 1 and "there are plans of across, magsd" in unknown.stderr


def test_what_is_said_of_an_epoch_is_what_validation_images_said(capsys):
    cli._tell(tiny(), {"epoch": 0, "lr": 0.1, "loss": 1.5})
    assert capsys.readouterr().out == ""
    cli._tell(tiny(), {"epoch": 1, "loss": 1.5, "knn_accuracy": 0.75})
    assert "knn_accuracy 0.75" in capsys.readouterr().out


def command(tmp_path, root, *arguments, slow=False):
    program = PROGRAM.format(path=[os.path.dirname(__file__)], slow=slow)
    options = ["--data", str(root), "--store", str(tmp_path / "store"), "--threads", "1"]
    return [sys.executable, "-c", program, "run", *arguments, *options]


@pytest.mark.slow
def test_ctrl_c_leaves_a_state_and_the_same_command_goes_on_in_silence(root, tmp_path):
    arguments = ["tests/tiny", "--profile", "laptop", "--seeds", "1"]
    line = command(tmp_path, root, *arguments)
    spec, store = plan("laptop", phantoms=False, seeds=1).specs[0], Store(tmp_path / "store")
    path = store.root / ".working" / spec.key / "state.ckpt"
    slow = command(tmp_path, root, *arguments, slow=True)
    process = subprocess.Popen(slow, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.time() + 600
    while not path.exists() and process.poll() is None and time.time() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=600)
    assert (process.returncode, err) == (130, "")
    assert "interrupted; the same command goes on from here" in out
    assert path.exists() and store.get(spec) is None
    done = subprocess.run(line, capture_output=True, text=True, timeout=600)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"interrupted {spec.key}")
    record = store.get(spec)
    assert len(record.provenance["earlier"]) == 1
    whole = run(spec, Store(tmp_path / "whole"), root, resources=Resources("cpu", threads=1))
    assert record.predictions.equals(whole.predictions)
    assert json.loads((record.folder / "record.json").read_text())["metrics"] == whole.metrics


def test_every_plan_has_runs_in_every_profile():
    for name in plans.PLANS:
        for profile in ("smoke", "laptop", "paper"):
            for phantoms in (True, False):
                specs = plans.plan(name, profile, phantoms=phantoms).specs
                assert specs and all(bool(s.data.phantom) == phantoms for s in specs)
    with pytest.raises(KeyError, match="msatl/without_transfer"):
        plans.plan("msatl", "smoke", phantoms=True)
