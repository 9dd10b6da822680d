"""What the pages on magsd's Tables 3 to 8 share (``notebooks/magsd``)."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from covidlib import figures
from covidlib.book import Page
from covidlib.pages import results
from covidlib.pages.results import NOT_YET, Results
from covidlib.plans.magsd_runs import FOLDS
from covidlib.published import PaperValue, claimed_value, paper_value
from covidlib.runs.folds import counted
from covidlib.runs.record import Record
from covidlib.runs.recorded import PROFILES
from covidlib.tables import ComparisonTable, Row, comparison_table, left_open

# On the two classes of A the paper's SEN is no sensitivity and its SPC no specificity (see the
# audit), so there they are not compared. Its F1 is the mean over classes on all three sets.
METRICS = {
    "A": ("accuracy", "f1_macro", "auc"),
    "B": ("accuracy", "sensitivity", "specificity", "f1_macro", "auc"),
    "C": ("accuracy", "sensitivity", "specificity", "f1_macro", "auc"),
}
PRINTED = {"f1_macro": "f1"}
# AUCs are drawn in Figure 6; those of MAG-SD stand in sec. 4.4.1.
AUCS = {"A": "magsd-P01", "B": "magsd-P02", "C": "magsd-P03"}
NOTE = (
    "Shares in [0, 1]. Recorded: mean over folds with a 95% interval over patients and folds; "
    "n: folds. Paper: mean over five folds and its ±. Rows with MAG-SD's own settings are the same "
    "trainings in Tables 3 to 8."
)
PART = (
    " Rows without all folds get no verdict: their mean is over other test images, and one fold's "
    "interval is over its patients alone."
)


def small(cell: Mapping[str, str]) -> bool:
    """Say which rows a page trains in seconds: those on A."""
    return cell["dataset"] == "A"


def gather(page: Page, topic: str, chosen: Callable[[Mapping[str, str]], bool] = small) -> Results:
    """Return the runs of one plan; see ``covidlib.pages.results.gather``."""
    return results.gather(page, f"magsd/{topic}", chosen)


def on(runs: Results, letter: str) -> Results:
    """Return the rows on one data set."""
    return runs.only(lambda cell: cell["dataset"] == letter)


def table(runs: Results, letter: str) -> ComparisonTable:
    """Return paper, recorded, this run and verdict of the rows on one data set."""
    number = int(runs.chosen.table.split("_table")[1])
    rows = []
    for row in on(runs, letter).chosen.rows:
        known = runs.known.get(row.label, ())
        rows.append(
            Row(
                row.label.removeprefix(f"{letter}: "),
                _printed(number, dict(row.cell), METRICS[letter]),
                known,
                runs.done.get(row.label, ()),
                link=results.record_link("magsd", known),
            )
        )
    partly = [row.name for row in rows if row.recorded and not whole(row.recorded)]
    note = f"Data set {letter}. {NOTE}{PART if partly else ''}"
    return left_open(comparison_table(rows, METRICS[letter], note=note), partly)


def whole(records: Sequence[Record]) -> bool:
    """Say whether runs are of all folds of their cross-validation."""
    folds, of = counted(records)
    return folds == of


def _printed(number: int, cell: dict[str, str], metrics: Sequence[str]) -> dict[str, PaperValue]:
    """Return the paper's numbers of a row; none for a row of ours, and the AUC of MAG-SD alone."""
    if cell.get("variant") == "none":
        return {}
    found = {
        metric: paper_value("magsd", number, PRINTED.get(metric, metric), **cell)
        for metric in metrics
        if metric != "auc"
    }
    if cell["model"] == "magsd" and "variant" not in cell:
        found["auc"] = claimed_value("magsd", AUCS[cell["dataset"]])
    return found


def draw_forests(axes: Sequence[Axes], tables: Mapping[str, ComparisonTable]) -> None:
    """Draw the accuracy of every row: paper, recorded, this run; a panel per data set.

    Rows without all folds say how many they have.
    """
    for ax, (letter, found) in zip(axes, tables.items(), strict=True):
        figures.forest(ax, found, "accuracy").set_title(f"data set {letter}")
        recorded = found.frame.xs("accuracy", level="metric")["recorded"]
        for place, one in enumerate(list(recorded)[::-1]):
            if one is not None and one.runs < FOLDS:
                ax.annotate(
                    f"n={one.runs}", (one.value, place), (0, 5), textcoords="offset points",
                    ha="center", fontsize=7,
                )  # fmt: skip
        ax.set_xlim(min(0.5, ax.get_xlim()[0]), 1.01)  # or the paper's own rows fill the panel
        if ax.get_subplotspec().get_gridspec().ncols > 1:
            figures.legend_below(ax, ncols=1)  # a row of entries runs into the next panel


def sentences(runs: Results, tables: Mapping[str, ComparisonTable]) -> dict[str, float | int | str]:
    """Return the numbers of a page's first box."""
    return runs.sentences(*tables.values()) | {
        "leader": leader(runs),
        "whole_rows": sum(map(whole, runs.shown.values())),
        "guessing": guessing(runs),
        "budget": budget(runs),
    }


def guessing(runs: Results) -> str:
    """Name the recorded rows whose accuracy is not above that of always naming one class.

    That is the class with most images among those that are tested, the mean over the same folds.
    """
    told = []
    for label, records in runs.shown.items():
        shares = [record.test["label"].value_counts(normalize=True).max() for record in records]
        accuracy = np.mean([record.metrics["accuracy"] for record in records])
        if accuracy <= np.mean(shares) + 1e-9:  # equal counts may round differently
            letter, name = label.split(": ", 1)
            told.append(f"“{name}” on {letter} ({accuracy:.3f}; {len(records)} of {FOLDS} folds)")
    return "; ".join(told) if told else "no row" if runs.shown else NOT_YET


def budget(runs: Results) -> str:
    """Say at what size and how long recorded runs trained on each set."""
    told: dict[str, list[str]] = {}
    for letter in METRICS:
        known = (r for records in on(runs, letter).shown.values() for r in records)
        told.setdefault(results.budget(known), []).append(letter)
    parts = (f"{own} on {' and '.join(letters)}" for own, letters in told.items() if own)
    return "; ".join(parts) or NOT_YET


def comparable(shown: Mapping[str, Sequence[Record]]) -> dict[str, Sequence[Record]]:
    """Return the rows with the most folds, of the larger profile: means over the same images."""
    kinds = {
        label: (-PROFILES.index(records[0].provenance["profile"]), len(records))
        for label, records in shown.items()
    }
    best = max(kinds.values(), default=None)
    return {label: records for label, records in shown.items() if kinds[label] == best}


def leader(runs: Results, letter: str = "A") -> str:
    """Name the row with the highest recorded accuracy on a data set, and what it is compared with.

    Rows of fewer folds than others are not compared; see ``comparable``.
    """
    alike = comparable(on(runs, letter).shown)
    if not alike:
        return NOT_YET
    if len(alike) == 1:
        return "one row alone is recorded on as many folds"
    means = {
        label: float(np.mean([record.metrics["accuracy"] for record in records]))
        for label, records in alike.items()
    }
    best = max(means, key=means.__getitem__)
    folds = len(alike[best])
    of = f"of {len(alike)} rows with {folds} fold{'s' * (folds > 1)} each"
    return f"“{best.removeprefix(f'{letter}: ')}” ({means[best]:.3f}, {of})"
