import gc
import multiprocessing
import os
import shutil
import signal
import time
import weakref
from dataclasses import replace

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from small_runs import DATA, TinySettings, draw_covid_ct, same, tiny

from covidlib.data.phantoms import PhantomSettings
from covidlib.errors import DataError, DatasetMissing, RunError, UnreadableImages
from covidlib.evaluation.metrics import score
from covidlib.models.cxr_classifiers import CxrClassifierSettings
from covidlib.models.plain_classifiers import PlainSettings
from covidlib.runs import provenance, running
from covidlib.runs.executor import execute
from covidlib.runs.record import Record
from covidlib.runs.running import build, load, run, transfer
from covidlib.runs.store import Store, publish
from covidlib.training.data import training_data
from covidlib.training.fit import Resources
from covidlib.training.supervised import Supervised

CPU = Resources("cpu", threads=1)
FRESH = multiprocessing.get_context("forkserver")
FRESH.set_forkserver_preload(["covidlib.runs.running", "small_runs"])


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def test_a_record_holds_what_a_page_needs(root, store):
    spec = tiny()
    record = run(spec, store, root, profile="laptop", resources=CPU)
    assert record.folder == store.root / spec.key and record.key == spec.key
    table = record.predictions
    assert list(table.columns) == [
        *("sample", "patient", "split", "label", "p_NonCOVID", "p_COVID")
    ]
    assert table["split"].value_counts().to_dict() == {"test": 10, "val": 6}
    assert (table[["p_NonCOVID", "p_COVID"]].sum(axis=1) - 1).abs().max() < 1e-12
    assert record.metrics["auc"] == score(table, "auc").value
    assert list(record.curve.columns[:3]) == ["epoch", "lr", "loss"]
    assert record.curve["val_loss"].notna().tolist() == [False, True, True]
    facts = record.provenance
    assert len(facts["commit"]) == 40 and isinstance(facts["dirty"], bool)
    assert {"python", "torch", "lightning", "numpy"} <= set(facts["versions"])
    assert facts["fingerprint"] == training_data(DATA, root).dataset.fingerprint
    expected = {"device": "cpu", "devices": 1, "threads": 1, "data": "covid-ct"}
    expected |= {"phantom": False, "profile": "laptop", "skipped": [], "earlier": []}
    assert {name: facts[name] for name in expected} == expected
    assert facts["seconds"] > 0 and facts["hardware"]
    assert pd.Timestamp(facts["started"]) <= pd.Timestamp.now(tz="UTC")


@pytest.mark.parametrize(
    ("network", "changes", "says"),
    [
        (PlainSettings("resnet18"), {"channels": 1}, r"of 3 channel\(s\) and .* is 1: they"),
        (PlainSettings("inception_v3"), {"size": 64}, "64 pixels: inception_v3 takes 75 or more"),
        (CxrClassifierSettings("inceptionv3", channels=3), {"size": 74}, "takes 75 or more"),
    ],
)
def test_a_network_that_cannot_take_the_images_makes_no_spec(network, changes, says):
    spec = tiny()
    training = replace(spec.training, **changes)
    with pytest.raises(RunError, match=says):
        replace(spec, network=network, training=training)


def test_the_least_image_is_the_least_that_passes():
    for network in (PlainSettings("inception_v3"), CxrClassifierSettings("inceptionv3")):
        built = network.build(2).eval()
        channels = getattr(network, "channels", 3)
        assert built(torch.zeros(1, channels, network.least, network.least)).shape == (1, 2)
        with pytest.raises(RuntimeError):
            built(torch.zeros(1, channels, network.least - 1, network.least - 1))


def test_equal_specs_give_equal_bits_and_other_seeds_do_not(root, store, tmp_path):
    first = run(tiny(), store, root, resources=CPU)
    assert same(first, run(tiny(), Store(tmp_path / "again"), root, resources=CPU))
    assert not same(first, run(tiny(seed=1), store, root, resources=CPU))


def test_loaded_weights_predict_what_the_record_says(root, store):
    spec = tiny()
    record = run(spec, store, root, resources=CPU)
    data = training_data(DATA, root)
    method = load(record, spec, data)
    pd.testing.assert_frame_equal(
        method.predictions(data.on(torch.device("cpu"))), record.predictions, check_dtype=False
    )


def test_a_finished_run_is_not_trained_again(root, store, monkeypatch):
    record = run(tiny(), store, root, resources=CPU)
    monkeypatch.setattr(running, "_train", lambda *_: pytest.fail("trained again"))
    assert run(tiny(), store, root).body == record.body


def ask(spec, place, root, started, answers):
    started.wait()
    record = run(spec, Store(place), root, resources=Resources("cpu", threads=1))
    answers.put((os.getpid(), record.body["provenance"]["started"]))


def counted(self, original=Supervised.on_fit_start):
    marks = os.environ["COVIDLIB_TEST_MARKS"]
    with open(marks, "a") as file:
        file.write(f"{os.getpid()}\n")
    time.sleep(1)  # long enough for the other process to come and wait
    original(self)


def ask_counted(*arguments):
    Supervised.on_fit_start = counted
    ask(*arguments)


def test_of_two_processes_on_one_spec_one_trains_and_both_get_its_record(
    root, store, tmp_path, monkeypatch
):
    marks = tmp_path / "marks"
    monkeypatch.setenv("COVIDLIB_TEST_MARKS", str(marks))
    started, answers = FRESH.Event(), FRESH.Queue()
    processes = [
        FRESH.Process(
            target=with_marks, args=(str(marks), tiny(), store.root, root, started, answers)
        )
        for _ in range(2)
    ]
    for process in processes:
        process.start()
    started.set()
    found = [answers.get(timeout=600) for _ in processes]
    for process in processes:
        process.join(60)
    assert len({pid for pid, _ in found}) == 2 and len({when for _, when in found}) == 1
    assert len(marks.read_text().split()) == 1


def with_marks(marks, *arguments):
    os.environ["COVIDLIB_TEST_MARKS"] = marks  # the fork server has its own environment
    ask_counted(*arguments)


def test_a_waiting_process_trains_when_the_other_is_killed(root, store, tmp_path):
    started, answers = FRESH.Event(), FRESH.Queue()
    marks = tmp_path / "marks"
    arguments = (str(marks), tiny(), store.root, root, started, answers)
    first, second = (FRESH.Process(target=with_marks, args=arguments) for _ in range(2))
    first.start()
    started.set()
    while not marks.exists():
        time.sleep(0.01)
    second.start()
    time.sleep(0.3)
    first.kill()
    pid, _ = answers.get(timeout=600)
    second.join(60)
    assert pid == second.pid and first.exitcode == -signal.SIGKILL
    assert store.get(tiny()) is not None


def test_stages_come_first_and_hand_over_all_but_the_classifier(root, store):
    stage = tiny(stage="stl-n", epochs=1)
    spec = tiny(init=stage, epochs=1, lr=0.0)  # what does not move is what was handed over
    record = run(spec, store, root, resources=CPU)
    assert {r.key for r in store.records()} == {stage.key, spec.key}
    parent, ours = load_file(store.get(stage).weights), load_file(record.weights)
    own = build(spec, training_data(DATA, root)).network.state_dict()
    for name, value in ours.items():
        source = own if name.startswith("classifier") else parent
        if "running" not in name and "num_batches" not in name:
            assert torch.equal(value, source[name]), name
    assert not torch.equal(own["body.0.weight"], parent["body.0.weight"])
    assert record.body["spec"]["init"]["stage"] == "stl-n"


@pytest.mark.parametrize("classes", [2, 3])
def test_transfer_copies_everything_but_the_classifier(classes):
    parent, child = TinySettings().build(classes), TinySettings().build(2)
    parent.body[1].running_mean += 3
    before = {name: value.clone() for name, value in child.state_dict().items()}
    copied = transfer(child, parent.state_dict())
    assert set(before) - set(copied) == {"classifier.weight", "classifier.bias"}
    for name, value in child.state_dict().items():
        expected = parent.state_dict()[name] if name in copied else before[name]
        assert torch.equal(value, expected), name


def test_transfer_refuses_another_network_by_name():
    with pytest.raises(RunError, match=r"another network; it differs in body\.0\.bias"):
        transfer(TinySettings(width=4).build(2), TinySettings(width=6).build(2).state_dict())
    with pytest.raises(RunError, match=r"body\.1\.running_mean"):
        transfer(TinySettings(norm=False).build(2), TinySettings().build(2).state_dict())


def test_too_few_images_for_a_batch_are_an_error_of_the_library(root, store):
    with pytest.raises(DataError, match="22 training images do not fill one batch of 23"):
        run(tiny(batch=23, drop_last=True), store, root, resources=Resources("cpu"))
    assert not list(store.records())


def test_no_data_root_is_an_error_before_anything_starts(tmp_path, store, monkeypatch):
    monkeypatch.delenv("COVIDLIB_DATA", raising=False)
    monkeypatch.setattr(running, "fit", lambda *_: pytest.fail("trained"))
    for place in (None, tmp_path / "nowhere"):
        with pytest.raises(DatasetMissing, match="covidlib data get covid-ct"):
            run(tiny(), store, place)
    assert not list((store.root / ".working").iterdir())


def test_unreadable_images_are_named_before_anything_starts(tmp_path, store, monkeypatch):
    root = draw_covid_ct(tmp_path / "broken")
    for number in range(2):
        name = f"covid-ct/Images-processed/CT_COVID/COVID-train-{number}.png"
        (root / name).write_bytes(b"no image")
    monkeypatch.setattr(running, "fit", lambda *_: pytest.fail("trained"))
    with pytest.raises(UnreadableImages, match=r"(?s)COVID-train-0\.png.*COVID-train-1\.png"):
        run(tiny(), store, root)


def test_a_record_of_other_images_is_refused_with_what_to_do(root, store, tmp_path):
    run(tiny(epochs=1), store, root, resources=CPU)
    other = tmp_path / "other"
    shutil.copytree(root, other)
    image = other / "covid-ct/Images-processed/CT_COVID/COVID-test-0.png"
    shutil.copyfile(image.with_name("COVID-test-1.png"), image)
    with pytest.raises(
        RunError, match=r"other images of covid-ct, .* use another store, or delete"
    ):
        run(tiny(epochs=1), store, other)


def test_nothing_of_a_smoke_phantom_or_dirty_run_is_published(root, store, tmp_path, monkeypatch):
    def facts(**changes):
        monkeypatch.setattr(provenance, "software", lambda: clean | changes)

    clean = {"commit": "0" * 40, "dirty": False, "versions": {}}
    facts()
    with pytest.raises(RunError, match="smoke"):
        publish(run(tiny(epochs=1), store, root, resources=CPU), tmp_path / "results" / "msatl")
    facts(dirty=True)
    dirty = run(tiny(seed=1, epochs=1), store, root, profile="laptop", resources=CPU)
    with pytest.raises(RunError, match="differs from its commit"):
        publish(dirty, tmp_path / "results" / "msatl")
    facts()
    good = run(tiny(seed=2, epochs=1), store, root, profile="laptop", resources=CPU)
    target = Record(publish(good, tmp_path / "results" / "msatl"))
    assert target.predictions.equals(good.predictions)
    assert sorted(path.name for path in target.folder.iterdir()) == [
        *("curve.csv", "predictions.parquet", "record.json")
    ]


def test_a_run_on_phantoms_says_so(store):
    spec = tiny(data=PHANTOMS, epochs=1)
    record = run(spec, store, None, profile="laptop", resources=CPU)
    assert record.phantom and "phantom-covid-ct" in record.key
    with pytest.raises(RunError, match="phantom"):
        publish(record, store.root / "results")


PHANTOMS = type(DATA)(
    DATA.dataset, preprocessing=DATA.preprocessing, phantom=PhantomSettings(images=40, size=48)
)


def test_a_session_with_an_uncommitted_library_marks_the_whole_run(root, store, monkeypatch):
    spec = tiny()
    clean = {"commit": "1" * 40, "dirty": False, "versions": {}}
    monkeypatch.setattr(provenance, "software", lambda: clean | {"dirty": True})
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Supervised, "predictions", interrupt)
        run(spec, store, root, resources=CPU)
    monkeypatch.setattr(provenance, "software", lambda: clean | {"commit": "2" * 40})
    facts = run(spec, store, root, resources=CPU).provenance
    assert facts["commit"] == "2" * 40 and facts["dirty"]
    assert [(part["commit"], part["dirty"]) for part in facts["earlier"]] == [("1" * 40, True)]
    assert facts["seconds"] >= facts["earlier"][0]["seconds"]


def interrupt(*_):
    raise KeyboardInterrupt


def test_provenance_of_a_tree_without_git(monkeypatch):
    monkeypatch.delenv("COVIDLIB_COMMIT", raising=False)
    monkeypatch.setenv("PATH", "")
    provenance.software.cache_clear()
    try:
        assert provenance.software()["commit"] == "unknown" and provenance.software()["dirty"]
    finally:
        provenance.software.cache_clear()


def test_metrics_that_the_images_cannot_decide_are_not_in_the_record(root, tmp_path, store):
    place = tmp_path / "one-class"
    shutil.copytree(root, place)
    lists = place / "covid-ct/Data-split/COVID"
    moved = (lists / "testCT_COVID.txt").read_text()
    (lists / "testCT_COVID.txt").write_text("")
    with open(lists / "valCT_COVID.txt", "a") as file:
        file.write(moved)
    record = run(tiny(epochs=1), store, place, resources=CPU)
    assert "accuracy" in record.metrics
    assert not {"auc", "sensitivity"} & set(record.metrics)
    assert "NaN" not in (record.folder / "record.json").read_text()


def test_a_finished_stage_serves_where_its_images_are_not_here(root, store, tmp_path):
    stage = tiny(epochs=1, stage="stl-m")
    for label in ("COVID", "NonCOVID"):
        drawn = root / "covid-ct" / "Images-processed" / f"CT_{label}"
        shutil.copytree(drawn, tmp_path / "own-slices" / label)
    own = replace(stage.data, dataset="own-slices", split="holdout")
    spec = tiny(epochs=1, data=own, init=stage)
    with pytest.raises(DatasetMissing, match="covid-ct"):
        run(spec, store, tmp_path)
    parent = run(stage, store, root)
    assert run(spec, store, tmp_path).body["spec"]["init"] == parent.body["spec"]
    again = replace(spec, seed=1)
    assert list(execute([again], store, tmp_path)) == [again.key]
    with pytest.raises(DatasetMissing, match="covid-ct"):  # asked for itself, it is checked
        execute([stage, again], store, tmp_path)
    first = tiny(epochs=1, stage="stl-n", seed=7)
    second = tiny(epochs=1, stage="stl-m", init=first)
    run(second, store, root, resources=CPU)
    store.discard(first)  # what a finished stage started from is not asked for
    late = replace(spec, init=second)
    assert list(execute([late], store, tmp_path, resources=CPU)) == [late.key]


def test_images_are_not_held_twice(root, store, monkeypatch):
    held, start, original = [], Supervised.on_fit_start, Supervised.predictions

    def on_fit_start(self):
        start(self)
        held.append(weakref.ref(self.images))

    def predictions(self, images):
        gc.collect()
        assert held[0]() is None, "somebody still has the images of the fit"
        return original(self, images)

    monkeypatch.setattr(Supervised, "on_fit_start", on_fit_start)
    monkeypatch.setattr(Supervised, "predictions", predictions)
    run(tiny(epochs=2), store, root, resources=CPU)
    assert len(held) == 1
