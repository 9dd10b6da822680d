"""Means over networks, each of which is asked about images of its own."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from covidlib.evaluation.resampling import draw

RESAMPLES = 2000


def drawn_means(
    networks: Sequence[pd.DataFrame], column: str, resamples: int = RESAMPLES, seed: int = 0
) -> np.ndarray:
    """Return each network's mean over its images, then its means when patients are drawn anew.

    Patients are drawn once for all networks, among those whom the same networks are asked about:
    as many of them in every draw as there are, so that none leaves a network without an image.

    Args:
        networks: the images of each, indexed by sample: ``patient`` and the column.
        column: what is averaged.
        resamples, seed: how many draws, and from where.

    Returns:
        Shape: (1 + resamples, networks).
    """
    whole = pd.concat(networks, keys=range(len(networks)), names=["network", "sample"])
    patients = whole.groupby("sample", sort=True)["patient"].first()
    asked = (
        whole.reset_index("network")
        .groupby("patient")["network"]
        .agg(lambda n: str(sorted(set(n))))
    )
    rng = np.random.default_rng([seed, resamples])
    strata = patients.map(asked).to_numpy(str)
    times = draw(patients.to_numpy(str), strata, resamples, rng)
    times = np.vstack([np.ones(len(patients)), times])
    means = []
    for network in networks:
        own = times[:, patients.index.get_indexer(network.index)]
        total = own.sum(axis=1)
        summed = own @ network[column].to_numpy(float)
        means.append(np.divide(summed, total, out=np.full(len(total), np.nan), where=total > 0))
    return np.column_stack(means)
