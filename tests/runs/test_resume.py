"""Killed runs go on to the bits of an uninterrupted one; no state file can do harm."""

import multiprocessing
import os
import pickle
import random
import resource
import signal
import time
import zipfile
from pathlib import Path

import pytest
import torch
from small_runs import TinySettings, draw_covid_ct, same, tiny

from covidlib.errors import RunError
from covidlib.models.attention_resnet import AttentionResNetSettings
from covidlib.runs import running
from covidlib.runs import store as store_module
from covidlib.runs.running import run
from covidlib.runs.store import Store
from covidlib.training import state as state_module
from covidlib.training.data import training_data
from covidlib.training.fit import Resources
from covidlib.training.method import Method
from covidlib.training.state import check_identity, read_state

EACH_EPOCH = Resources("cpu", checkpoint_seconds=0, threads=1)
# Real processes, forked from one that has only imported the library.
FRESH = multiprocessing.get_context("forkserver")
FRESH.set_forkserver_preload(["covidlib.runs.running", "small_runs"])


@pytest.fixture
def root(tmp_path):
    return draw_covid_ct(tmp_path / "data")


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def dies_at_step(count):
    original = Method.training_step

    def step(self, batch, batch_idx):
        if self.current_epoch * 3 + batch_idx == count:
            die()
        return original(self, batch, batch_idx)

    Method.training_step = step


def dies_in_state(epoch, byte):
    """Die when the state of an epoch has some of its bytes on the disk."""
    calls = iter(range(100))

    class Writer:
        def __init__(self, file):
            self.file, self.left = file, byte

        def write(self, data):
            written = self.file.write(bytes(data)[: self.left])
            self.left -= written
            if self.left <= 0:
                self.file.flush()
                die()
            return written

        def flush(self):
            self.file.flush()

    original = torch.save

    def save(body, file):
        original(body, Writer(file) if next(calls) == epoch else file)

    state_module.torch.save = save


def dies_around_rename(epoch, after):
    calls, original = iter(range(100)), os.replace

    def replace(source, target):
        due = str(target).endswith("state.ckpt") and next(calls) == epoch
        if due and not after:
            die()
        original(source, target)
        if due:
            die()

    os.replace = replace


def dies_in_record(stage):
    """Die while the record is written: after its first file, before or after its rename."""
    if stage == "first file":
        running.save_file = lambda *_: die()
    elif stage == "before its name":
        store_module.sync = lambda path: die() if path.suffix == "" else None
    else:
        Store.forget = lambda self, spec: die()


def child(spec, place, root, plan, arguments):
    plan(*arguments)
    run(spec, Store(place), root, resources=EACH_EPOCH)


def nothing():
    pass


def in_process(spec, store, root, plan=nothing, *arguments) -> int:
    """Run in a process of its own and return its exit code."""
    process = FRESH.Process(target=child, args=(spec, store.root, root, plan, arguments))
    process.start()
    process.join(600)
    return process.exitcode


@pytest.mark.parametrize("precision", ["bf16-mixed", "32-true"])
def test_runs_killed_at_random_steps_end_as_if_nothing_had_happened(root, tmp_path, precision):
    spec, store = tiny(precision=precision, epochs=4), Store(tmp_path / "killed")
    dice = random.Random(precision)
    first, second = sorted(dice.sample(range(3, 12), 2))
    for step in (dice.randrange(3), first, second):  # the first one before there is any state
        assert in_process(spec, store, root, dies_at_step, step) == -signal.SIGKILL
        assert store.get(spec) is None
        assert (store.working(spec) / "state.ckpt").exists() == (step >= 3)
    assert in_process(spec, store, root) == 0
    whole = run(spec, Store(tmp_path / "whole"), root, resources=EACH_EPOCH)
    assert same(store.get(spec), whole)
    # A session that reached the end of no epoch left nothing that the next could go on from.
    assert len(store.get(spec).provenance["earlier"]) == len({first // 3, second // 3})
    assert whole.curve["epoch"].tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("plan", "arguments", "kept"),
    [
        (dies_in_state, (0, 1), None),
        (dies_in_state, (0, 4000), None),
        (dies_in_state, (1, 2500), 0),
        (dies_in_state, (2, 5000), 1),
        (dies_around_rename, (1, False), 0),
        (dies_around_rename, (1, True), 1),
        (dies_around_rename, (2, True), 2),
        (dies_in_record, ("first file",), 2),
        (dies_in_record, ("before its name",), 2),
    ],
)
def test_runs_killed_while_they_write_keep_what_was_there(root, tmp_path, plan, arguments, kept):
    spec, store = tiny(), Store(tmp_path / "killed")
    assert in_process(spec, store, root, plan, *arguments) == -signal.SIGKILL
    assert store.get(spec) is None and store.records() == []
    path = store.working(spec) / "state.ckpt"
    if kept is None:
        assert not path.exists()
    else:
        assert read_state(path)["callbacks"]["Curve"]["rows"][-1]["epoch"] == kept
    resumed = run(spec, store, root, resources=EACH_EPOCH)
    assert same(resumed, run(spec, Store(tmp_path / "whole"), root, resources=EACH_EPOCH))
    assert sorted(p.name for p in store.root.iterdir()) == [".working", spec.key]
    assert [p.name for p in (store.root / ".working").iterdir()] == [f"{spec.key}.lock"]


def test_a_run_killed_after_its_record_is_found_and_its_state_deleted(root, tmp_path):
    spec, store = tiny(), Store(tmp_path / "killed")
    assert in_process(spec, store, root, dies_in_record, "after its name") == -signal.SIGKILL
    assert (store.working(spec) / "state.ckpt").exists()
    assert run(spec, store, root).body == store.get(spec).body
    assert not (store.root / ".working" / spec.key).exists()


def test_a_process_killed_from_outside_at_any_moment_leaves_a_state_that_serves(root, tmp_path):
    spec, store = tiny(epochs=40, validate_every=10), Store(tmp_path / "killed")
    dice, kills = random.Random(5), 0
    for _ in range(4):
        process = FRESH.Process(target=child, args=(spec, store.root, root, nothing, ()))
        process.start()
        path, deadline = store.root / ".working" / spec.key / "state.ckpt", time.time() + 600
        while not path.exists() and process.is_alive() and time.time() < deadline:
            time.sleep(0.01)
        time.sleep(dice.uniform(0, 0.3))
        process.kill()
        process.join()
        kills += process.exitcode == -signal.SIGKILL
        if store.get(spec) is not None:
            break
        read_state(path)
    assert kills
    resumed = run(spec, store, root, resources=EACH_EPOCH)
    assert same(resumed, run(spec, Store(tmp_path / "whole"), root, resources=EACH_EPOCH))


@pytest.mark.slow
def test_a_killed_resnet_with_attention_and_dropout_ends_as_if_nothing_had_happened(root, tmp_path):
    network = AttentionResNetSettings(18, "attn1", dropout=0.3)
    spec, store = tiny(network=network, lr=0.01, epochs=2), Store(tmp_path / "killed")
    assert in_process(spec, store, root, dies_at_step, 4) == -signal.SIGKILL
    resumed = run(spec, store, root, resources=EACH_EPOCH)
    whole = run(spec, Store(tmp_path / "whole"), root, resources=EACH_EPOCH)
    assert same(resumed, whole)
    assert len(resumed.provenance["earlier"]) == 1


def test_dropout_matters_to_these_tests(root, tmp_path):
    first, second = (
        run(tiny(network=TinySettings(dropout=p)), Store(tmp_path), root, resources=EACH_EPOCH)
        for p in (0.0, 0.3)
    )
    assert first.curve["loss"][0] != second.curve["loss"][0]


@pytest.fixture
def interrupted(root, tmp_path):
    """A store with a run that was killed in its last epoch, and the run's spec."""
    spec, store = tiny(), Store(tmp_path / "store")
    assert in_process(spec, store, root, dies_at_step, 7) == -signal.SIGKILL
    return spec, store


class Evil:
    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return (Path.touch, (self.target,))


@pytest.mark.parametrize("form", ["plain pickle", "torch archive", "hidden in a state"])
def test_a_pickle_that_would_run_code_is_refused(interrupted, root, tmp_path, form):
    spec, store = interrupted
    path, trace = store.working(spec) / "state.ckpt", tmp_path / "executed"
    if form == "plain pickle":
        path.write_bytes(pickle.dumps(Evil(trace)))
        pickle.loads(path.read_bytes())  # it would work
        assert trace.exists()
        trace.unlink()
    else:
        body = read_state(path) if form == "hidden in a state" else {}
        torch.save(body | {"callbacks": Evil(trace)}, path)
    with pytest.raises(RunError, match=r"state\.ckpt is damaged, or not .* delete it"):
        run(spec, store, root, resources=EACH_EPOCH)
    assert not trace.exists()
    assert store.get(spec) is None


def test_every_damage_to_the_state_is_noticed(interrupted, root):
    spec, store = interrupted
    path, dice = store.working(spec) / "state.ckpt", random.Random(0)
    good = path.read_bytes()
    with zipfile.ZipFile(path) as archive:  # bytes that mean something; gaps between do not
        spans = [(i.header_offset + 30 + len(i.filename), i.file_size) for i in archive.infolist()]
    damaged = [good[:size] for size in (0, 1, 100, len(good) // 2, len(good) - 1)]
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            content = archive.read(info)
            if content:
                place = good.index(content, spans[archive.infolist().index(info)][0])
                place += dice.randrange(len(content))
                damaged.append(good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :])
    assert len(damaged) > 10
    for content in damaged:
        path.write_bytes(content)
        with pytest.raises(RunError, match="delete it to train from the start"):
            read_state(path)
    path.unlink()
    assert run(spec, store, root, resources=EACH_EPOCH).provenance["earlier"] == []


def test_a_state_of_other_images_is_refused(interrupted, tmp_path):
    spec, store = interrupted
    other = draw_covid_ct(tmp_path / "other", seed=1)
    with pytest.raises(RunError, match="other images than those of now"):
        run(spec, store, other, resources=EACH_EPOCH)


def test_a_state_of_another_split_is_refused_and_one_that_does_not_say_is_not():
    def body(identity):
        return {"callbacks": {"State": {"identity": identity}}}

    now = {"images": "a", "split": "b", "settings": "c"}
    path = Path("state.ckpt")
    check_identity(path, body(now), now)
    check_identity(path, body({"images": "a", "settings": "c"}), now)
    with pytest.raises(RunError, match="other split than those of now"):
        check_identity(path, body(now | {"split": "else"}), now)
    with pytest.raises(RunError, match="other images and split and settings"):
        check_identity(path, {}, now)


def test_a_state_of_other_settings_is_refused(interrupted, root, monkeypatch):
    spec, store = interrupted
    described = running.described
    monkeypatch.setattr(running, "described", lambda value: described(value) | {"momentum": 0.5})
    with pytest.raises(RunError, match="other settings than those of now"):
        run(spec, store, root, resources=EACH_EPOCH)


def fills_the_disk_after(epochs, megabytes):
    """Let no file grow beyond a size, which fails as a full disk does: in the middle of a write."""
    original = state_module.StateFile.save_checkpoint
    calls = iter(range(100))

    def save(self, checkpoint, path, storage_options=None):
        if next(calls) == epochs:
            limit = int(megabytes * 2**20)
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        original(self, checkpoint, path, storage_options)

    state_module.StateFile.save_checkpoint = save


def told(spec, place, root, plan, arguments, answers):
    plan(*arguments)
    try:
        run(spec, Store(place), root, resources=EACH_EPOCH)
    except RunError as error:
        answers.put(str(error))


@pytest.mark.parametrize("epochs", [0, 1])
def test_a_full_disk_leaves_the_state_before(root, tmp_path, epochs):
    spec, store, answers = tiny(), Store(tmp_path / "store"), FRESH.SimpleQueue()
    arguments = (spec, store.root, root, fills_the_disk_after, (epochs, 0.004), answers)
    process = FRESH.Process(target=told, args=arguments)
    process.start()
    process.join(600)
    assert not answers.empty() and "cannot be written" in (message := answers.get())
    assert "File too large" in message
    path = store.working(spec) / "state.ckpt"
    assert [p.name for p in path.parent.iterdir()] == ["state.ckpt"][:epochs]
    resumed = run(spec, store, root, resources=EACH_EPOCH)
    assert same(resumed, run(spec, Store(tmp_path / "whole"), root, resources=EACH_EPOCH))


def test_a_full_disk_during_the_record_loses_no_training(root, tmp_path, monkeypatch):
    spec, store = tiny(), Store(tmp_path / "store")

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space"):
        patch.setattr(running, "save_file", full)
        run(spec, store, root, resources=EACH_EPOCH)
    assert store.records() == []
    with monkeypatch.context() as patch:
        patch.setattr("lightning.Trainer.fit", full)  # nothing is trained again
        record = run(spec, store, root, resources=EACH_EPOCH)
    assert same(record, run(spec, Store(tmp_path / "whole"), root, resources=EACH_EPOCH))


def test_lightning_reads_the_state_without_pickles_whatever_it_is_asked(tmp_path):
    trace = tmp_path / "executed"
    torch.save({"callbacks": Evil(trace)}, tmp_path / "evil.ckpt")
    with pytest.raises(RunError):
        state_module.StateFile().load_checkpoint(tmp_path / "evil.ckpt", weights_only=False)
    assert not trace.exists()


def test_ctrl_c_in_a_notebook_keeps_the_state_and_ctrl_c(root, tmp_path, monkeypatch):
    spec, store = tiny(), Store(tmp_path / "store")
    original = Method.training_step

    def interrupted_step(self, batch, batch_idx):
        if self.current_epoch == 1:
            os.kill(os.getpid(), signal.SIGINT)
        return original(self, batch, batch_idx)

    before = signal.getsignal(signal.SIGINT)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Method, "training_step", interrupted_step)
        run(spec, store, root, resources=EACH_EPOCH)
    assert signal.getsignal(signal.SIGINT) is before
    assert (store.working(spec) / "state.ckpt").exists()
    resumed = run(spec, store, root, resources=EACH_EPOCH)
    assert same(resumed, run(spec, Store(tmp_path / "whole"), root, resources=EACH_EPOCH))


def test_the_caller_keeps_random_numbers_and_threads(root, tmp_path):
    training_data.cache_clear()
    before, threads = torch.random.get_rng_state(), torch.get_num_threads()
    run(tiny(epochs=1), Store(tmp_path), root, resources=Resources("cpu", threads=threads + 1))
    assert torch.equal(before, torch.random.get_rng_state())
    assert torch.get_num_threads() == threads
