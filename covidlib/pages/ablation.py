"""What each supervised stage adds (``notebooks/msatl/ablation.py``)."""

from collections.abc import Mapping, Sequence

from covidlib.claims.msatl import VARIANTS
from covidlib.data_page import PlainTable
from covidlib.pages.overall import attention_units, told
from covidlib.pages.results import Results, effect, format_effect, paired_table
from covidlib.plans.msatl_target import NAMES
from covidlib.runs.record import Record

NAME, UNPRINTED = "msatl/ablation", "msatl/unprinted"
# Rows of the unprinted plan against rows that the paper prints: what each line asks.
QUESTIONS = {
    "X-rays after natural images add": ("w STL-N w STL-M", "w STL-N"),
    "self-supervision after both adds": ("w TL", "w STL-N w STL-M"),
    "self-supervision alone adds": ("w SSTL-M alone", "w/o TL"),
    "seeing all images in self-supervision adds": ("w TL, SSTL-M on all images", "w TL"),
}


def small(cell: Mapping[str, str]) -> bool:
    """Say which rows a page trains in seconds."""
    return cell.get("model") == "r50" and cell.get("variant") == "baseline"


def none(cell: Mapping[str, str]) -> bool:
    """Train nothing in seconds: self-supervision takes longer than a page has."""
    return False


def unprinted(table: Results, rest: Results, whole: Results) -> PlainTable:
    """Answer the questions that the paper's rows leave open, for the R-50 family.

    Args:
        table: rows of Table 5.
        rest: the rows that the paper does not print.
        whole: rows of Table 4, for the chain of all stages.
    """
    lines = {
        f"{name}: {question}": [pair]
        for question in QUESTIONS
        for name, pair in _pairs(question).items()
    }
    return paired_table(_known(table, rest, whole), lines)


def _known(*tables: Results) -> dict[str, list[Record]]:
    return {label: runs for table in tables for label, runs in table.known.items()}


def _pairs(question: str) -> dict[str, list[tuple[float, str]]]:
    """Return a question's row after minus row before, by network."""
    after, before = QUESTIONS[question]
    names = [f"R-50 {NAMES[variant]}" for variant in VARIANTS]
    return {name: [(1.0, f"{name} {after}"), (-1.0, f"{name} {before}")] for name in names}


def sentences(table: Results, rest: Results, whole: Results) -> dict[str, str]:
    """Return what attention adds to the gain of each stage, and what the unprinted rows answer."""
    known = _known(table, rest, whole)
    return {
        name: told(table, attention_units(table, ("none", stages)))
        for name, stages in (("natural", "stl_n"), ("medical", "stl_m"))
    } | {
        name: _answer(known, question)
        for name, question in zip(("first", "further", "alone", "all"), QUESTIONS, strict=True)
    }


def _answer(known: Mapping[str, Sequence[Record]], question: str) -> str:
    """Write the mean over the networks of which both rows are recorded."""
    units = [pair for pair in _pairs(question).values() if all(known.get(n) for _, n in pair)]
    found = effect(known, units, "auc")
    if isinstance(found, str):
        return found
    return f"{format_effect(found)}, {found.units} of {len(VARIANTS)} networks"
