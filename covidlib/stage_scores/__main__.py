"""Score the stages in a store and keep the scores beside the recorded runs."""

from pathlib import Path
from typing import Annotated

import typer

from covidlib.paths import data_root
from covidlib.runs.store import Store
from covidlib.stage_scores import score_plan, target_of, write

RESULTS = Path(__file__).resolve().parents[2] / "book" / "results"


def main(
    profile: Annotated[str, typer.Option(help="laptop | paper")],
    data: Annotated[Path, typer.Option(help="the folder of the data sets")],
    store: Annotated[Path | None, typer.Option(help="folder of runs, with weights")] = None,
    results: Annotated[Path, typer.Option(help="folder of recorded results")] = RESULTS,
) -> None:
    """Score every source stage of msatl Table 6 whose weights are in the store."""
    target = target_of(profile, phantoms=False)
    found = score_plan(Store(store), target, profile, data_root(data))
    kept = [path for one in found if (path := write(one, results)) is not None]
    typer.echo(f"{len(found)} stages scored, {len(kept)} of them new in {results}")


if __name__ == "__main__":
    typer.run(main)
