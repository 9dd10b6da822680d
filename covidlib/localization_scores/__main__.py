"""Score where runs in a store attend to, and keep the scores beside the recorded runs."""

import typer

from covidlib.kept_scores import unkept
from covidlib.localization_scores import FOLDER, LETTERS, MEAN, recorded, score_run, specs, write
from covidlib.paths import RESULTS, data_root
from covidlib.runs.store import Store
from covidlib.terminal import RealData, RealProfile, Results, Weights, run_alone
from covidlib.training.data import training_data


def main(
    profile: RealProfile,
    data: RealData,
    store: Weights = None,
    results: Results = RESULTS,
) -> None:
    """Score every MAG-SD on B and A whose weights are in the store and that is not scored yet."""
    runs, root, scored = Store(store), data_root(data), 0
    wanted = [spec for letter in LETTERS for spec in specs(profile, letter)]
    for spec, record in unkept(wanted, runs, results / FOLDER):
        found = score_run(record, spec, training_data(spec.data, root), profile, root)
        scored += write(found, results) is not None
        own = found.table[found.table["source"] == MEAN]
        typer.echo(f"{spec.key}: mean IoU {own['mask'].mean():.3f}, boxes {own['box'].mean():.3f}")
    typer.echo(f"{scored} new files in {results}")
    if shown := recorded(results):
        typer.echo(f"the page shows {len(shown)} networks of data set {shown[0].letter}")


if __name__ == "__main__":
    run_alone(main)
