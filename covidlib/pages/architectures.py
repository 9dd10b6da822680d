"""MAG-SD beside its rivals (``notebooks/magsd/architectures.py``)."""

from collections.abc import Mapping, Sequence
from textwrap import fill

import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes

from covidlib import figures
from covidlib.data_page import PlainTable
from covidlib.evaluation import against_rest, intervals, mean_roc
from covidlib.evaluation.metrics import score
from covidlib.models.ma_net import MANetSettings
from covidlib.pages import results
from covidlib.pages.magsd_results import METRICS, comparable, guessing, on
from covidlib.pages.results import NOT_YET, Results
from covidlib.plans.magsd import OWN_RATES, PROPOSED, RIVALS
from covidlib.plans.magsd_runs import FOLDS, SETS
from covidlib.runs.record import Record
from covidlib.tables import ComparisonTable, format_interval

COVID = "COVID-19"
# Rivals that train in a few seconds; VGG16's weights alone take half a gigabyte.
QUICK = ("magsd", "magsd_0aug", "resnet50", "resnet18", "covid_net", "bcnn_attention")


def small_rivals(cell: Mapping[str, str]) -> bool:
    """Say which rows of Table 3 a page trains in seconds."""
    return cell["dataset"] == "A" and cell["model"] in QUICK


def parameters_table() -> PlainTable:
    """Count the parameters of the networks of Table 3, with two classes."""
    named = [(PROPOSED, MANetSettings()), *((label, network) for label, _, network in RIVALS)]
    lines = {}
    for label, settings in named:
        with torch.device("meta"):  # nothing is allocated
            network = settings.build(2)
        millions = sum(p.numel() for p in network.parameters()) / 1e6
        lines[label] = {"parameters, million": f"{millions:.1f}"}
    return PlainTable(pd.DataFrame.from_dict(lines, orient="index"), "With two classes.")


def draw_rocs(axes: Sequence[Axes], runs: Results, best: int = 3) -> bool:
    """Draw the ROC curves of every row, a panel per data set, the highest AUCs emphasised.

    Of recorded rows, those with all recorded folds come before the others.

    Args:
        axes: one per data set.
        runs: recorded ones are drawn where there are any, otherwise those of this run.
        best: how many are emphasised.

    Returns:
        Whether a panel has curves of this run.
    """
    of_this_run = False
    for ax, letter in zip(axes, SETS, strict=True):
        own = on(runs, letter)
        done = {label: own.done.get(label, ()) for label in own.labels()}
        source = own.shown or {label: records for label, records in done.items() if records}
        if not source:
            results.nothing(ax).set_title(f"data set {letter}")
            continue
        of_this_run |= not own.shown
        whose = "recorded" if own.shown else "this run"
        ax.set_title(f"{letter}, {whose}: {len(source)} of {len(own.chosen.rows)} networks")
        curves = {
            name: mean_roc([r.predictions for r in records], COVID)
            for name, records in source.items()
        }
        alike = comparable(source) if own.shown else source
        areas = {name: _area(records) for name, records in source.items()}
        order = sorted(source, key=lambda name: (name in alike, areas[name]), reverse=True)
        for name in order[best:]:
            grey = {"color": "0.75", "linewidth": 1, "zorder": 1}
            ax.plot(curves[name]["fpr"], curves[name]["tpr"], **grey)
        chosen = {
            fill(name.removeprefix(f"{letter}: "), 20): [r.predictions for r in source[name]]
            for name in order[:best]
        }
        figures.roc_curves(ax, chosen, positive=COVID, resamples=200)
    return of_this_run


def _area(records: Sequence[Record]) -> float:
    """Return the mean AUC of COVID-19 against the rest on test images."""
    tables = [against_rest(record.predictions, COVID) for record in records]
    return float(np.mean([score(table, "auc")[0] for table in tables]))


def roc_table(runs: Results) -> PlainTable:
    """Return the AUC of COVID-19 against the rest of every recorded row, as Figure 6 has it."""
    lines: dict[str, dict[str, str]] = {}
    for letter in SETS:
        for label, records in on(runs, letter).shown.items():
            tables = [against_rest(record.predictions, COVID) for record in records]
            area = intervals(tables, ["auc"])["auc"]
            name = label.removeprefix(f"{letter}: ")
            lines.setdefault(name, {})[letter] = format_interval(area)
    names = [row.label.partition(": ")[2] for row in on(runs, "A").chosen.rows]
    frame = pd.DataFrame.from_dict(lines, orient="index", columns=list(SETS))
    note = (
        "Recorded AUC of COVID-19 against the rest, mean over folds with a 95% interval over "
        "patients and folds; n: folds."
    )
    return PlainTable(frame.reindex([name for name in names if name in lines]), note)


def own_rate_table(runs: Results) -> ComparisonTable:
    """Return MAG-SD and ResNet50 at the paper's rate, and rivals at larger rates of their own."""
    note = "Set A. MAG-SD and ResNet50 are the trainings of Table 3; the rivals' rates are larger."
    return runs.table(METRICS["A"], note=note)


def own_rates(runs: Results) -> dict[str, str]:
    """Tell the rivals with rates of their own, their recorded accuracy, and which still guess."""
    own = runs.only(lambda cell: cell["variant"] == "own_rate")
    names = {label: model for label, model, _ in RIVALS if model in OWN_RATES}
    told = []
    for label, model in names.items():
        (row,) = own.labels(model=model)
        records = runs.shown.get(row, [])
        score = NOT_YET
        if records:
            accuracy = np.mean([record.metrics["accuracy"] for record in records])
            score = f"{accuracy:.3f} ({len(records)} of {FOLDS} folds)"
        told.append(f"{label} at {OWN_RATES[model]:g}: {score}")
    return {
        "own_names": ", ".join(names),
        "own_rates": "; ".join(told),
        "own_guessing": guessing(own),
    }
