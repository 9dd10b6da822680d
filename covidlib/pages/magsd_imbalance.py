"""What weighting the classes changes (``notebooks/magsd/distribution.py``)."""

import pandas as pd

from covidlib.data.compositions import COMPOSITIONS
from covidlib.data_page import PlainTable
from covidlib.pages.magsd_fold_tests import fold_tests
from covidlib.pages.results import Results
from covidlib.plans.magsd_ours import NETWORKS, WEIGHTED
from covidlib.plans.magsd_runs import SETS
from covidlib.tables import ComparisonTable
from covidlib.training.supervised import balanced

METRICS = ("accuracy", "sensitivity", "specificity", "f1_macro", "auc")
TESTED = {"accuracy": "accuracy", "sensitivity": "sensitivity", "f1_macro": "macro F1"}


def image_weights() -> PlainTable:
    """Return what an image of each class counts in a balanced loss, from the paper's Table 1."""
    lines = {}
    for letter in SETS:
        sizes = COMPOSITIONS[f"magsd-{letter.lower()}"].sizes
        labels = pd.Series([name for name, count in sizes.items() for _ in range(count)])
        weights = balanced(labels, tuple(sizes)).tolist()
        for (name, count), weight in zip(sizes.items(), weights, strict=True):
            lines[letter, name] = {"images": f"{count:,}", "weight": f"{weight:.2f}"}
    frame = pd.DataFrame.from_dict(lines, orient="index")
    frame.index = pd.MultiIndex.from_tuples(frame.index)
    return PlainTable(frame, "Images: magsd Table 1. Weight: mean class size over the class's own.")


def weighted_table(runs: Results) -> ComparisonTable:
    """Return the scores of both networks on A, with and without weights."""
    return runs.table(METRICS, note="Set A; sensitivity and specificity are those of COVID-19.")


def weighted_tests(runs: Results) -> PlainTable:
    """Compare each weighted network with the same one without weights, fold by fold."""
    before = {f"{name}, {WEIGHTED}": name for name in NETWORKS}
    return fold_tests(runs, before, TESTED)
