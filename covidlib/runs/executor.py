"""Many runs: parents first, each spec once, here or on an existing engine."""

from collections.abc import Iterable
from pathlib import Path

from covidlib.runs.record import Record
from covidlib.runs.running import Progress, run
from covidlib.runs.spec import RunSpec
from covidlib.runs.store import Store
from covidlib.training.fit import Resources

BACKENDS = ("serial", "loky", "dask")
# dask trims the allocator's memory by default, which halves torch's speed in its workers.
DASK_MALLOC = {"MALLOC_TRIM_THRESHOLD_": 2**30, "MALLOC_MMAP_THRESHOLD_": 2**30}


def distinct(specs: Iterable[RunSpec]) -> list[list[RunSpec]]:
    """Return the specs and all stages they start from, in generations; each key once."""
    generations: list[dict[str, RunSpec]] = []

    def visit(spec: RunSpec) -> int:
        depth = 0 if spec.init is None else visit(spec.init) + 1
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
) -> dict[str, Record]:
    """Run every distinct spec and return records by key.

    Args:
        specs: what is wanted; the stages they start from are added.
        store: where records live; on a cluster, a folder that all workers see.
        root: the data root.
        profile: written into the records.
        backend: "serial", "loky" (processes of this machine) or "dask".
        workers: processes for "loky", and for "dask" without an address.
        address: of a running dask scheduler.
        resources: of one run.
        progress: called after each epoch; "serial" only, other backends show finished runs.
    """
    if backend not in BACKENDS:
        raise ValueError(f"backend is one of {BACKENDS}, not {backend!r}")
    options = {"profile": profile, "resources": resources}
    generations = distinct(specs)
    if backend == "serial":
        records = [
            run(spec, store, root, progress=progress, **options)
            for generation in generations
            for spec in generation
        ]
    else:
        records = _parallel(generations, store, root, options, backend, workers, address)
    return {record.key: record for record in records}


def _parallel(generations, store, root, options, backend, workers, address) -> list[Record]:
    from joblib import Parallel, delayed, parallel_config

    records: list[Record] = []
    with _engine(backend, workers, address), parallel_config(backend=backend, n_jobs=workers):
        for generation in generations:  # a generation starts when all its parents are there
            jobs = (delayed(run)(spec, store, root, **options) for spec in generation)
            records += Parallel()(jobs)
    return records


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
