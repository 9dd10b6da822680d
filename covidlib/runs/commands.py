"""``covidlib results``: what is recorded, and how it changed."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Column, Table

from covidlib.errors import CovidlibError
from covidlib.paths import RESULTS
from covidlib.terminal import History, Paper, Results, Runs, console, plain_errors

results_app = typer.Typer(no_args_is_help=True, help="Recorded results of real data.")


@results_app.command("add")
def add_results(
    paper: Paper,
    store: Runs = None,
    results: Results = RESULTS,
) -> None:
    """Copy finished runs on real data from a store into the recorded results."""
    from covidlib.runs.reference import papers_by_name
    from covidlib.runs.spec import name_of
    from covidlib.runs.store import Store, publish

    added, homes = 0, papers_by_name()
    with plain_errors():
        if paper not in (papers := sorted(set.union(*homes.values()))):
            raise CovidlibError(f"no plan of {paper!r}; there are plans of {', '.join(papers)}")
        for found in Store(store).records():
            home = homes.get(name_of(found.key), {paper})
            try:
                if paper not in home:
                    raise CovidlibError(f"{found.key} is a run of {' and '.join(sorted(home))}")
                publish(found, results / paper)
                added += 1
            except CovidlibError as error:
                console.print(f"left out: {error}", highlight=False)
    console.print(f"{added} runs are recorded in {results / paper}")


@results_app.command("list")
def list_results(
    results: Results = RESULTS,
) -> None:
    """Show every recorded run with its metrics and where it came from."""
    from covidlib.runs.record import RECORD, Record

    with plain_errors():
        if not results.is_dir():
            raise CovidlibError(f"there is no folder of results {results}; name one with --results")
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
    results: Results = RESULTS,
    history: History = None,
) -> None:
    """Append to the history every finished run that it does not have yet."""
    from covidlib.runs.history import HISTORY, recorded_runs, remember
    from covidlib.runs.store import Store

    path = history or results / HISTORY
    with plain_errors():
        if store is None:
            found = recorded_runs(results)
        elif store.is_dir():
            found = [(None, record) for record in Store(store).records()]
        else:
            raise CovidlibError(f"there is no folder of runs {store}")
        console.print(f"{remember(found, path)} runs appended to {path}", soft_wrap=True)


@results_app.command("compare")
def compare_results(
    first: Annotated[str, typer.Argument(help="a commit, profile or key, or 'earlier'")],
    second: Annotated[str, typer.Argument(help="a commit, profile or key, or 'latest'")],
    metric: Annotated[list[str] | None, typer.Option(help="only this one; may be repeated")] = None,
    results: Results = RESULTS,
    history: History = None,
    fail: Annotated[bool, typer.Option("--fail", help="exit with 1 where one is worse")] = False,
) -> None:
    """Compare two states of the results; seeds say what a difference is."""
    from covidlib.runs.history import HISTORY, read
    from covidlib.runs.regressions import EARLIER, SAME, WORSE, NothingInCommonError, compare

    path = history or results / HISTORY
    with plain_errors():
        if not path.is_file():
            raise CovidlibError(f"there is no history {path}; write it: covidlib results remember")
        try:
            found = compare(read(path, results), first, second, tuple(metric or ()))
        except NothingInCommonError:
            if first != EARLIER:
                raise
            console.print("no earlier run has these settings: nothing to compare")
            return
    same = found["finding"] == SAME
    for row in found[~same].to_dict("records"):
        sides = (f"{row[s]:.3f} (n={row[f'runs, {s}']})" for s in ("first", "second"))
        unknown = row["p"] != row["p"]
        test = "" if unknown else f" (detectable {row['detectable']:.3f}), p {row['p']:.3f}"
        console.print(
            f"{row['name']}  {row['metric']}: {' -> '.join(sides)}, {row['difference']:+.3f}"
            f"{test}: {row['finding']}",
            highlight=False,
            soft_wrap=True,
        )
    if same.any():
        console.print(f"{same.sum()} results are {SAME}", highlight=False)
    if fail and (found["finding"] == WORSE).any():
        raise typer.Exit(1)


def _rounded(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
