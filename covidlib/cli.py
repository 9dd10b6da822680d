"""The command line: data sets, runs, recorded results, your own images."""

import re
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from covidlib.data.commands import data_app
from covidlib.errors import CovidlibError
from covidlib.own_images.commands import register
from covidlib.paths import RESULTS
from covidlib.runs.commands import results_app
from covidlib.terminal import (
    Accelerator,
    Data,
    Devices,
    Only,
    Paper,
    Profile,
    Runs,
    Seeds,
    Threads,
    console,
    errors,
    plain_errors,
    say,
)
from covidlib.workflow.commands import workflow_app

ONLY_REAL = "only real data in the profiles laptop and paper are recorded"
LOOKS = "^(val|knn)_"  # columns of a curve that speak of validation images

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__)
app.add_typer(data_app, name="data")
app.add_typer(results_app, name="results")
app.add_typer(workflow_app, name="workflow")
register(app)


@app.command("run")
def run_plan(
    plan: Annotated[str, typer.Argument(help="paper/topic, such as msatl/without_transfer")],
    profile: Profile = "smoke",
    data: Data = "phantoms",
    store: Runs = None,
    only: Only = "",
    seeds: Seeds = None,
    backend: Annotated[str, typer.Option(help="serial, loky or dask")] = "serial",
    workers: Annotated[int, typer.Option(min=1, help="processes of loky or dask")] = 1,
    address: Annotated[str | None, typer.Option(help="of a dask scheduler")] = None,
    devices: Devices = 1,
    threads: Threads = None,
    accelerator: Accelerator = "auto",
    record: Annotated[bool, typer.Option(help="copy finished runs to book/results")] = False,
    dry: Annotated[bool, typer.Option(help="only show what is cached")] = False,
) -> None:
    """Train what a plan needs; finished runs are reused, interrupted ones go on."""
    from covidlib.runs.executor import execute
    from covidlib.runs.store import Store, publish
    from covidlib.training.fit import Resources

    with plain_errors():
        _check_engine(backend, workers, address)
        chosen = _find(plan, profile, phantoms=data == "phantoms", seeds=seeds)
        place = Store(store)
        specs = [spec for spec in chosen.specs if only in spec.key]
        if not specs:
            raise CovidlibError(f"no run of {plan} has {only!r} in its key")
        _show(specs, place)
        if dry:
            return
        if record:
            _refuse_unrecordable(data, profile)

        def finished(found) -> None:  # one by one, so that an interruption loses nothing
            console.print(f"[green]done[/] {found.key}{_validation(found)}", soft_wrap=True)
            if record:
                publish(found, RESULTS / chosen.paper)

        execute(
            specs,
            place,
            None if data == "phantoms" else data,
            profile=profile,
            backend=backend,
            workers=workers,
            address=address,
            resources=Resources(accelerator, devices, threads=threads),
            progress=_tell,
            finished=finished,
        )


@app.command("reference")
def make_reference(
    paper: Paper,
    profile: Profile = "smoke",
    data: Data = "phantoms",
    store: Runs = None,
    plan: Annotated[list[str] | None, typer.Option(help="only this plan; may be repeated")] = None,
    only: Only = "",
    seeds: Seeds = None,
    devices: Devices = 1,
    threads: Threads = None,
    accelerator: Accelerator = "auto",
    dry: Annotated[bool, typer.Option(help="only show what is there and what is to do")] = False,
    record: Annotated[bool, typer.Option(help="add runs on real data to book/results")] = True,
) -> None:
    """Make every run of a paper, most valuable first; go on after failures and interruptions.

    Runs on real data are recorded in book/results; the library has to be as committed for that.
    """
    from covidlib.runs.reference import in_order, run_all
    from covidlib.runs.store import Store
    from covidlib.settings import PROFILES
    from covidlib.training.fit import Resources

    with plain_errors():
        _choice(profile, PROFILES, "profile")
        phantoms = data == "phantoms"
        specs = in_order(paper, profile, phantoms=phantoms, seeds=seeds, names=plan or ())
        specs = [spec for spec in specs if only in spec.key]
        if not specs:
            raise CovidlibError(f"no run of {paper} has {only!r} in its key")
        place = Store(store)
        results = _recording(paper, data, profile, dry) if record else None
        if dry:
            _show(specs, place, results)
            return
        failures = run_all(
            specs,
            place,
            None if phantoms else data,
            profile,
            results=results,
            resources=Resources(accelerator, devices, threads=threads),
            progress=_tell,
            told=_counting(len(specs)),
        )
    if failures:
        for failure in failures:
            message = Text(f"{failure.spec.key}: {failure.reason}")
            errors.print("[red]failed[/]", message, highlight=False, soft_wrap=True)
        raise typer.Exit(1)


def _recording(paper: str, data: str, profile: str, dry: bool) -> Path | None:
    """Return where runs are recorded; None, said once, where these are none to be recorded.

    Raises:
        CovidlibError: they would be, but for the state of the library.
    """
    if data == "phantoms" or profile == "smoke":
        say(f"nothing is recorded: {ONLY_REAL}")
        return None
    if not dry:
        _refuse_unrecordable(data, profile)
    return RESULTS / paper


def _counting(total: int):
    """Return what says how each run ended, and how many are left."""
    from itertools import count

    from covidlib.runs.reference import Failure

    numbers = count(1)

    def told(spec, outcome) -> None:
        if isinstance(outcome, Failure):
            end = f"[red]failed[/] {spec.key}"
        elif outcome is None:
            end = f"[green]recorded[/] {spec.key}"
        else:
            end = f"[green]done[/] {spec.key}{_validation(outcome)}"
        console.print(f"{next(numbers)}/{total} {end}", highlight=False, soft_wrap=True)

    return told


def _validation(found) -> str:
    """Return the last validation scores; test scores belong on the pages, beside the paper's."""
    if found.curve.empty:
        return ""
    last = found.curve.iloc[-1].filter(regex=LOOKS).dropna()
    values = ", ".join(f"{name} {value:.3f}" for name, value in last.items())
    return f": {values}" if values else ""


def _refuse_unrecordable(data: str, profile: str) -> None:
    """Say before hours of training what ``publish`` would say after them."""
    from covidlib.runs.provenance import software

    if data == "phantoms" or profile == "smoke":
        raise CovidlibError(ONLY_REAL)
    if software()["dirty"]:
        raise CovidlibError(
            "commit the library first: it differs from its commit, or git knows none; then record. "
            "COVIDLIB_COMMIT names the commit of a tree that travels without its history; "
            "--no-record trains anyway, and such runs are never recorded"
        )


def _find(name: str, profile: str, **options):
    """Return a plan, with a mistyped name as an error that a user can read."""
    from covidlib.plans import plan
    from covidlib.settings import PROFILES

    _choice(profile, PROFILES, "profile")
    try:
        return plan(name, profile, **options)
    except KeyError as error:
        raise CovidlibError(error.args[0]) from error


def _choice(value: str, allowed: tuple[str, ...], name: str) -> str:
    if value not in allowed:
        raise CovidlibError(f"{name} is one of {', '.join(allowed)}, not {value!r}")
    return value


def _check_engine(backend: str, workers: int, address: str | None) -> None:
    """Refuse what would be left aside in silence: runs would go one by one, and here."""
    _choice(backend, ("serial", "loky", "dask"), "backend")
    if workers > 1 and backend == "serial":
        raise CovidlibError(f"{workers} workers need --backend loky or dask")
    if address and backend != "dask":
        raise CovidlibError("the address of a scheduler needs --backend dask")


def _show(specs, store, results: Path | None = None) -> None:
    """Say what is there of each run; ``results``, where named, are a paper's recorded ones."""
    from covidlib.runs.record import recorded_folder

    for spec in specs:
        if results and recorded_folder(results.parent, results.name, spec.key):
            state = "recorded"
        elif store.get(spec):
            state = "finished"
        else:
            waiting = (store.root / ".working" / spec.key / "state.ckpt").exists()
            state = "interrupted" if waiting else "to do"
        console.print(f"{state:12}{spec.key}", highlight=False, soft_wrap=True)


def _tell(spec, row: dict) -> None:
    if any(re.match(LOOKS, name) for name in row):
        values = ", ".join(f"{k} {v:.4g}" for k, v in row.items())
        console.print(f"{spec.slug}: {values}", highlight=False)
