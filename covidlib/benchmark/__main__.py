"""Measure what needs the images but no network, and keep it beside the recorded runs."""

from pathlib import Path
from typing import Annotated

import typer

from covidlib.benchmark.keeping import measure, write
from covidlib.benchmark.sources import TESTS
from covidlib.paths import data_root

RESULTS = Path(__file__).resolve().parents[2] / "book" / "results"


def main(
    profile: Annotated[str, typer.Option(help="laptop | paper")],
    data: Annotated[Path, typer.Option(help="the folder of the data sets")],
    results: Annotated[Path, typer.Option(help="folder of recorded results")] = RESULTS,
) -> None:
    """Count the sources, look for pictures they share, and fit the forests without anatomy."""
    kept = [write(measure(name, profile, data_root(data)), results) for name in TESTS]
    typer.echo(f"{len(kept)} training sets measured, {sum(map(bool, kept))} new in {results}")


if __name__ == "__main__":
    typer.run(main)
