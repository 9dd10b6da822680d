"""The columns "improv." of msatl's Tables 2, 4 and 5: differences of rows, beside the printed."""

from collections.abc import Callable, Mapping, Sequence

from covidlib.evaluation import Interval
from covidlib.pages.results import METRICS, Results, Runs, effect
from covidlib.published import paper_values
from covidlib.tables import ComparisonTable, Row, comparison_table
from covidlib.verdicts import Measured

NOTE = (
    "Differences of rows on the same test images, with 95% intervals over patients and runs; n: "
    "runs of the side that has fewest, where those with one pre-training count as one. An interval "
    "that holds 0 as well shows no improvement. Rows over themselves, a zero in print, are left "
    "out."
)
Cell = Mapping[str, str]


def over_plain(cell: Cell) -> Cell:
    """Return what Table 2 compares with: the same backbone without attention."""
    return {"model": cell["model"], "variant": "baseline"}


def over_scratch(cell: Cell) -> Cell:
    """Return what Tables 4 and 5 compare with: the same network without transfer."""
    return {"model": cell["model"], "variant": cell["variant"], "stages": "none"}


def improvements(
    runs: Results, other: Callable[[Cell], Cell], metrics: Sequence[str] = METRICS
) -> ComparisonTable:
    """Return the paper's improvements beside paired differences, each with a verdict.

    Args:
        runs: the rows of one table.
        other: from a row's cell to that of the row it is compared with.
        metrics: of the table.
    """
    _, number = runs.chosen.table.split("_table")
    rows = []
    for row in runs.chosen.rows:
        cell = dict(row.cell)
        (start,) = runs.labels(**other(cell))
        if start == row.label:
            continue
        printed = paper_values("msatl", int(number), [f"{m}_improvement" for m in metrics], **cell)
        paper = {name.removesuffix("_improvement"): value for name, value in printed.items()}
        sides = (_gain(kind, row.label, start, metrics) for kind in (runs.known, runs.done))
        rows.append(Row(row.label, paper, *sides))
    return comparison_table(rows, metrics, note=NOTE)


def _gain(known: Runs, label: str, start: str, metrics: Sequence[str]) -> Measured | tuple[()]:
    """Return a row minus the row it is compared with; nothing where one of them has no run."""
    found = {m: effect(known, [[(1.0, label), (-1.0, start)]], m) for m in metrics}
    if any(isinstance(one, str) for one in found.values()):
        return ()
    intervals = {
        m: Interval(one.value, one.low, one.high, one.runs, one.images) for m, one in found.items()
    }
    return Measured(intervals, tuple(r.provenance for n in (label, start) for r in known[n]))
