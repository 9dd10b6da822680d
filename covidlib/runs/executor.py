"""Many runs: parents first, each spec once, here or on an existing engine."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import torch

from covidlib.errors import DatasetMissing
from covidlib.files import writable
from covidlib.paths import data_root
from covidlib.runs.record import Record
from covidlib.runs.running import Progress, run
from covidlib.runs.spec import RunSpec
from covidlib.runs.store import Store
from covidlib.settings import DataSettings
from covidlib.training.data import training_data
from covidlib.training.fit import Resources, check_device

BACKENDS = ("serial", "loky", "dask")
# dask trims the allocator's memory by default, which halves torch's speed in its workers.
DASK_MALLOC = {"MALLOC_TRIM_THRESHOLD_": 2**30, "MALLOC_MMAP_THRESHOLD_": 2**30}


def distinct(specs: Iterable[RunSpec]) -> list[list[RunSpec]]:
    """Return the specs and all stages they start from, in generations; each key once."""
    generations: list[dict[str, RunSpec]] = []

    def visit(spec: RunSpec) -> int:
        depth = max((visit(parent) + 1 for parent in spec.parents), default=0)
        while len(generations) <= depth:
            generations.append({})
        generations[depth].setdefault(spec.key, spec)
        return depth

    for spec in specs:
        visit(spec)
    return [list(generation.values()) for generation in generations]


def execute(
    specs: Iterable[RunSpec],
    store: Store,
    root: str | Path | None = None,
    *,
    profile: str = "smoke",
    backend: str = "serial",
    workers: int = 1,
    address: str | None = None,
    resources: Resources | None = None,
    progress: Progress | None = None,
    finished: Callable[[Record], None] | None = None,
) -> dict[str, Record]:
    """Run every distinct spec and return records by key, whatever the backend the same ones.

    All data are opened and decoded before anything is trained, unless the workers are on other
    machines. A stage that is finished serves where its images are not here. The first run that
    fails ends the call; those that finished before are kept.

    Args:
        specs: what is wanted; the stages they start from are added.
        store: where records live; on a cluster, a folder that all workers see.
        root: the data root; on a cluster likewise.
        profile: written into the records.
        backend: "serial", "loky" (processes of this machine) or "dask".
        workers: processes for "loky", and for "dask" without an address.
        address: of a running dask scheduler.
        resources: of one run. Where they leave the threads open, every worker takes as many as
            torch has here, because another number rounds differently; workers times threads is
            best kept to the number of cores.
        progress: called after each epoch; "serial" only.
        finished: called with each record as soon as it is there.

    Raises:
        ValueError: no such backend.
        DataError: images are missing or unreadable, before anything is trained.
        RunError: a run cannot start, or stopped.
        CovidlibError: the store cannot be written to.
    """
    if backend not in BACKENDS:
        raise ValueError(f"backend is one of {BACKENDS}, not {backend!r}")
    resources, specs = resources or Resources(), list(specs)
    if address is None:
        check_device(resources)
        writable(store.root)
        generations = _opened(specs, store, root)
    else:
        generations = distinct(specs)
    options = {"profile": profile, "resources": resources}
    if backend == "serial":
        ordered = (spec for group in generations for spec in group)
        results = (run(spec, store, root, progress=progress, **options) for spec in ordered)
    else:
        threads = resources.threads or torch.get_num_threads()
        options["resources"] = replace(resources, threads=threads)
        results = _parallel(generations, store, root, options, backend, workers, address)
    records = {}
    for record in results:
        records[record.key] = record
        if finished is not None:
            finished(record)
    return records


def _opened(specs: list[RunSpec], store: Store, root: str | Path | None) -> list[list[RunSpec]]:
    """Open all images; leave out finished stages that serve without theirs, and what they need."""
    needed, tried = set(), {}

    def visit(spec: RunSpec, stage: bool) -> None:
        if spec.data not in tried:
            tried[spec.data] = _missing(spec.data, root)
        if (error := tried[spec.data]) is not None:
            if stage and store.get(spec) is not None:
                return
            raise error
        if spec.key not in needed:
            needed.add(spec.key)
            for parent in spec.parents:
                visit(parent, stage=True)

    for spec in specs:
        visit(spec, stage=False)
    return [[spec for spec in group if spec.key in needed] for group in distinct(specs)]


def _missing(settings: DataSettings, root: str | Path | None) -> DatasetMissing | None:
    try:
        training_data(settings, data_root(root))
    except DatasetMissing as error:
        return error
    return None


def _parallel(generations, store, root, options, backend, workers, address) -> Iterator[Record]:
    from joblib import Parallel, delayed, parallel_config

    with _engine(backend, workers, address), parallel_config(backend=backend, n_jobs=workers):
        for generation in generations:  # a generation starts when all its parents are there
            jobs = (delayed(run)(spec, store, root, **options) for spec in generation)
            yield from Parallel(return_as="generator_unordered")(jobs)


def _engine(backend: str, workers: int, address: str | None):
    """Return a context that holds the cluster, where the backend needs one."""
    from contextlib import ExitStack

    stack = ExitStack()
    if backend == "dask":
        import dask
        from dask.distributed import Client

        stack.enter_context(dask.config.set({"distributed.nanny.pre-spawn-environ": DASK_MALLOC}))
        local = {"n_workers": workers, "threads_per_worker": 1, "dashboard_address": None}
        stack.enter_context(Client(address) if address else Client(**local))
    return stack
