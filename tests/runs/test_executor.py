"""One answer whatever runs it: here, in processes, on a cluster."""

import pytest
import torch
from small_runs import same, tiny

from covidlib.data.preprocessing import Preprocessing
from covidlib.errors import DatasetMissing, RunError
from covidlib.runs import executor
from covidlib.runs.executor import execute
from covidlib.runs.store import Store
from covidlib.settings import DataSettings
from covidlib.training.fit import Resources, check_device

STAGE = tiny(stage="stl-n", epochs=1)
SPECS = [tiny(), tiny(seed=1), tiny(init=STAGE), tiny(init=STAGE, seed=1)]
KEYS = {spec.key for spec in [STAGE, *SPECS]}
ONE = Resources("cpu", threads=1)


@pytest.fixture(scope="module")
def serial(root, tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("serial"))
    return execute([*SPECS, *SPECS], store, root, profile="laptop", resources=ONE)


def test_serial_trains_each_stage_once_and_first(root, tmp_path, monkeypatch):
    trained, original = [], executor.run

    def counted(spec, *arguments, **options):
        trained.append(spec.key)
        return original(spec, *arguments, **options)

    monkeypatch.setattr(executor, "run", counted)
    seen = []
    found = execute(SPECS * 2, Store(tmp_path), root, resources=ONE, finished=seen.append)
    assert set(found) == KEYS and sorted(trained) == sorted(KEYS)
    assert trained.index(STAGE.key) < trained.index(SPECS[2].key)
    assert [record.key for record in seen] == trained


def test_progress_shows_every_epoch_of_what_is_trained_and_nothing_of_what_is_found(root, tmp_path):
    rows = []
    for _ in range(2):
        execute(
            SPECS[2:3],
            Store(tmp_path),
            root,
            resources=ONE,
            progress=lambda spec, row: rows.append((spec.key, row["epoch"])),
        )
    assert rows == [(STAGE.key, 0), *((SPECS[2].key, epoch) for epoch in range(3))]


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["loky", "dask"])
def test_processes_and_a_cluster_give_the_serial_bits(serial, root, tmp_path, backend):
    if backend == "dask":
        pytest.importorskip("distributed")
    seen = []
    found = execute(
        SPECS,
        Store(tmp_path),
        root,
        profile="laptop",
        backend=backend,
        workers=2,
        resources=ONE,
        finished=lambda record: seen.append(record.key),
    )
    assert set(found) == KEYS == set(seen)
    assert seen.index(STAGE.key) < min(seen.index(spec.key) for spec in SPECS[2:])
    for key, record in found.items():
        assert same(record, serial[key]), key
        assert record.provenance["threads"] == 1
        assert record.provenance["profile"] == "laptop"


@pytest.mark.slow
def test_a_running_scheduler_serves_by_its_address(serial, root, tmp_path):
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None
    ) as cluster:
        found = execute(
            SPECS[:1],
            Store(tmp_path),
            root,
            backend="dask",
            resources=ONE,
            address=cluster.scheduler_address,
        )
    assert same(found[SPECS[0].key], serial[SPECS[0].key])


def test_workers_get_the_threads_of_the_caller(root, tmp_path, monkeypatch):
    def fake(generations, store, root, options, *_):
        given.append(options["resources"])
        return iter(())

    given: list[Resources] = []
    monkeypatch.setattr(executor, "_parallel", fake)
    execute(SPECS[:1], Store(tmp_path), root, backend="loky")
    execute(SPECS[:1], Store(tmp_path), root, backend="loky", resources=ONE)
    assert [r.threads for r in given] == [torch.get_num_threads(), 1]


def test_missing_data_of_a_later_run_is_an_error_before_the_first_is_trained(
    root, tmp_path, monkeypatch
):
    monkeypatch.setattr(executor, "run", lambda *_, **__: pytest.fail("trained"))
    later = tiny(data=DataSettings("kermany", preprocessing=Preprocessing(size=40)))
    with pytest.raises(DatasetMissing, match="kermany"):
        execute([tiny(), later], Store(tmp_path), root)


def test_a_run_that_fails_keeps_those_that_finished(root, tmp_path):
    store, bad = Store(tmp_path), tiny(lr=1e30, seed=5)
    with pytest.raises(RunError, match=r"not finite|the loss is"):
        execute([tiny(), bad], store, root, resources=ONE)
    assert [record.key for record in store.records()] == [tiny().key]


@pytest.mark.slow
def test_a_run_that_fails_in_a_worker_says_why(root, tmp_path):
    with pytest.raises(RunError, match=r"not finite|the loss is"):
        execute([tiny(lr=1e30)], Store(tmp_path), root, backend="loky", workers=2, resources=ONE)


def test_an_unknown_backend_is_refused(root, tmp_path):
    with pytest.raises(ValueError, match="serial"):
        execute([tiny()], Store(tmp_path), root, backend="threads")


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"accelerator": "tpu"}, "one of auto, cpu, cuda, not 'tpu'"),
        ({"devices": 0}, "at least one device"),
        ({"threads": 0}, "one thread"),
    ],
)
def test_resources_that_no_machine_has_are_refused(wanted, message):
    with pytest.raises(RunError, match=message):
        Resources(**wanted)


def test_more_gpus_than_there_are_are_refused_even_unasked(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    check_device(Resources("auto", devices=1))
    check_device(Resources("cpu", devices=2))
    with pytest.raises(RunError, match="2 CUDA"):
        check_device(Resources("auto", devices=2))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_here_is_said_before_images_are_opened(tmp_path):
    with pytest.raises(RunError, match="torch sees 0"):
        execute(SPECS, Store(tmp_path), tmp_path / "nowhere", resources=Resources("cuda"))
