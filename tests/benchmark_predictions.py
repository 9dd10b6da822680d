"""Predictions of imagined X-ray networks for the tests of the benchmark."""

import numpy as np
import pandas as pd

CARDS = {
    "cohen-covid": ("covid-chestxray-dataset", "COVID-19"),
    "cxnet": ("covid-cxnet", "COVID-19"),
    "cohen-other": ("covid-chestxray-dataset", "other"),
    "nih": ("chestxray8-subset", "other"),
    "kermany": ("kermany-subset", "other"),
}


def predictions(chance, each=12, seed=0, val=("cohen-covid", "cohen-other")):
    """Return test images of all five groups, and validation images of some.

    ``chance`` gives the probability of COVID-19: a number, or a function of group and generator.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for group, (card, label) in CARDS.items():
        for k in range(each):
            for split in ("test", "val") if group in val else ("test",):
                p = chance(group, rng) if callable(chance) else chance
                rows.append((f"{card}/{split}-{label}-{k}.png", f"{card}:{label}{k}{split}",
                             split, label, 1 - p, p))  # fmt: skip
    columns = ["sample", "patient", "split", "label", "p_other", "p_COVID-19"]
    return pd.DataFrame(rows, columns=columns)


def oracle(group, rng):
    """Know the disease."""
    return 0.9 if group in ("cohen-covid", "cxnet") else 0.1


def collector(group, rng):
    """Know one pair of collections, nothing else."""
    return {"cxnet": 0.95, "nih": 0.05}.get(group, 0.5)
