"""STL-N, STL-M and Table 1 (``notebooks/msatl/supervised_transfer.py``)."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes

from covidlib import figures
from covidlib.book import Page
from covidlib.evaluation.ranks import TOP, top_difference, top_interval
from covidlib.pages.results import Results, gather, nothing, record_link
from covidlib.pages.stage_sources import CHAINS, medical, stages
from covidlib.plans import plan
from covidlib.published import paper_values
from covidlib.runs.executor import execute
from covidlib.runs.record import Record
from covidlib.runs.recorded import recorded
from covidlib.runs.store import Store
from covidlib.tables import ComparisonTable, Row, comparison_table, format_interval, left_open
from covidlib.training.data import training_data
from covidlib.verdicts import Measured

NAME = "msatl/supervised_transfer"
IMAGENET = "imagenet"
NOTE = (
    "Shares in [0, 1] with Wilson's 95% intervals over images. A number of other images than "
    "ImageNet's says nothing about the paper's, so its verdict stays open."
)
GAINS = (
    "Each network minus its backbone without attention, on the same images, with 95% intervals "
    "over images. Other images than ImageNet's leave the verdict open."
)

Runs = Mapping[str, Sequence[Record]]


def this_run(page: Page) -> Results:
    """Train, or find, STL-N of the six networks, and read the recorded ones."""
    return gather(page, NAME)


def this_run_medical(page: Page) -> dict[str, list[Record]]:
    """Train, or find, STL-M after STL-N: of R-50 alone in "smoke", else of its family."""
    rows = medical(page.profile, page.phantom)[: 1 if page.profile == "smoke" else 3]
    specs = [spec for row in rows for spec in row.specs]
    found = execute(specs, Store(page.store), page.root, profile=page.profile)
    return {row.label: [found[spec.key] for spec in row.specs] for row in rows}


def recorded_medical(page: Page) -> dict[str, list[Record]]:
    """Return the recorded STL-M after STL-N of every network."""
    wanted = {row.label for row in medical("laptop", False)}
    known = recorded(CHAINS, page.recorded)
    return {label: records for label, records in known.items() if label in wanted}


def table(done: Runs, known: Runs) -> ComparisonTable:
    """Return Table 1: top-1 and top-5, paper, recorded, this run, verdict."""
    rows = [
        Row(
            row.label,
            paper_values("msatl", 1, list(TOP), **dict(row.cell)),
            _measured(known.get(row.label, [])),
            _measured(done.get(row.label, [])),
            link=record_link("msatl", known.get(row.label, [])),
        )
        for row in plan(NAME, "smoke", phantoms=True).rows
    ]
    return _judged(comparison_table(rows, list(TOP), note=NOTE), known)


def gains_table(done: Runs, known: Runs) -> ComparisonTable:
    """Return what attention adds to a backbone's top-1 and top-5: the column "improv."."""
    rows, plain = [], ""
    for row in plan(NAME, "smoke", phantoms=True).rows:
        cell = dict(row.cell)
        if cell["variant"] == "baseline":
            plain = row.label  # the rows of its backbone follow it
            continue
        printed = paper_values("msatl", 1, [f"{name}_improvement" for name in TOP], **cell)
        paper = {name.removesuffix("_improvement"): value for name, value in printed.items()}
        rows.append(
            Row(row.label, paper, *(_gain(runs, plain, row.label) for runs in (known, done)))
        )
    return _judged(comparison_table(rows, list(TOP), note=GAINS), known)


def _judged(found: ComparisonTable, known: Runs) -> ComparisonTable:
    """Leave the verdicts open on rows whose recorded runs saw other images than ImageNet."""
    elsewhere = [label for label, records in known.items() if not _on_imagenet(records)]
    return left_open(found, elsewhere)


def _measured(records: Sequence[Record]) -> Measured | tuple[()]:
    if not records:
        return ()
    seen = [record.predictions for record in records]
    intervals = {name: top_interval(seen, k) for name, k in TOP.items()}
    return Measured(intervals, tuple(record.provenance for record in records))


def _gain(runs: Runs, first: str, second: str) -> Measured | tuple[()]:
    """Return the second network minus the first, of one run each; nothing where one is missing."""
    pair = [runs.get(first, []), runs.get(second, [])]
    if not all(pair):
        return ()
    one, two = (records[0] for records in pair)
    found = {name: top_difference(one.predictions, two.predictions, k) for name, k in TOP.items()}
    return Measured(found, (one.provenance, two.provenance))


def _on_imagenet(records: Sequence[Record]) -> bool:
    return bool(records) and all(r.provenance["data"] == IMAGENET for r in records)


def draw_curves(axes: Sequence[Axes], known: Runs, done: Runs, column: str, label: str) -> None:
    """Draw one column of the curves, recorded (left) and of this run (right)."""
    names = [row for row, found in known.items() if found or done.get(row)]
    for ax, name, runs in zip(axes, ("recorded", "this run"), (known, done), strict=True):
        curves = {row: [r.curve for r in found] for row, found in runs.items() if found}
        if curves:
            figures.training_curves(ax, curves, column, label=label, names=names)
        else:
            nothing(ax)
        ax.set_title(name)


def sentences(page: Page, runs: Results, *tables: ComparisonTable) -> dict[str, float | int | str]:
    """Return the numbers and words of the page's sentences, of STL-N's runs and their tables."""
    known = runs.known
    natural, xray = (training_data(spec.data, page.root) for spec in stages(page))
    recorded_rows = sum(bool(records) for records in known.values())
    best = "No network is recorded yet, so no verdict is possible"
    if recorded_rows:
        values = {
            label: top_interval([r.predictions for r in records], 1)
            for label, records in known.items()
            if records
        }
        top = max(values, key=lambda label: values[label].value)
        name = next(iter(known[top])).provenance["data"]
        told = "has the highest top-1," if len(values) > 1 else "alone, top-1"
        best = f"Recorded on {name}: {top} {told} {format_interval(values[top])}"
        if not _on_imagenet(known[top]):
            best += "; these are not ImageNet's images, so every verdict stays open"
    return runs.sentences(*tables, prefix="stl_") | {
        "stl_best": best,
        "stl_natural_images": len(natural.rows("train")),
        "stl_natural_classes": len(natural.classes),
        "stl_medical_images": len(xray.rows("train")),
        "stl_medical_classes": len(xray.classes),
    }
