"""Six networks from random weights (``notebooks/msatl/without_transfer.py``)."""

from collections.abc import Sequence
from itertools import combinations, combinations_with_replacement, product

import pandas as pd

from covidlib.book import Page
from covidlib.data import findings
from covidlib.data_page import PlainTable
from covidlib.errors import CovidlibError
from covidlib.evaluation import compare_auc, compare_errors, intervals
from covidlib.evaluation.comparisons import Comparison
from covidlib.pages.results import Results, budget, paired_table
from covidlib.plans import plan
from covidlib.settings import TrainingSettings
from covidlib.tables import ComparisonTable

NAME = "msatl/without_transfer"


def settings_table(profile: str) -> pd.DataFrame:
    """Set the settings of a profile beside the paper's (msatl sec. 6.2)."""
    ours, paper = (plan(NAME, p, phantoms=False).specs[0] for p in (profile, "paper"))
    return pd.DataFrame({"paper": _settings(paper), f"profile {profile}": _settings(ours)})


def _settings(spec) -> dict[str, str]:
    chosen = spec.training
    return {
        "images scaled to": f"{spec.data.preprocessing.size}²",
        "crop": f"{chosen.size}²",
        "epochs": str(chosen.epochs),
        "batch": str(chosen.batch),
        "learning rate": f"{chosen.lr:g}",
        "divided by 10 after epochs": drops(chosen),
        "weight decay": f"{chosen.weight_decay:g}",
        "momentum": f"{chosen.momentum:g}",
    }


def drops(chosen: TrainingSettings) -> str:
    """Return the epochs after which the rate falls, without those that training never reaches.

    >>> drops(TrainingSettings(epochs=100, milestones=(0.6, 0.8)))
    '60, 80'
    >>> drops(TrainingSettings(epochs=1, milestones=(0.6, 0.8)))
    'never'
    """
    return ", ".join(f"{epoch}" for epoch in chosen.drops if epoch < chosen.epochs) or "never"


def attention_table(results: Results) -> PlainTable:
    """Compare the variants of one backbone on the same test images."""
    lines = {}
    for depth in ("r50", "r101"):
        names = [name for name in results.labels(model=depth) if name in results.shown]
        for first, second in combinations(names, 2):
            lines[f"{second} against {first}"] = [[(1, second), (-1, first)]]
    return paired_table(results.known, lines)


def usual_tests(results: Results) -> PlainTable:
    """Apply the tests that papers use for two classifiers to every pair of recorded trainings.

    Two trainings of one network differ by their seed alone: what the tests call a difference
    there is none between methods.
    """
    rows, n = {}, 0
    for depth in ("r50", "r101"):
        names = [name for name in results.labels(model=depth) if name in results.shown]
        for first, second in combinations_with_replacement(names, 2):
            one, two = ([r.predictions for r in results.shown[name]] for name in (first, second))
            same = first == second
            if pairs := list(combinations(one, 2) if same else product(one, two)):
                name = f"{first}, other seeds" if same else f"{second} against {first}"
                areas = [compare_auc(*pair) for pair in pairs]
                errors = [compare_errors(*pair) for pair in pairs]
                rows[name] = _counted(areas, "AUC") | _counted(errors, "accuracy")
                n = areas[0].n
    note = (
        f"Every training of one side against every one of the other, on the same {n} images. "
        "Differs: the largest of these differences. p is not corrected; images count as "
        "independent, which slices of one patient are not."
    )
    return PlainTable(pd.DataFrame.from_dict(rows, orient="index"), note)


def _counted(found: Sequence[Comparison], measure: str) -> dict[str, str]:
    below = sum(one.p_value < 0.05 for one in found)
    return {
        f"{measure} differs": f"{max(abs(one.difference) for one in found):.3f}",
        f"{found[0].test}: p < 0.05": f"{below} of {len(found)}",
    }


def sentences(page: Page, results: Results, found: ComparisonTable) -> dict[str, float | int]:
    """Return the numbers of the page's sentences."""
    areas = found.frame.xs("AUC", level="metric")
    ours = [interval.value for interval in areas["recorded"] if interval is not None]
    if not ours:
        raise CovidlibError(
            "book/results/msatl holds no run of these networks; record some with "
            f"`covidlib run {NAME} --profile laptop --data FOLDER --record`"
        )
    printed = [value.value for value in areas["paper"]]
    floors = findings.read(page.recorded / "msatl" / "data").runs
    floor = intervals(floors["grey statistics"], ["auc"], resamples=200)["auc"]
    return results.sentences(found) | {
        "budget": budget(record for records in results.shown.values() for record in records),
        "auc_low": min(ours),
        "auc_high": max(ours),
        "paper_low": min(printed),
        "paper_high": max(printed),
        "floor_auc": floor.value,
    }
