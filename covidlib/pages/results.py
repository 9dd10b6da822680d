"""What every page of results shows: runs, tables, figures, paired tests, and what they cost."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes

from covidlib import figures
from covidlib.book import Page
from covidlib.data import findings
from covidlib.data_page import PlainTable
from covidlib.errors import DataError
from covidlib.evaluation import holm
from covidlib.evaluation.contrasts import Effect
from covidlib.plans import Plan, plan
from covidlib.plans import Row as PlanRow
from covidlib.published import PaperValue, paper_value
from covidlib.runs.executor import distinct, execute
from covidlib.runs.record import Record, recorded_folder
from covidlib.runs.recorded import PROFILES, contrast_of, recorded
from covidlib.runs.store import Store
from covidlib.tables import PHANTOM_NOTE, ComparisonTable, Row, comparison_table, verdict_counts

METRICS = ("accuracy", "f1", "auc")
NOT_YET = "not recorded yet"
FLOORS = ("grey statistics", "size and shape")

Runs = Mapping[str, Sequence[Record]]
Labels = Sequence[tuple[float, str]]  # weights and rows whose sum is one number


@dataclass(frozen=True)
class Results:
    """The rows of one plan with their runs.

    Args:
        chosen: the plan.
        done: this run's records by row; rows that a small profile leaves out have none.
        known: the recorded ones.
        folder: ``book/results``.
    """

    chosen: Plan
    done: Runs
    known: Runs
    folder: Path

    def only(self, keep: Callable[[Mapping[str, str]], bool]) -> "Results":
        """Return the rows whose cell passes."""
        rows = tuple(row for row in self.chosen.rows if keep(dict(row.cell)))
        return replace(self, chosen=replace(self.chosen, rows=rows))

    def labels(self, **cell: str) -> list[str]:
        """Return the rows whose cell has these values."""
        return [row.label for row in self.chosen.rows if cell.items() <= dict(row.cell).items()]

    @property
    def shown(self) -> dict[str, list[Record]]:
        """The recorded runs of rows that have some."""
        kept = {row.label: self.known.get(row.label, []) for row in self.chosen.rows}
        return {label: list(records) for label, records in kept.items() if records}

    def table(self, metrics: Sequence[str] = METRICS, **options: object) -> ComparisonTable:
        """Return paper, recorded, this run and verdict of every row."""
        rows = [
            Row(
                row.label,
                printed(self.chosen, row, metrics),
                self.known.get(row.label, ()),
                self.done.get(row.label, ()),
                link=record_link(self.chosen.paper, self.known.get(row.label, ())),
            )
            for row in self.chosen.rows
        ]
        return comparison_table(rows, metrics, **options)

    def tables(self, labels: Sequence[str]) -> dict[str, list[pd.DataFrame]]:
        """Return the recorded predictions of some rows, without rows that have none."""
        return {
            name: [r.predictions for r in self.shown[name]] for name in labels if name in self.shown
        }

    def spent(self) -> dict[str, float]:
        """Count the distinct recorded trainings, earlier stages included, and their minutes."""
        found: dict[str, Record] = {}
        wanted = {record.key for records in self.shown.values() for record in records}
        for profile in PROFILES:
            specs = plan(self.chosen.name, profile, phantoms=False).specs
            for group in distinct(spec for spec in specs if spec.key in wanted):
                for spec in group:
                    if folder := recorded_folder(self.folder, self.chosen.paper, spec.key):
                        found[spec.key] = Record(folder)
        seconds = sum(record.provenance["seconds"] for record in found.values())
        return {"trainings": len(found), "minutes": seconds / 60}

    def sentences(self, *tables: ComparisonTable, prefix: str = "") -> dict[str, float | int | str]:
        """Return what a page's first box says: verdicts, trainings, and how much is recorded."""
        verdicts = verdict_counts(*tables)
        told = self.spent() | {
            "cells": int(verdicts.sum()),
            "reproduced": int(verdicts["reproduced"]),
            "below": int(verdicts["below"]),
            "above": int(verdicts["above"]),
            "untested": int(verdicts["not testable here"]),
            "rows": len(self.chosen.rows),
            "recorded_rows": len(self.shown),
            "trained_rows": sum(bool(runs) for runs in self.done.values()),
        }
        return {prefix + name: value for name, value in told.items()}


def gather(
    page: Page, name: str, small: Callable[[Mapping[str, str]], bool] | None = None
) -> Results:
    """Train, or find, one run of every row, and read the recorded ones.

    Args:
        page: profile, images and store.
        name: of the plan, "paper/topic".
        small: which cells are trained in the "smoke" profile, where a page has seconds; all
            others keep their recorded runs.
    """
    chosen = plan(name, page.profile, phantoms=page.phantom, seeds=1)
    here = [
        row
        for row in chosen.rows
        if small is None or page.profile != "smoke" or small(dict(row.cell))
    ]
    specs = list({spec.key: spec for row in here for spec in row.specs}.values())
    found = execute(specs, Store(page.store), page.root, profile=page.profile)
    done = {row.label: [found[spec.key] for spec in row.specs] for row in here}
    return Results(chosen, done, recorded(name, page.recorded), page.recorded)


def budget(records: Iterable[Record]) -> str:
    """Say at what size and how long runs trained: "64 pixels for 30 epochs"; "" without runs."""
    sizes: dict[int, set[int]] = {}
    for training in (record.body["spec"]["training"] for record in records):
        sizes.setdefault(training["epochs"], set()).add(training["size"])
    return " and ".join(
        f"{' or '.join(map(str, sorted(own)))} pixels for {epochs} epochs"
        for epochs, own in sorted(sizes.items())
    )


def printed(chosen: Plan, row: PlanRow, metrics: Sequence[str]) -> dict[str, PaperValue]:
    """Return the paper's numbers of a row; none for a row that the paper does not have."""
    if not chosen.table or not row.cell:
        return {}
    paper, number = chosen.table.split("_table")
    found = {}
    for metric in metrics:
        try:
            found[metric] = paper_value(paper, int(number), metric, **dict(row.cell))
        except DataError:  # a row of ours, or a metric that the paper leaves out
            continue
    return found


def record_link(paper: str, records: Sequence[Record]) -> str | None:
    """Return where the book keeps the first record of a row, seen from the page."""
    return f"../../results/{paper}/{records[0].key}/record.json" if records else None


def phantom_note(records: Iterable[Record]) -> str:
    """Return the sentence for a caption where runs of a page saw drawn images; "" where not."""
    return PHANTOM_NOTE if any(record.phantom for record in records) else ""


def at_chance(table: ComparisonTable) -> str:
    """Name the rows of two classes whose recorded AUC has 0.5 in its interval."""
    areas = table.frame.xs("AUC", level="metric")["recorded"].dropna()
    found = [name for name, area in areas.items() if area.low <= 0.5 <= area.high]
    return ", ".join(found) or ("none" if len(areas) else NOT_YET)


def paired_table(known: Runs, lines: Mapping[str, Sequence[Labels]], **options: int) -> PlainTable:
    """Compare rows on the same test images: differences, or differences of differences.

    Intervals are over patients and runs, see ``covidlib.evaluation.contrasts``; p values are
    corrected by Holm over the table.

    Args:
        known: recorded runs by row.
        lines: by name, one or more weighted sums of rows, whose mean is the line's number.
        **options: ``resamples`` and ``seed``.
    """
    rows, chances = {}, {"AUC": {}, "accuracy": {}}
    for name, units in lines.items():
        effects = {m: effect(known, units, m.lower(), **options) for m in chances}
        if isinstance(reason := effects["AUC"], str):
            rows[name] = {"AUC": reason}
            continue
        for metric, found in effects.items():
            chances[metric][name] = found.p_value
            rows.setdefault(name, {})[metric] = format_effect(found)
        rows[name] |= {
            "finds, AUC": f"{effects['AUC'].smallest:.3f}",
            "runs": f"{effects['AUC'].runs}",
        }
    columns = ["AUC", "p, AUC", "finds, AUC", "accuracy", "p, accuracy", "runs"]
    frame = pd.DataFrame.from_dict(rows, orient="index").reindex(columns=columns)
    for metric, values in chances.items():
        frame[f"p, {metric}"] = adjusted(values, frame.index)
    note = (
        "Differences with 95% intervals over patients and runs; p after Holm. With one run on a "
        "side neither knows how much the seed matters, and p is too small; runs that share their "
        "pre-training count as one. Sides with more and fewer runs are compared by their means. "
        "Finds: the AUC difference that such a comparison detects in four of five cases."
    )
    return PlainTable(frame.rename_axis(None), note)


def adjusted(p_values: Mapping[str, float], names: Iterable[str]) -> list[str | None]:
    """Write p values after Holm, one per line of a table; None where nothing was tested."""
    found = holm(p_values)
    return [
        f"{found[name]:.3f}" if math.isfinite(found.get(name, math.nan)) else None for name in names
    ]


def effect(known: Runs, units: Sequence[Labels], metric: str, **options: float) -> Effect | str:
    """Return the mean of weighted sums of rows, or why it cannot be had."""
    names = {label for terms in units for _, label in terms}
    if not names or not all(known.get(label) for label in names):
        return NOT_YET
    if reason := mixed(record for label in names for record in known[label]):
        return reason
    sides = [[(weight, known[label]) for weight, label in terms] for terms in units]
    return contrast_of(sides, metric, **options)


def mixed(records: Iterable[Record]) -> str:
    """Return why runs cannot be compared, if they are of several profiles; else nothing."""
    profiles = sorted({record.provenance["profile"] for record in records})
    return f"recorded in {' and '.join(profiles)}: not one comparison" if profiles[1:] else ""


def format_effect(found: Effect) -> str:
    """Write an effect with its sign and its interval."""
    return f"{found.value:+.3f} [{found.low:+.3f}, {found.high:+.3f}]"


def draw_curves(axes: Sequence[Axes], results: Results, column: str = "loss") -> None:
    """Draw training curves of the recorded runs (left) and of this run (right)."""
    rows = [row.label for row in results.chosen.rows]
    names = [label for label in rows if results.shown.get(label) or results.done.get(label)]
    for ax, name, runs in zip(
        axes, ("recorded", "this run"), (results.shown, results.done), strict=True
    ):
        curves = {label: [r.curve for r in found] for label, found in runs.items() if found}
        if curves:
            figures.training_curves(ax, curves, column, names=names)
        else:
            nothing(ax)
        ax.set_title(name)


def draw_roc(ax: Axes, page: Page, models: Mapping[str, Sequence[pd.DataFrame]]) -> Axes:
    """Draw recorded ROC curves over two classifiers that know no anatomy."""
    floors = findings.read(page.recorded / "msatl" / "data").runs
    shown = {name: floors[name] for name in FLOORS}
    return figures.roc_curves(ax, models, floors=shown, resamples=300)


def nothing(ax: Axes, text: str = NOT_YET) -> Axes:
    """Say on an empty Axes why it is empty."""
    ax.set_axis_off()
    ax.text(0.5, 0.5, text, ha="center", va="center", transform=ax.transAxes, color="0.4")
    return ax
