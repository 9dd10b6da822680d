"""Execute notebooks once per content, headless, into copies."""

import json
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from covidlib.book import GPU_ASKED, Parameters, require_gpu
from covidlib.files import digest_text, save
from covidlib.publish.digests import (
    digest_environment,
    digest_files,
    digest_listing,
    files_below,
)
from covidlib.publish.pairing import pair
from covidlib.publish.places import Places, PublishError

CELL_SECONDS = {"smoke": 600, "laptop": 6 * 3600, "paper": 7 * 24 * 3600}


@dataclass(frozen=True)
class Outcome:
    """What became of one notebook.

    Args:
        name: the page, "notebooks/msatl/data".
        seconds: how long its execution took, now or when it was made.
        reused: whether an earlier execution of the same content served.
        problem: what went wrong, empty if nothing did.
    """

    name: str
    seconds: float
    reused: bool = False
    problem: str = ""


def surroundings(places: Places, parameters: Parameters, gpu: bool = False) -> str:
    """Return the digest of everything but its script that a notebook's outputs depend on.

    These are the library, the recorded results, the parameters, the data, the installed
    versions, and whether a GPU was asked for. Of the publishing code only this module runs a
    notebook.
    """
    package = places.root / "covidlib"
    publishing = package / "publish"
    library = [path for path in files_below(package) if publishing not in path.parents]
    library.append(publishing / Path(__file__).name)
    results = files_below(places.root / "book" / "results")
    chosen = parameters.absolute()
    parts = [
        digest_files(places.root, [path for path in library if path.is_file()]),
        digest_files(places.root, results),
        json.dumps(asdict(chosen), sort_keys=True),
        "" if chosen.phantom else digest_listing(Path(chosen.data)),
        digest_environment(),
        sys.version,
        *(["gpu"] if gpu else []),
    ]
    return digest_text("\n".join(parts))


def check_parameters(notebook: Path, parameters: Parameters) -> None:
    """Raise PublishError unless the notebook declares exactly the book's parameters.

    papermill itself only warns, runs the notebook with its defaults, and reports success.
    """
    import papermill

    declared = papermill.inspect_notebook(str(notebook))
    wanted = set(asdict(parameters))
    if missing := sorted(wanted - set(declared)):
        raise PublishError(f"{notebook.name} declares no parameter {missing}")
    if strangers := sorted(set(declared) - wanted):
        raise PublishError(f"{notebook.name} declares parameters that nobody sets: {strangers}")


def run_one(script: Path, target: Path, parameters: Parameters) -> str:
    """Execute one notebook into ``target``; return what went wrong, or an empty text.

    A failed execution is kept beside the target, with its traceback, as ``NAME.failed.ipynb``.
    """
    import papermill
    from nbclient.exceptions import CellTimeoutError, DeadKernelError

    partial_copy = target.with_suffix(".partial.ipynb")
    failed = target.with_suffix(".failed.ipynb")
    target.parent.mkdir(parents=True, exist_ok=True)
    failed.unlink(missing_ok=True)
    try:
        source = pair(script)
        check_parameters(source, parameters)
        papermill.execute_notebook(
            str(source),
            str(partial_copy),
            parameters=asdict(parameters.absolute()),
            cwd=str(target.parent),
            kernel_name="python3",
            progress_bar=False,
            log_output=False,
            coalesce_streams=True,
            request_save_on_cell_execute=False,
            execution_timeout=CELL_SECONDS[parameters.profile],
            # Kernels call the interrupt that shuts them down an error; those of cells are raised.
            extra_arguments=["--log-level=CRITICAL"],
        )
    except (papermill.exceptions.PapermillException, CellTimeoutError, DeadKernelError) as error:
        if partial_copy.is_file():
            partial_copy.replace(failed)
        return f"{type(error).__name__}: {error}"
    except PublishError as error:
        return str(error)
    partial_copy.replace(target)
    return ""


def execute(
    places: Places,
    parameters: Parameters,
    *,
    only: str = "",
    jobs: int = 0,
    force: bool = False,
    gpu: bool = False,
    tell: Callable[[Outcome], None] = lambda outcome: None,
) -> list[Outcome]:
    """Execute every notebook whose content, parameters or surroundings changed.

    Args:
        places: the checkout.
        parameters: the same for all notebooks.
        only: part of a page's name; other notebooks are left alone.
        jobs: notebooks at a time; 0 means one, or in the "smoke" profile up to four, one a core.
            More than one blurs the seconds that a page measures.
        force: execute even what has not changed.
        gpu: refuse to execute without one, here and in every notebook's own process.
        tell: called with each outcome as it comes.

    Raises:
        PublishError: nothing to execute.
        CovidlibError: a GPU was asked for and there is none.
    """
    if gpu:
        require_gpu()
    scripts = [path for path in places.scripts if only in _name(places, path)]
    if not scripts:
        raise PublishError(f"no notebook matches {only!r}" if only else "there are no notebooks")
    around = surroundings(places, parameters, gpu)
    smoke = parameters.profile == "smoke"
    jobs = min(jobs or (min(4, os.cpu_count() or 1) if smoke else 1), len(scripts))
    _prepare(places, 1 if smoke else max(1, (os.cpu_count() or 1) // jobs), gpu)
    work = partial(_settle, places, parameters, around, force)
    outcomes = []
    if jobs == 1:
        for script in scripts:
            outcomes.append(work(script))
            tell(outcomes[-1])
        return outcomes
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        for outcome in pool.map(work, scripts):
            outcomes.append(outcome)
            tell(outcome)
    return outcomes


def _settle(
    places: Places, parameters: Parameters, around: str, force: bool, script: Path
) -> Outcome:
    """Reuse the execution of this very content, or execute and stamp it."""
    name = _name(places, script)
    target = places.executed(parameters) / f"{name}.ipynb"
    stamp = target.with_suffix(".json")
    key = digest_text(around + digest_files(places.root, [script]))
    if not force and target.is_file() and stamp.is_file():
        known = json.loads(stamp.read_text())
        if known["key"] == key:
            return Outcome(name, known["seconds"], reused=True)
    stamp.unlink(missing_ok=True)
    started = time.perf_counter()
    problem = run_one(script, target, parameters)
    seconds = round(time.perf_counter() - started, 1)
    if not problem:
        save(stamp, json.dumps({"key": key, "seconds": seconds}))
    return Outcome(name, seconds, problem=problem)


def _prepare(places: Places, threads: int, gpu: bool) -> None:
    """Give kernels a neutral surrounding: their own IPython profile, no bars, fair threads.

    Threads that spin while they wait made small networks twenty times slower on a busy machine
    with two cores; smoke runs have one thread, and so the same numbers whatever the machine.
    """
    # Built here once, or the first page would carry matplotlib's note about its font cache.
    import matplotlib.font_manager  # noqa: F401

    os.environ["IPYTHONDIR"] = str((places.build / "ipython").resolve())
    os.environ[GPU_ASKED] = "1" if gpu else ""
    os.environ["TQDM_DISABLE"] = "1"
    os.environ["JUPYTER_PREFER_ENV_PATH"] = "1"
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))


def _name(places: Places, script: Path) -> str:
    return script.relative_to(places.root).with_suffix("").as_posix()
