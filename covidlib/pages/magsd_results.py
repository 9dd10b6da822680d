"""What the pages on magsd's Tables 3 to 8 share (``notebooks/magsd``)."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes

from covidlib import figures
from covidlib.book import Page
from covidlib.data_page import PlainTable
from covidlib.evaluation import confusion, mean_roc
from covidlib.evaluation.comparisons import Comparison, corrected_t
from covidlib.models.ma_net import MANetSettings
from covidlib.pages import results
from covidlib.pages.results import NOT_YET, Results
from covidlib.plans.magsd import PROPOSED, RIVALS
from covidlib.plans.magsd_runs import SETS
from covidlib.published import PaperValue, paper_value
from covidlib.runs.folds import fold_of, image_counts
from covidlib.runs.record import Record
from covidlib.tables import ComparisonTable, Row, comparison_table

# On the two classes of A the paper's SEN is no sensitivity and its SPC no specificity (see the
# audit), so there they are not compared. Its F1 is the mean over classes on all three sets.
METRICS = {
    "A": ("accuracy", "f1_macro", "auc"),
    "B": ("accuracy", "sensitivity", "specificity", "f1_macro", "auc"),
    "C": ("accuracy", "sensitivity", "specificity", "f1_macro", "auc"),
}
PRINTED = {"f1_macro": "f1"}
TESTED = {"accuracy": "accuracy", "auc": "AUC"}
COVID = "COVID-19"
NOTE = (
    "Shares in [0, 1]. Recorded: mean over folds with a 95% interval over patients and folds; "
    "n: folds. Paper: mean over five folds and its ±."
)


def small(cell: Mapping[str, str]) -> bool:
    """Say which rows a page trains in seconds: those on A."""
    return cell["dataset"] == "A"


# Rivals that train in a few seconds; VGG16's weights alone take half a gigabyte.
QUICK = ("magsd", "magsd_0aug", "resnet50", "resnet18", "covid_net", "bcnn_attention")


def small_rivals(cell: Mapping[str, str]) -> bool:
    """Say which rows of Table 3 a page trains in seconds."""
    return cell["dataset"] == "A" and cell["model"] in QUICK


def proposed_alone(cell: Mapping[str, str]) -> bool:
    """Say which rows of Table 3 are MAG-SD as proposed."""
    return cell["model"] == "magsd"


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
    return comparison_table(rows, METRICS[letter], note=f"Data set {letter}. {NOTE}")


def _printed(number: int, cell: dict[str, str], metrics: Sequence[str]) -> dict[str, PaperValue]:
    """Return the paper's numbers of a row; none for a row of ours, and no AUC, which is drawn."""
    if cell.get("variant") == "none":
        return {}
    return {
        metric: paper_value("magsd", number, PRINTED.get(metric, metric), **cell)
        for metric in metrics
        if metric != "auc"
    }


def draw_forests(axes: Sequence[Axes], tables: Mapping[str, ComparisonTable]) -> None:
    """Draw the accuracy of every row: paper, recorded, this run; a panel per data set."""
    for ax, (letter, found) in zip(axes, tables.items(), strict=True):
        figures.forest(ax, found, "accuracy").set_title(f"data set {letter}")
        ax.set_xlim(min(0.5, ax.get_xlim()[0]), 1.01)  # or the paper's own rows fill the panel
        if ax.get_subplotspec().get_gridspec().ncols > 1:
            figures.legend_below(ax, ncols=1)  # a row of entries runs into the next panel


def fold_test(first: Sequence[Record], second: Sequence[Record], metric: str) -> Comparison | str:
    """Test second minus first over the folds that both have (Nadeau and Bengio 2003).

    Args:
        first, second: recorded runs, one per fold.
        metric: a name in the records.

    Returns:
        The comparison, or why there is none.
    """
    one, two = ({fold_of(r): r for r in records} for records in (first, second))
    both = sorted(one.keys() & two.keys())
    if len(both) < 2:
        return NOT_YET if not both else "one fold: no test"
    gaps = [two[fold].metrics[metric] - one[fold].metrics[metric] for fold in both]
    return corrected_t(gaps, *image_counts([one[fold] for fold in both]))


def fold_tests(
    runs: Results, reference: str | Mapping[str, str], tested: Mapping[str, str] = TESTED
) -> PlainTable:
    """Compare every row with one of the same data set, fold by fold.

    Args:
        runs: of one plan.
        reference: name of the row, without the data set; or that of each row that is compared.
        tested: title of each metric that is compared.
    """
    lines: dict[str, dict[str, object]] = {}
    chances: dict[str, dict[str, float]] = {name: {} for name in tested.values()}
    alone = isinstance(reference, str)
    for row in runs.chosen.rows:
        letter, name = row.label.split(": ", 1)
        before = reference if alone else reference.get(name, name)
        if name == before:
            continue
        sides = [runs.known.get(f"{letter}: {n}", ()) for n in (before, name)]
        line: dict[str, object] = {}
        for metric, title in tested.items():
            found = fold_test(*sides, metric)
            if isinstance(found, str):
                line[title] = found
                continue
            line[title] = f"{found.difference:+.3f} [{found.low:+.3f}, {found.high:+.3f}]"
            line["folds"] = str(found.n)
            chances[title][row.label] = found.p_value
        lines[row.label] = line
    frame = pd.DataFrame.from_dict(lines, orient="index")
    for title, values in chances.items():
        frame[f"p, {title}"] = results.adjusted(values, frame.index)
    columns = [c for t in tested.values() for c in (t, f"p, {t}")]
    frame = frame.reindex(columns=[*columns, "folds"])
    other = f"“{reference}”" if alone else "the same network unchanged"
    note = (
        f"Each row minus {other}, recorded, over the folds that both have; 95% intervals and "
        "p values of the corrected t test for overlapping training sets (Nadeau and Bengio 2003), "
        "p after Holm."
    )
    return PlainTable(frame.rename_axis(None), note)


def smallest_p(tests: PlainTable, title: str = "accuracy") -> str:
    """Return the smallest corrected p value of a table of ``fold_tests``, as it stands there."""
    values = tests.frame[f"p, {title}"].dropna()
    return NOT_YET if values.empty else min(values, key=float)


def draw_confusions(axes: Sequence[Axes], runs: Results, name: str, known: bool) -> None:
    """Draw the confusion matrix of one row on A, B and C, summed over its folds.

    Args:
        axes: one per data set.
        runs: of one plan.
        name: of the row, without the data set.
        known: the recorded runs, or those of this run.
    """
    for ax, letter in zip(axes, SETS, strict=True):
        source = runs.known if known else runs.done
        records = source.get(f"{letter}: {name}", ())
        if not records:
            results.nothing(ax)
        else:
            counts = sum(confusion(record.predictions) for record in records)
            figures.confusion(ax, _shortened(counts))
        ax.set_title(f"data set {letter}")


def _shortened(counts: pd.DataFrame) -> pd.DataFrame:
    """Write class names over two lines, so that they fit under a cell."""
    names = {name: name.replace(" ", "\n") for name in counts.index}
    return counts.rename(index=names, columns=names)


def sentences(runs: Results, tables: Mapping[str, ComparisonTable]) -> dict[str, float | int | str]:
    """Return the numbers of a page's first box."""
    return runs.sentences(*tables.values()) | {"leader": leader(runs)}


def leader(runs: Results, letter: str = "A") -> str:
    """Name the row with the highest recorded accuracy on a data set, and the accuracy."""
    means = {
        label: float(np.mean([record.metrics["accuracy"] for record in records]))
        for label, records in on(runs, letter).shown.items()
    }
    if not means:
        return NOT_YET
    best = max(means, key=means.__getitem__)
    return f"{best.removeprefix(f'{letter}: ')} ({means[best]:.3f})"


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


def draw_rocs(axes: Sequence[Axes], runs: Results, best: int = 3) -> None:
    """Draw the ROC curves of every row, a panel per data set, the highest AUCs emphasised.

    Args:
        axes: one per data set.
        runs: recorded ones are drawn where there are any, otherwise those of this run.
        best: how many are emphasised.
    """
    for ax, letter in zip(axes, SETS, strict=True):
        own = on(runs, letter)
        done = {label: own.done.get(label, ()) for label in own.labels()}
        source = own.shown or {label: records for label, records in done.items() if records}
        if not source:
            results.nothing(ax).set_title(f"data set {letter}")
            continue
        ax.set_title(f"data set {letter}, {'recorded' if own.shown else 'this run'}")
        curves = {
            name: mean_roc([r.predictions for r in records], COVID)
            for name, records in source.items()
        }
        order = sorted(curves, key=lambda name: curves[name]["tpr"].mean(), reverse=True)
        for name in order[best:]:
            grey = {"color": "0.75", "linewidth": 1, "zorder": 1}
            ax.plot(curves[name]["fpr"], curves[name]["tpr"], **grey)
        chosen = {
            name.removeprefix(f"{letter}: "): [r.predictions for r in source[name]]
            for name in order[:best]
        }
        figures.roc_curves(ax, chosen, positive=COVID, resamples=200)


def proposed_table(runs: Results) -> ComparisonTable:
    """Return the proposed rows of Table 3 on all three sets in one table."""
    tables = []
    for letter in SETS:
        frame = table(runs, letter).frame
        own = frame[frame.index.get_level_values(0) == PROPOSED]
        tables.append(own.rename(index={PROPOSED: f"{PROPOSED} on {letter}"}, level=0))
    return ComparisonTable(pd.concat(tables), NOTE)


def distribution_sentences(runs: Results) -> dict[str, int | str]:
    """Return how many folds are recorded, and how often C's two pneumonias are confused."""
    known = {letter: runs.known.get(f"{letter}: {PROPOSED}", ()) for letter in SETS}
    told: dict[str, int | str] = {f"folds_{letter}": len(k) for letter, k in known.items()}
    if not known["C"]:
        return told | {"viral_bacterial": NOT_YET}
    counts = sum(confusion(record.predictions) for record in known["C"])
    errors = counts.to_numpy().sum() - np.trace(counts.to_numpy())
    pair = ("viral pneumonia", "bacterial pneumonia")
    mixed = counts.loc[pair[0], pair[1]] + counts.loc[pair[1], pair[0]]
    return told | {"viral_bacterial": f"{mixed} of {errors}"}
