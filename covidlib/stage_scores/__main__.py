"""Score the stages in a store and keep the scores beside the recorded runs."""

import typer

from covidlib.paths import RESULTS, data_root
from covidlib.runs.store import Store
from covidlib.stage_scores import is_kept, score_plan, target_of, write
from covidlib.terminal import RealData, RealProfile, Results, Weights, run_alone


def main(
    profile: RealProfile,
    data: RealData,
    store: Weights = None,
    results: Results = RESULTS,
) -> None:
    """Score every source stage of msatl Table 6 that is in the store and not scored yet."""
    found = score_plan(
        Store(store),
        target_of(profile, phantoms=False),
        profile,
        data_root(data),
        keep=lambda cell, spec: not is_kept(cell, spec.key, results),
    )
    scored = sum(write(one, results) is not None for one in found)
    typer.echo(f"{scored} new files in {results}")


if __name__ == "__main__":
    run_alone(main)
