"""What each supervised stage adds (``notebooks/msatl/ablation.py``)."""

from collections.abc import Mapping

from covidlib.claims.msatl import VARIANTS
from covidlib.data_page import PlainTable
from covidlib.pages.attention_benefit import NAMES
from covidlib.pages.overall import attention_units, told
from covidlib.pages.results import Results, paired_table

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
    known = {**table.known, **rest.known, **whole.known}
    lines = {}
    for question, (after, before) in QUESTIONS.items():
        for variant in VARIANTS:
            name = f"R-50 {NAMES[variant]}"
            pair = [(1.0, f"{name} {after}"), (-1.0, f"{name} {before}")]
            lines[f"{name}: {question}"] = [pair]
    return paired_table(known, lines)


def sentences(runs: Results) -> dict[str, str]:
    """Return what attention adds to the gain of each stage."""
    return {
        name: told(runs, attention_units(runs, ("none", stages)))
        for name, stages in (("natural", "stl_n"), ("medical", "stl_m"))
    }
