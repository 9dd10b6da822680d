"""The commands behind the Makefile: ``python -m covidlib.publish --help``."""

import sys
import time
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from covidlib.book import PHANTOMS, PROFILES, Parameters
from covidlib.errors import CovidlibError
from covidlib.publish.browsing import browse, find_browser, told
from covidlib.publish.execution import Outcome, execute
from covidlib.publish.pairing import pair_all
from covidlib.publish.places import Places, PublishError
from covidlib.publish.staging import build, stage
from covidlib.publish.verification import Report, verify

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)

Root = Annotated[Path, typer.Option(help="The checkout.")]
Build = Annotated[Path, typer.Option("--build", help="The folder of everything derived.")]
Profile = Annotated[str, typer.Option(help=" | ".join(PROFILES))]
Data = Annotated[str, typer.Option(help='"phantoms", or the folder of the data sets.')]
Seed = Annotated[int, typer.Option(help="From 0.")]
Only = Annotated[str, typer.Option(help="Part of a page's name; leave the others alone.")]
Jobs = Annotated[int, typer.Option(min=0, help="Notebooks at a time; 0 chooses.")]
Gpu = Annotated[bool, typer.Option("--gpu", help="Fail where torch sees no GPU.")]
Force = Annotated[bool, typer.Option("--force", help="Execute even what has not changed.")]

HERE, BUILT = Path("."), Path("_build")


@app.command("pair")
def pair_command(root: Root = HERE) -> None:
    """Write every notebook from its script."""
    print(f"{len(pair_all(Places(root, BUILT)))} notebooks paired")


@app.command("execute")
def execute_command(
    root: Root = HERE,
    built: Build = BUILT,
    profile: Profile = "smoke",
    data: Data = PHANTOMS,
    seed: Seed = 0,
    only: Only = "",
    jobs: Jobs = 0,
    force: Force = False,
    gpu: Gpu = False,
) -> None:
    """Execute every notebook whose content or surroundings changed."""
    choice = {"only": only, "jobs": jobs, "force": force, "gpu": gpu}
    _execute(Places(root, built), Parameters(profile, data, seed), **choice)


@app.command("stage")
def stage_command(
    root: Root = HERE,
    built: Build = BUILT,
    profile: Profile = "smoke",
    data: Data = PHANTOMS,
    seed: Seed = 0,
) -> None:
    """Lay out what the builder reads."""
    print(f"{len(stage(Places(root, built), Parameters(profile, data, seed)))} pages staged")


@app.command("build")
def build_command(root: Root = HERE, built: Build = BUILT) -> None:
    """Turn the stage into HTML with warnings as errors."""
    build(Places(root, built))


@app.command("verify")
def verify_command(
    root: Root = HERE,
    built: Build = BUILT,
    profile: Profile = "smoke",
    data: Data = PHANTOMS,
    seed: Seed = 0,
) -> None:
    """Look at the HTML: pages, links, images, tables, outputs."""
    _verify(Places(root, built), Parameters(profile, data, seed))


@app.command("browse")
def browse_command(root: Root = HERE, built: Build = BUILT, only: Only = "") -> None:
    """Open every page in a browser: console, links, widgets, width, keyboard, contrast."""
    report = browse(Places(root, built), only, tell=partial(print, flush=True))
    _refuse(report)
    print(told(report))


@app.command("browser")
def browser_command() -> None:
    """Say which browser ``browse`` would use; fail where there is none."""
    path = find_browser()
    if path is None:
        raise PublishError("there is no browser")
    print(path)


@app.command("book")
def book_command(
    root: Root = HERE,
    built: Build = BUILT,
    profile: Profile = "smoke",
    data: Data = PHANTOMS,
    seed: Seed = 0,
    jobs: Jobs = 0,
    force: Force = False,
    gpu: Gpu = False,
) -> None:
    """Pair, execute, stage, build, verify; say where to open the book."""
    started = time.perf_counter()
    places, parameters = Places(root, built), Parameters(profile, data, seed)
    pair_all(places)
    _execute(places, parameters, jobs=jobs, force=force, gpu=gpu)
    stage(places, parameters)
    if not build(places):
        print("HTML is up to date")
    _verify(places, parameters)
    print(f"the book, in {time.perf_counter() - started:.0f} s{_memory()}:")
    print(f"  {(places.html / 'index.html').resolve().as_uri()}")


def _execute(places: Places, parameters: Parameters, **choice: Any) -> None:
    """Execute and tell; raise PublishError with every failure."""
    outcomes = execute(places, parameters, tell=_tell, **choice)
    fresh = [outcome for outcome in outcomes if not outcome.reused]
    seconds = sum(outcome.seconds for outcome in fresh)
    print(
        f"{len(fresh)} notebooks executed in {seconds:.0f} s, {len(outcomes) - len(fresh)} reused"
    )
    failed = [outcome for outcome in outcomes if outcome.problem]
    if failed:
        details = "\n\n".join(f"{outcome.name}\n{outcome.problem}" for outcome in failed)
        where = places.executed(parameters)
        raise PublishError(f"{len(failed)} notebooks failed (copies in {where}):\n\n{details}")


def _tell(outcome: Outcome) -> None:
    if not outcome.reused:
        state = "FAILED" if outcome.problem else "executed"
        print(f"{outcome.seconds:7.1f} s  {state}  {outcome.name}", flush=True)


def _verify(places: Places, parameters: Parameters) -> None:
    report = verify(places, parameters)
    _refuse(report)
    print(report)


def _refuse(report: Report) -> None:
    """Raise PublishError with every problem of a report, if it has one."""
    if report.problems:
        lines = "\n".join(f"  {problem}" for problem in report.problems)
        raise PublishError(f"{len(report.problems)} problems in the built book:\n{lines}")


def _memory() -> str:
    """Return the largest process's peak memory, where the system tells."""
    if sys.platform == "win32":
        return ""
    import resource

    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    divisor = 2**30 if sys.platform == "darwin" else 2**20
    return f", largest process {peak / divisor:.1f} GB" if peak else ""


def main() -> None:
    """Run a command; a refusal is a message and exit code 1, never a traceback."""
    try:
        app()
    except CovidlibError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
