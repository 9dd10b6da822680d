"""Six networks from random weights (``notebooks/msatl/without_transfer.py``)."""

from collections.abc import Mapping, Sequence
from itertools import combinations

import pandas as pd

from covidlib.book import Page
from covidlib.errors import CovidlibError
from covidlib.evaluation import intervals
from covidlib.evaluation.comparisons import compare_auc, compare_errors, holm
from covidlib.plans import Plan, plan
from covidlib.published import paper_values
from covidlib.runs.executor import execute
from covidlib.runs.record import Record
from covidlib.runs.recorded import recorded, rows
from covidlib.runs.store import Store
from covidlib.tables import ComparisonTable, Row, comparison_table, verdict_counts

NAME = "msatl/without_transfer"
METRICS = ("accuracy", "f1", "auc")

Runs = Mapping[str, Sequence[Record]]


def this_run(page: Page) -> dict[str, list[Record]]:
    """Train, or find, one run of every row with the page's profile and images."""
    chosen = plan(NAME, page.profile, phantoms=page.phantom, seeds=1)
    done = execute(chosen.specs, Store(page.store), page.root, profile=page.profile)
    return {row.label: [done[spec.key] for spec in row.specs] for row in chosen.rows}


def recorded_runs(page: Page) -> dict[str, list[Record]]:
    """Return the recorded runs of every row."""
    return recorded(NAME, page.recorded)


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
        "divided by 10 after epochs": ", ".join(
            f"{round(share * chosen.epochs)}" for share in chosen.milestones
        ),
        "weight decay": f"{chosen.weight_decay:g}",
        "momentum": f"{chosen.momentum:g}",
    }


def rate_table(page: Page) -> pd.DataFrame:
    """Return how R-50 did on the validation images at each recorded learning rate."""
    found = rows(plan("msatl/learning_rate", "laptop", phantoms=False), page.recorded)
    lines = {}
    for records in found.values():
        for record in records:
            last = record.curve.dropna().iloc[-1]
            rate = record.body["spec"]["training"]["lr"]
            lines[f"{rate:g}"] = {
                "epochs": int(last["epoch"]) + 1,
                "validation loss": f"{last['val_loss']:.3f}",
                "validation accuracy": f"{last['val_accuracy']:.3f}",
                "validation AUC": f"{last['val_auc']:.3f}",
            }
    return pd.DataFrame(lines).T.rename_axis("learning rate")


def table(done: Runs, known: Runs) -> ComparisonTable:
    """Return Table 4's "w/o TL" rows: paper, recorded, this run, verdict."""
    chosen: Plan = plan(NAME, "smoke", phantoms=True)
    lines = [
        Row(
            row.label,
            paper_values("msatl", 4, METRICS, **dict(row.cell)),
            known[row.label],
            done[row.label],
            link=_link(known[row.label]),
        )
        for row in chosen.rows
    ]
    return comparison_table(lines, METRICS)


def _link(records: Sequence[Record]) -> str | None:
    """Return where the book keeps the first record of a row, seen from the page."""
    return f"../../results/msatl/{records[0].key}/record.json" if records else None


def predictions(runs: Runs) -> dict[str, list[pd.DataFrame]]:
    """Return the predictions behind each row that has runs."""
    return {name: [r.predictions for r in records] for name, records in runs.items() if records}


def attention_table(known: Runs) -> pd.DataFrame:
    """Compare variants of one backbone on the same test images, first seeds.

    DeLong's test for the AUC and McNemar's exact test for the errors, both corrected by Holm over
    the table.
    """
    lines = {}
    for depth in (50, 101):
        names = [name for name in known if name.startswith(f"R-{depth} ") and known[name]]
        for first, second in combinations(names, 2):
            pair = known[first][0].predictions, known[second][0].predictions
            area, errors = compare_auc(*pair), compare_errors(*pair)
            lines[f"{second} against {first}"] = {
                "AUC difference": f"{area.difference:+.3f} [{area.low:+.3f}, {area.high:+.3f}]",
                "p, AUC": area.p_value,
                "accuracy difference": f"{errors.difference:+.3f}",
                "p, errors": errors.p_value,
            }
    frame = pd.DataFrame(lines).T
    for column in ("p, AUC", "p, errors"):
        if len(frame):
            frame[column] = [f"{p:.2f}" for p in holm(frame[column].astype(float))]
    return frame


def spent(runs: Runs) -> dict[str, float]:
    """Return how many distinct trainings stand behind the rows and how long they took."""
    records = {r.key: r for found in runs.values() for r in found}
    seconds = sum(r.provenance["seconds"] for r in records.values())
    return {"trainings": len(records), "minutes": seconds / 60}


def sentences(found: ComparisonTable, known: Runs, floors: Runs) -> dict[str, float | int]:
    """Return the numbers of the page's sentences."""
    areas = found.frame.xs("AUC", level="metric")
    ours = [interval.value for interval in areas["recorded"] if interval is not None]
    if not ours:
        raise CovidlibError(
            "book/results/msatl holds no run of these networks; record some with "
            f"`covidlib run {NAME} --profile laptop --data FOLDER --record`"
        )
    printed = [value.value for value in areas["paper"]]
    verdicts = verdict_counts(found)
    floor = intervals(floors["grey statistics"], ["auc"], resamples=200)["auc"]
    return spent(known) | {
        "auc_low": min(ours),
        "auc_high": max(ours),
        "paper_low": min(printed),
        "paper_high": max(printed),
        "cells": int(verdicts.sum()),
        "reproduced": int(verdicts["reproduced"]),
        "below": int(verdicts["below"]),
        "above": int(verdicts["above"]),
        "untested": int(verdicts["not testable here"]),
        "floor_auc": floor.value,
    }
