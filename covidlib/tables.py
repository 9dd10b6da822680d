"""Tables of the book: paper | recorded | this run | verdict, one line per row and metric."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from html import escape

import numpy as np
import pandas as pd
from pandas.io.formats.style import Styler

from covidlib.errors import DataError
from covidlib.evaluation import METRICS, Interval
from covidlib.published import PaperValue
from covidlib.verdicts import EXACT, NOT_TESTABLE, VERDICTS, Measured, Run, measure, verdict

COLUMNS = ("paper", "recorded", "this run", "verdict")
NOTHING = "–"
SYMBOLS = {"reproduced": "●", "below": "▼", "above": "▲", NOT_TESTABLE: "○"}
NOTE = "Shares in [0, 1] with 95% intervals over patients and runs; n: runs."
PHANTOM_NOTE = " This run: phantoms, drawn by the library, not data."


def run_title(phantom: bool) -> str:
    """Return what tables and figures call the runs of a page itself."""
    return "this run (phantoms)" if phantom else "this run"


# Wide tables scroll inside their frame, under a first column that stays; theme colours, so that
# the dark theme works. The selectors outweigh those of the notebook theme.
STYLE = """
.paper-table { overflow-x: auto; margin: 1rem 0; }
.paper-table table.dataframe { display: table; table-layout: auto; width: max-content;
  min-width: 100%; margin: 0; border-collapse: separate; border-spacing: 0; font-size: 0.8rem;
  font-variant-numeric: tabular-nums; }
.paper-table table.dataframe caption { caption-side: bottom; text-align: left; font-size: 0.8rem;
  position: sticky; left: 0; max-width: min(40rem, 84vw); padding-top: 0.4rem;
  background: var(--pst-color-background, #fff); }
.paper-table table.dataframe :is(th, td) { text-align: left; vertical-align: top;
  white-space: nowrap; padding: 0.35rem 0.45rem; max-width: none; line-height: 1.3;
  border: 0; border-bottom: 1px solid var(--pst-color-border, #ccc);
  background: var(--pst-color-background, #fff); color: var(--pst-color-text-base, #222); }
.paper-table table.dataframe :is(th.level0.row_heading, thead th:first-child) {
  position: sticky; left: 0; z-index: 1; white-space: normal; max-width: 7rem; }
.paper-table th.level1.row_heading { font-weight: normal; }
.paper-table small { display: block; opacity: 0.85; font-size: 0.75rem; }
.paper-table .phantom-badge { border: 1px solid currentColor; border-radius: 3px; padding: 0 0.3em;
  font-size: 0.75rem; font-weight: 700; }
.paper-table .verdict-mark { display: inline-block; width: 1.2em; }
.paper-table table.dataframe td:last-child { white-space: normal; min-width: 6.5rem;
  max-width: 7rem; }
.paper-table.facts table.dataframe :is(td, thead th) { white-space: normal; max-width: 11rem; }
@media (min-width: 601px) {
  .paper-table.facts table.dataframe { width: auto; }
  .paper-table.facts table.dataframe :is(td, thead th) { max-width: 18rem; }
  .paper-table.facts table.dataframe td { min-width: 4rem; }
}
.paper-table.scrolls::before { content: "scroll sideways for all columns"; font-size: 0.75rem;
  position: sticky; left: 0; }
@media (max-width: 600px) {
  .paper-table table.dataframe { font-size: 0.75rem; }
  .paper-table table.dataframe :is(th, td) { padding: 0.3rem 0.25rem; }
  .paper-table table.dataframe :is(th.level0.row_heading, thead th:first-child) {
    max-width: 5.2rem; overflow-wrap: anywhere; }
}
"""


@dataclass(frozen=True)
class Row:
    """One row of a table: a model, what the paper prints for it, and our runs of it.

    Args:
        name: as the reader sees it.
        paper: printed numbers by metric; see ``covidlib.published.paper_values``.
        recorded: finished runs on acquired images, or what was measured on them.
        this_run: what the notebook just ran, on whatever it ran it.
        link: address of the record.
    """

    name: str
    paper: Mapping[str, PaperValue] = field(default_factory=dict)
    recorded: Sequence[Run] | Measured = ()
    this_run: Sequence[Run] | Measured = ()
    link: str | None = None


@dataclass(frozen=True)
class ComparisonTable:
    """A table that a notebook shows as HTML.

    Args:
        frame: index (row, metric); columns paper (PaperValue or None), recorded and this run
            (Interval or None), verdict ("" where the paper prints nothing), profile (of the
            recorded runs), phantom (whether this run saw drawn images), link (or None).
        note: what the reader has to know about the numbers.
    """

    frame: pd.DataFrame
    note: str = NOTE

    def text(self) -> pd.DataFrame:
        """Return the four columns as plain text."""
        shown = pd.DataFrame(index=self.frame.index, columns=list(COLUMNS), dtype=object)
        for key, row in self.frame.iterrows():
            this_run = format_interval(row["this run"])
            shown.loc[key] = [
                NOTHING if row["paper"] is None else str(row["paper"]),
                format_interval(row["recorded"]),
                f"phantoms: {this_run}" if row["phantom"] else this_run,
                row["verdict"] or NOTHING,
            ]
        return shown

    def styler(self) -> Styler:
        """Return the table as a pandas Styler; its cells are HTML, its names are escaped."""
        cells = [_cells(row) for _, row in self.frame.iterrows()]
        shown = pd.DataFrame(cells, index=self.frame.index, columns=list(COLUMNS))
        digest = hashlib.sha256(repr(cells).encode()).hexdigest()[:10]
        drawn = self.frame["phantom"].any()
        caption = self.note + (PHANTOM_NOTE if drawn else scored_note(self.frame))
        return (
            Styler(shown, uuid=digest, cell_ids=False)
            .format_index(escape="html", axis=0)
            .hide(names=True)
            .set_caption(caption)
            .set_table_attributes('class="dataframe"')
        )

    def _repr_html_(self) -> str:
        table = self.styler().to_html()
        frame = '<div class="paper-table" role="region" aria-label="results" tabindex="0">'
        return f"<style>{STYLE}</style>\n{frame}\n{table}\n</div>"

    def __repr__(self) -> str:
        return self.text().to_string()


def scored_note(frame: pd.DataFrame) -> str:
    """Return a sentence on how many images were scored, where this run saw others than recorded.

    A small profile scores a part of the images, and its interval alone does not tell a reader so.
    """
    here, known = (
        {i.images for i in frame[side] if i is not None and i.images and i.reason != EXACT}
        for side in ("this run", "recorded")
    )
    if not here or here == known:
        return ""
    words = [" to ".join(str(n) for n in sorted({min(s), max(s)})) for s in (here, known) if s]
    return f" Images scored: {words[0]} in this run{', recorded ' + words[1] if known else ''}."


def left_open(table: ComparisonTable, names: Collection[str]) -> ComparisonTable:
    """Return a table without a verdict on some rows, whose recorded runs are not the paper's."""
    judged = table.frame["verdict"] != ""
    rows = np.array([name in names for name, _ in table.frame.index])
    verdicts = table.frame["verdict"].mask(rows & judged, NOT_TESTABLE)
    return replace(table, frame=table.frame.assign(verdict=verdicts))


def comparison_table(
    rows: Sequence[Row],
    metrics: Sequence[str] = ("accuracy", "f1", "auc"),
    split: str = "test",
    note: str = NOTE,
    **options: int,
) -> ComparisonTable:
    """Set paper, records and this run side by side, each number with interval and verdict.

    Records of the "smoke" profile or of phantoms are not shown as recorded and never earn a
    verdict. Exact numbers of this run earn one; see ``covidlib.verdicts.exact``.

    Args:
        rows: one per model, in order.
        metrics: names of ``covidlib.evaluation.METRICS``, or of what the rows have measured.
        split: which rows of the predictions count.
        note: replaces the table's note on shares and intervals.
        **options: ``resamples`` and ``seed`` of the bootstrap.

    Raises:
        DataError: two rows have one name, a run is given twice, or a row mixes profiles.
    """
    names = [row.name for row in rows]
    if len(set(names)) < len(names):
        raise DataError(f"two rows have the same name among {names}")
    lines = []
    for row in rows:
        recorded, this_run = (
            _measured(runs, metrics, split, options) for runs in (row.recorded, row.this_run)
        )
        for metric in metrics:
            lines.append(_line(row, metric, recorded, this_run))
    title = {m: METRICS[m].title if m in METRICS else m.replace("_", " ") for m in metrics}
    index = pd.MultiIndex.from_tuples(
        [(name, title[m]) for name in names for m in metrics], names=["model", "metric"]
    )
    columns = ["paper", "recorded", "this run", "verdict", "profile", "phantom", "link"]
    return ComparisonTable(pd.DataFrame(lines, index=index, columns=columns, dtype=object), note)


def _measured(
    runs: Sequence[Run] | Measured, metrics: Sequence[str], split: str, options: Mapping[str, int]
) -> Measured | None:
    if isinstance(runs, Measured):
        return runs
    return measure(runs, metrics, split, **options) if runs else None


def _line(row: Row, metric: str, recorded: Measured | None, this_run: Measured | None) -> dict:
    counted = recorded is not None and recorded.counts
    ours = recorded.intervals.get(metric) if counted else None
    printed = row.paper.get(metric)
    judged = (ours, counted)
    if this_run is not None and this_run.exact:
        judged = (this_run.intervals.get(metric), True)
    return {
        "paper": printed,
        "recorded": ours,
        "this run": this_run.intervals.get(metric) if this_run else None,
        "verdict": "" if printed is None else verdict(printed, *judged),
        "profile": recorded.profile if counted else "",
        "phantom": this_run is not None and this_run.phantom,
        "link": row.link if counted else None,
    }


def format_interval(interval: Interval | None) -> str:
    """Write a number with its interval and how many runs it is the mean of.

    >>> format_interval(Interval(0.8533, 0.8012, 0.8991, runs=3, images=203, std=0.012))
    '0.853 [0.80, 0.90] (n=3)'
    >>> format_interval(None)
    '–'
    """
    if interval is None:
        return NOTHING
    if np.isnan(interval.value):
        return f"undefined: {interval.reason}"
    if interval.reason == EXACT:
        return f"{interval.value:.3f}"
    bounds = f" [{interval.low:.2f}, {interval.high:.2f}]"
    shown = "" if np.isnan([interval.low, interval.high]).any() else bounds
    return f"{interval.value:.3f}{shown} (n={interval.runs})"


def _cells(row: pd.Series) -> list[str]:
    notes = [_spread(row["recorded"]), escape(row["profile"])]
    if row["link"]:
        name = "record" if row["recorded"].runs == 1 else "first record"
        notes.append(f'<a href="{escape(row["link"], quote=True)}">{name}</a>')
    printed = NOTHING if row["paper"] is None else escape(str(row["paper"]))
    badge = '<span class="phantom-badge">phantoms</span>' if row["phantom"] else ""
    this_run = _cell(row["this run"], [badge, _spread(row["this run"])])
    mark = SYMBOLS.get(row["verdict"], "")
    shown = (
        f'<span class="verdict-mark" aria-hidden="true">{mark}</span>{row["verdict"] or NOTHING}'
    )
    return [printed, _cell(row["recorded"], notes), this_run, shown]


def _cell(interval: Interval | None, notes: Sequence[str]) -> str:
    lines = " · ".join(note for note in notes if note)
    small = f"<small>{lines}</small>" if lines and interval is not None else ""
    return escape(format_interval(interval)) + small


def _spread(interval: Interval | None) -> str:
    """Write the spread over runs; one run has none."""
    if interval is None or np.isnan(interval.std):
        return ""
    return f"± {interval.std:.3f}"


def verdict_counts(*tables: ComparisonTable) -> pd.Series:
    """Count the verdicts of one or more tables, every kind listed, in order."""
    found = [v for table in tables for v in table.frame["verdict"]]
    return pd.Series({name: found.count(name) for name in VERDICTS}, name="verdicts", dtype=int)
