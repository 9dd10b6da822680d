"""Every run of a paper, in order of value, through failures and interruptions."""

import logging
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import torch

from covidlib.errors import CovidlibError, RunError
from covidlib.plans import PLANS, plan
from covidlib.runs.executor import execute
from covidlib.runs.record import Record, recorded_folder
from covidlib.runs.recorded import PROFILES
from covidlib.runs.running import Progress
from covidlib.runs.spec import RunSpec, name_of
from covidlib.runs.store import Store, publish
from covidlib.training.fit import Resources

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Failure:
    """A run that could not be made.

    Args:
        spec: the run.
        reason: what went wrong, in one line.
    """

    spec: RunSpec
    reason: str


def in_order(
    paper: str,
    profile: str,
    *,
    phantoms: bool,
    seeds: int | None = None,
    names: Iterable[str] = (),
) -> list[RunSpec]:
    """Return the runs of a paper's plans, each once, most valuable first.

    All rows of rank 0 come before those of rank 1; then first seeds before second ones; then the
    order of ``PLANS`` and of the rows.

    Args:
        paper: "msatl", "magsd", "manet" or "across".
        profile, phantoms, seeds: as for ``covidlib.plans.plan``.
        names: of plans; none takes all that are not on request.

    Raises:
        CovidlibError: the paper has no such plan.
    """
    of_paper = [name for name in PLANS if name.split("/")[0] == paper]
    wanted = list(names) or of_paper
    if strangers := sorted(set(wanted) - set(of_paper)):
        raise CovidlibError(f"no plan {strangers}; {paper} has {', '.join(of_paper) or 'none'}")
    if not wanted:
        papers = sorted({name.split("/")[0] for name in PLANS})
        raise CovidlibError(f"no plan of {paper!r}; there are plans of {', '.join(papers)}")
    plans = [plan(name, profile, phantoms=phantoms, seeds=seeds) for name in wanted]
    placed = [
        (row.rank, number, spec)
        for chosen in plans
        if names or not chosen.on_request
        for row in chosen.rows
        for number, spec in enumerate(row.specs)
    ]
    ordered = sorted(placed, key=lambda entry: entry[:2])  # stable: plans and rows stay in order
    return list({spec.key: spec for _, _, spec in ordered}.values())


def papers_by_name() -> dict[str, set[str]]:
    """Return the papers whose plans on real images have runs of a name, their stages included."""
    found: dict[str, set[str]] = {}
    for name in PLANS:
        for profile in PROFILES:
            specs = plan(name, profile, phantoms=False).specs
            for stage in {s for spec in specs for s in _stages(spec)}:
                found.setdefault(name_of(stage.key), set()).add(name.split("/")[0])
    return found


def run_all(
    specs: Iterable[RunSpec],
    store: Store,
    root: str | Path | None,
    profile: str,
    *,
    results: Path | None = None,
    resources: Resources | None = None,
    progress: Progress | None = None,
    told: Callable[[RunSpec, Record | Failure | None], None] | None = None,
) -> list[Failure]:
    """Make every run that is not there yet, and go on where one fails.

    What another process is making comes last, so that several processes share the work.

    Args:
        specs: in the order of their making; each run's stages come before it.
        store: finished runs are taken from there, interrupted ones go on.
        root: the data root; phantoms need none.
        profile: written into the records.
        results: the folder of one paper's recorded results; runs recorded there are not made
            again, and new ones are added. None records nothing.
        resources: of one run.
        progress: as for ``run``.
        told: called with each spec and its record, its failure, or None where it is recorded.

    Returns:
        The runs that failed. One whose earlier stage failed is not tried, nor is any after an
        error that the GPU does not recover from.
    """
    failures: list[Failure] = []
    failed: dict[str, str] = {}

    def kept(key: str) -> bool:
        return results is not None and bool(recorded_folder(results.parent, results.name, key))

    def keep(record: Record) -> None:
        if results is not None and not kept(record.key):
            publish(record, results)

    left, put_off = deque(specs), set()
    while left:
        spec = left.popleft()
        known = kept(spec.key)
        if not known and spec.key not in put_off and any(map(store.busy, _stages(spec))):
            put_off.add(spec.key)
            left.append(spec)
            continue
        outcome: Record | Failure | None = None
        if not known:
            try:
                _refuse(spec, failed)
                options = {"profile": profile, "resources": resources, "progress": progress}
                made = execute([spec], store, root, finished=keep, **options)
                outcome = made[spec.key]
            except Exception as error:  # whatever it is, the runs after it are worth having
                outcome = Failure(spec, f"{type(error).__name__}: {_line(error)}")
                failures.append(outcome)
                failed |= {at.key: outcome.reason for at in _undone(spec, store)}
                if not isinstance(error, CovidlibError):
                    log.warning("%s", spec.key, exc_info=True)
        if told is not None:
            told(spec, outcome)
        if isinstance(outcome, Failure) and not _answers(resources or Resources()):
            log.error("the GPU does not answer any more; the same command goes on from here")
            break
    return failures


def _answers(resources: Resources) -> bool:
    """Say whether the device still computes: some errors of a GPU last as long as the process."""
    if resources.device.type != "cuda":
        return True
    try:
        torch.cuda.synchronize()
    except RuntimeError:
        return False
    return True


def _refuse(spec: RunSpec, failed: dict[str, str]) -> None:
    """Raise RunError if a stage that this run needs has failed before."""
    for stage in _stages(spec):
        if stage.key in failed:
            raise RunError(f"its stage {stage.key} failed before")


def _stages(spec: RunSpec) -> list[RunSpec]:
    """Return a run and all that it starts from, first stage first."""
    return [*(s for parent in spec.parents for s in _stages(parent)), spec]


def _undone(spec: RunSpec, store: Store) -> list[RunSpec]:
    """Return the first stage that is missing, or whose record cannot be used: it failed."""
    return [stage for stage in _stages(spec) if not _usable(stage, store)][:1]


def _usable(stage: RunSpec, store: Store) -> bool:
    try:
        return store.get(stage) is not None
    except (CovidlibError, OSError, ValueError, KeyError):  # other defaults, or a damaged file
        return False


def _line(error: Exception) -> str:
    return (str(error) or "no message").splitlines()[0]
