"""The command line: data sets, runs, recorded results, your own images."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from covidlib.data.commands import data_app
from covidlib.errors import CovidlibError
from covidlib.own_images.commands import register
from covidlib.workflow_commands import workflow_app

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__)
app.add_typer(data_app, name="data")
results_app = typer.Typer(no_args_is_help=True, help="Recorded results of real data.")
app.add_typer(results_app, name="results")
app.add_typer(workflow_app, name="workflow")
register(app)
console = Console()
errors = Console(stderr=True)

RESULTS = Path("book/results")


@app.command("run")
def run_plan(
    plan: Annotated[str, typer.Argument(help="paper/topic, such as msatl/without_transfer")],
    profile: Annotated[str, typer.Option(help="smoke, laptop or paper: sizes only")] = "smoke",
    data: Annotated[str, typer.Option(help="'phantoms' or the data root")] = "phantoms",
    store: Annotated[Path | None, typer.Option(help="folder of runs")] = None,
    only: Annotated[str, typer.Option(help="run only keys that contain this text")] = "",
    seeds: Annotated[int | None, typer.Option(min=1, help="seeds per row")] = None,
    backend: Annotated[str, typer.Option(help="serial, loky or dask")] = "serial",
    workers: Annotated[int, typer.Option(min=1, help="processes of loky or dask")] = 1,
    address: Annotated[str | None, typer.Option(help="of a dask scheduler")] = None,
    devices: Annotated[int, typer.Option(min=1, help="processes of one run (DDP)")] = 1,
    threads: Annotated[int | None, typer.Option(help="of each process; default: torch's")] = None,
    accelerator: Annotated[str, typer.Option(help="auto, cpu or cuda")] = "auto",
    record: Annotated[bool, typer.Option(help="copy finished runs to book/results")] = False,
    dry: Annotated[bool, typer.Option(help="only show what is cached")] = False,
) -> None:
    """Train what a plan needs; finished runs are reused, interrupted ones go on."""
    from covidlib.runs.executor import execute
    from covidlib.runs.store import Store, publish
    from covidlib.training.fit import Resources

    try:
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
            backend=_choice(backend, ("serial", "loky", "dask"), "backend"),
            workers=workers,
            address=address,
            resources=Resources(accelerator, devices, threads=threads),
            progress=_tell,
            finished=finished,
        )
    except CovidlibError as error:
        _stop(error)
    except KeyboardInterrupt:
        console.print("interrupted; the same command goes on from here")
        raise typer.Exit(130) from None


@app.command("reference")
def make_reference(
    paper: Annotated[str, typer.Argument(help="msatl, magsd, manet or across")],
    profile: Annotated[str, typer.Option(help="smoke, laptop or paper: sizes only")] = "smoke",
    data: Annotated[str, typer.Option(help="'phantoms' or the data root")] = "phantoms",
    store: Annotated[Path | None, typer.Option(help="folder of runs")] = None,
    plan: Annotated[list[str] | None, typer.Option(help="only this plan; may be repeated")] = None,
    only: Annotated[str, typer.Option(help="run only keys that contain this text")] = "",
    seeds: Annotated[int | None, typer.Option(min=1, help="seeds per row")] = None,
    devices: Annotated[int, typer.Option(min=1, help="processes of one run (DDP)")] = 1,
    threads: Annotated[int | None, typer.Option(help="of each process; default: torch's")] = None,
    accelerator: Annotated[str, typer.Option(help="auto, cpu or cuda")] = "auto",
    dry: Annotated[bool, typer.Option(help="only show what is there and what is to do")] = False,
) -> None:
    """Make every run of a paper, most valuable first; go on after failures and interruptions.

    Runs on real data are recorded in book/results if the library is as committed.
    """
    from covidlib.runs.reference import in_order, run_all
    from covidlib.runs.store import Store
    from covidlib.settings import PROFILES
    from covidlib.training.fit import Resources

    try:
        _choice(profile, PROFILES, "profile")
        phantoms = data == "phantoms"
        specs = in_order(paper, profile, phantoms=phantoms, seeds=seeds, names=plan or ())
        specs = [spec for spec in specs if only in spec.key]
        place = Store(store)
        if dry:
            _show(specs, place)
            return
        failures = run_all(
            specs,
            place,
            None if phantoms else data,
            profile,
            results=_recording(paper, data, profile),
            resources=Resources(accelerator, devices, threads=threads),
            progress=_tell,
            told=_counting(len(specs)),
        )
    except CovidlibError as error:
        _stop(error)
    except KeyboardInterrupt:
        console.print("interrupted; the same command goes on from here")
        raise typer.Exit(130) from None
    if failures:
        for failure in failures:
            message = Text(f"{failure.spec.key}: {failure.reason}")
            errors.print("[red]failed[/]", message, highlight=False, soft_wrap=True)
        raise typer.Exit(1)


def _recording(paper: str, data: str, profile: str) -> Path | None:
    """Return where runs are recorded; None, said once, where these cannot be."""
    try:
        _refuse_unrecordable(data, profile)
    except CovidlibError as error:
        console.print(f"nothing is recorded: {error}", highlight=False, soft_wrap=True)
        return None
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
    last = found.curve.iloc[-1].filter(like="val_").dropna()
    values = ", ".join(f"{name} {value:.3f}" for name, value in last.items())
    return f": {values}" if values else ""


def _refuse_unrecordable(data: str, profile: str) -> None:
    """Say before hours of training what ``publish`` would say after them."""
    from covidlib.runs.provenance import software

    if data == "phantoms" or profile == "smoke":
        raise CovidlibError("only real data in the profiles laptop and paper are recorded")
    if software()["dirty"]:
        raise CovidlibError("the library differs from its commit; commit it before recording runs")


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


def _rounded(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _show(specs, store) -> None:
    for spec in specs:
        waiting = (store.root / ".working" / spec.key / "state.ckpt").exists()
        state = "finished" if store.get(spec) else "interrupted" if waiting else "to do"
        console.print(f"{state:12}{spec.key}", highlight=False, soft_wrap=True)


def _tell(spec, row: dict) -> None:
    if "val_loss" in row:
        values = ", ".join(f"{k} {v:.4g}" for k, v in row.items())
        console.print(f"{spec.slug}: {values}", highlight=False)


def _stop(error: Exception) -> None:
    message = error.args[0] if error.args else error
    errors.print("[red]error[/]", Text(str(message)), highlight=False, soft_wrap=True)
    raise typer.Exit(1) from None


@results_app.command("add")
def add_results(
    paper: Annotated[str, typer.Argument(help="msatl, magsd, manet or across")],
    store: Annotated[Path | None, typer.Option(help="folder of runs")] = None,
    results: Annotated[Path, typer.Option(help="folder of recorded results")] = RESULTS,
) -> None:
    """Copy finished runs on real data from a store into the recorded results."""
    from covidlib.runs.store import Store, publish

    added = 0
    for found in Store(store).records():
        try:
            publish(found, results / paper)
            added += 1
        except CovidlibError as error:
            console.print(f"left out: {error}", highlight=False)
    console.print(f"{added} runs are recorded in {results / paper}")


@results_app.command("list")
def list_results(
    results: Annotated[Path, typer.Option(help="folder of recorded results")] = RESULTS,
) -> None:
    """Show every recorded run with its metrics and where it came from."""
    from covidlib.runs.record import RECORD, Record

    if not results.is_dir():
        _stop(CovidlibError(f"there is no folder of results {results}; name one with --results"))
    run = Column("run", overflow="fold")  # a key that is cut short finds nothing
    table = Table("paper", run, "profile", "accuracy", "AUC", "commit")
    for path in sorted(results.glob(f"*/*/{RECORD}")):
        found = Record(path.parent)
        facts, numbers = found.provenance, found.metrics
        table.add_row(
            path.parts[-3],
            found.key,
            facts["profile"],
            *(_rounded(numbers.get(name)) for name in ("accuracy", "auc")),
            facts["commit"][:8],
        )
    console.print(table)


@results_app.command("remember")
def remember_results(
    store: Annotated[Path | None, typer.Option(help="a folder of runs; default: results")] = None,
    results: Annotated[Path, typer.Option(help="folder of recorded results")] = RESULTS,
    history: Annotated[Path | None, typer.Option(help="file; default: in results")] = None,
) -> None:
    """Append to the history every finished run that it does not have yet."""
    from covidlib.runs.history import HISTORY, recorded_runs, remember
    from covidlib.runs.store import Store

    path = history or results / HISTORY
    try:
        if store is None:
            found = recorded_runs(results)
        elif store.is_dir():
            found = [(None, record) for record in Store(store).records()]
        else:
            raise CovidlibError(f"there is no folder of runs {store}")
        console.print(f"{remember(found, path)} runs appended to {path}", soft_wrap=True)
    except CovidlibError as error:
        _stop(error)


@results_app.command("compare")
def compare_results(
    first: Annotated[str, typer.Argument(help="a commit, profile or key, or 'earlier'")],
    second: Annotated[str, typer.Argument(help="a commit, profile or key, or 'latest'")],
    metric: Annotated[list[str] | None, typer.Option(help="only this one; may be repeated")] = None,
    results: Annotated[Path, typer.Option(help="folder of recorded results")] = RESULTS,
    history: Annotated[Path | None, typer.Option(help="file; default: in results")] = None,
    fail: Annotated[bool, typer.Option("--fail", help="exit with 1 where one is worse")] = False,
) -> None:
    """Compare two states of the results; seeds say what a difference is."""
    from covidlib.runs.history import HISTORY, read
    from covidlib.runs.regressions import EARLIER, WORSE, NothingInCommonError, compare

    path = history or results / HISTORY
    try:
        if not path.is_file():
            raise CovidlibError(f"there is no history {path}; write it: covidlib results remember")
        found = compare(read(path), first, second, tuple(metric or ()))
    except NothingInCommonError as error:
        if first != EARLIER:
            _stop(error)
        console.print("no earlier run has these settings: nothing to compare")
        return
    except CovidlibError as error:
        _stop(error)
    for row in found.to_dict("records"):
        sides = (f"{row[s]:.3f} (n={row[f'runs, {s}']})" for s in ("first", "second"))
        console.print(
            f"{row['name']}  {row['metric']}: {' -> '.join(sides)}, {row['difference']:+.3f} "
            f"(detectable {row['detectable']:.3f}), p {row['p']:.2f}: {row['finding']}",
            highlight=False,
            soft_wrap=True,
        )
    if fail and (found["finding"] == WORSE).any():
        raise typer.Exit(1)
