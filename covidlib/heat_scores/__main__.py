"""Score the heatmaps of networks in a store and keep the scores beside the recorded runs."""

import typer

from covidlib.heat_scores import SIZE, is_kept, networks, positive_slices, score_pair, write
from covidlib.paths import RESULTS, data_root
from covidlib.runs.running import load
from covidlib.runs.store import Store
from covidlib.terminal import RealData, RealProfile, Results, Weights, run_alone
from covidlib.training.data import training_data


def main(
    profile: RealProfile,
    data: RealData,
    store: Weights = None,
    results: Results = RESULTS,
) -> None:
    """Score the maps of msatl Figure 4 for every seed in the store that is not scored yet."""
    runs, root, kept = Store(store), data_root(data), 0
    for specs in networks(profile, phantoms=False):
        records = {name: runs.get(spec) for name, spec in specs.items()}
        if not all(records.values()) or is_kept(specs, results):
            continue
        first = specs["baseline"]
        source = training_data(first.data, root)
        pair = {name: load(records[name], spec, source).network for name, spec in specs.items()}
        slices = positive_slices(first.data, first.training, SIZE[profile], root)
        scores = score_pair(pair, slices, specs, profile=profile)
        kept += sum(write(one, results) is not None for one in scores)
    typer.echo(f"{kept} new files in {results}")


if __name__ == "__main__":
    run_alone(main)
