"""Score the stages in a store and keep the scores beside the recorded runs."""

import typer

from covidlib.paths import data_root
from covidlib.runs.store import Store
from covidlib.stage_scores import score_plan, target_of, write
from covidlib.terminal import OWN_RESULTS, RealData, RealProfile, Results, Weights


def main(
    profile: RealProfile,
    data: RealData,
    store: Weights = None,
    results: Results = OWN_RESULTS,
) -> None:
    """Score every source stage of msatl Table 6 whose weights are in the store."""
    target = target_of(profile, phantoms=False)
    found = score_plan(Store(store), target, profile, data_root(data))
    kept = [path for one in found if (path := write(one, results)) is not None]
    typer.echo(f"{len(found)} stages scored, {len(kept)} of them new in {results}")


if __name__ == "__main__":
    typer.run(main)
