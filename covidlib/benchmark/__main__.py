"""Measure what needs the images but no network, and keep it beside the recorded runs."""

import typer

from covidlib.benchmark.keeping import is_kept, measure, write
from covidlib.benchmark.sources import TESTS
from covidlib.paths import RESULTS, data_root
from covidlib.terminal import RealData, RealProfile, Results, run_alone


def main(
    profile: RealProfile,
    data: RealData,
    results: Results = RESULTS,
) -> None:
    """Count the sources, look for pictures they share, and fit the forests without anatomy."""
    new = [name for name in TESTS if not is_kept(name, profile, results)]
    for name in new:
        write(measure(name, profile, data_root(data)), results)
    typer.echo(f"{len(new)} new files in {results}")


if __name__ == "__main__":
    run_alone(main)
