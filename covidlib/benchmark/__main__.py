"""Measure what needs the images but no network, and keep it beside the recorded runs."""

import typer

from covidlib.benchmark.keeping import measure, write
from covidlib.benchmark.sources import TESTS
from covidlib.paths import data_root
from covidlib.terminal import OWN_RESULTS, RealData, RealProfile, Results


def main(
    profile: RealProfile,
    data: RealData,
    results: Results = OWN_RESULTS,
) -> None:
    """Count the sources, look for pictures they share, and fit the forests without anatomy."""
    kept = [write(measure(name, profile, data_root(data)), results) for name in TESTS]
    typer.echo(f"{len(kept)} training sets measured, {sum(map(bool, kept))} new in {results}")


if __name__ == "__main__":
    typer.run(main)
