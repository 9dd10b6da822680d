"""Score runs in a store as magsd's released code does, and keep the scores beside the runs."""

from typing import Annotated

import typer

from covidlib.kept_scores import unkept
from covidlib.paths import RESULTS, data_root
from covidlib.plans import plan
from covidlib.protocol_scores import FOLDER, PLAN, REPEATS, score_run, write
from covidlib.runs.store import Store
from covidlib.terminal import RealData, RealProfile, Results, Weights, run_alone
from covidlib.training.data import training_data


def main(
    profile: RealProfile,
    data: RealData,
    store: Weights = None,
    results: Results = RESULTS,
    name: Annotated[str, typer.Option("--plan", help="whose runs are scored")] = PLAN,
    repeats: Annotated[int, typer.Option(help="tests per run")] = REPEATS,
) -> None:
    """Score every run of a plan whose weights are in the store and whose scores are not kept."""
    runs, root, scored = Store(store), data_root(data), 0
    for spec, record in unkept(plan(name, profile, phantoms=False).specs, runs, results / FOLDER):
        found = score_run(record, spec, training_data(spec.data, root), profile, repeats=repeats)
        scored += write(found, results) is not None
        typer.echo(f"{spec.key}: {found.hits.sum() / found.draws.sum():.3f}")
    typer.echo(f"{scored} new files in {results}")


if __name__ == "__main__":
    run_alone(main)
