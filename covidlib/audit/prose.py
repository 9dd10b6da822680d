"""Numbers in the papers' sentences, recomputed from the papers' tables."""

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

import pandas as pd

from covidlib.audit.improvements import SUFFIX
from covidlib.audit.rounding import EXACT, decimal, follows, half_width
from covidlib.published import claims, paper_value, published

METRIC = re.compile(r"(accuracy|f1|auc)_extra_transfer_gain")
SSL_CLAIM = re.compile(r"Proposed SSL beats (moco|simclr) .* the three (r50|r101) networks")
GAIN_CLAIM = re.compile(
    r"Extra (?:transfer gain of|gain from (stl_n|stl_m) alone of) (r\d+) (attn\d)"
)
BOTH_CLAIM = re.compile(r"After full transfer, (1 ATTN|5 ATTNs) beats? the baseline")
OWN_CLAIM = re.compile(r"Accuracy gain of (r50|r101) (\w+) from full transfer")
# Claims that quote one cell of magsd Table 3: model, data set.
QUOTED = {
    "magsd-P04": ("magsd", "A"), "magsd-P05": ("magsd", "B"), "magsd-P06": ("magsd", "C"),
    "magsd-P07": ("bcnn", "A"), "magsd-P08": ("bcnn", "B"), "magsd-P09": ("bcnn", "C"),
    "magsd-P10": ("bcnn_attention", "A"), "magsd-P11": ("bcnn_attention", "B"),
}  # fmt: skip


@dataclass(frozen=True)
class Term:
    """A sum of printed cells, and how far their rounding may have moved it.

    Args:
        value: exact, from the printed digits.
        slack: half of the last digits, added up.
        cells: how it reads, "93.9 - 84.7".
    """

    value: Fraction
    slack: Fraction
    cells: str

    def __sub__(self, other: "Term") -> "Term":
        text = f"({self.cells}) - ({other.cells})" if " " in other.cells else None
        text = text or f"{self.cells} - {other.cells}"
        return Term(self.value - other.value, self.slack + other.slack, text)


def _cell(paper: str, table: int, metric: str, **where: str) -> Term:
    printed = paper_value(paper, table, metric, **where).printed
    return Term(Fraction(decimal(printed)), half_width(printed), printed)


def _mean(terms: list[Term]) -> Term:
    count = len(terms)
    text = "mean of " + ", ".join(term.cells for term in terms)
    total, slack = sum(t.value for t in terms), sum(t.slack for t in terms)
    return Term(Fraction(total) / count, Fraction(slack) / count, text)


def _msatl(claim: pd.Series) -> Term | None:
    """Compute what a numeric sentence of msatl should say; None if no table speaks to it."""
    statement = claim["statement"]
    if found := BOTH_CLAIM.match(statement):
        variant = {"1 ATTN": "attn1", "5 ATTNs": "attn5"}[found[1]]
        pairs = [(m, "accuracy") for m in ("r50", "r101")]
        ends = [[_cell("msatl", 2, e, model=m, variant=v) for m, e in pairs]
                for v in (variant, "baseline")]  # fmt: skip
        return _mean([a - b for a, b in zip(*ends, strict=True)])
    if found := SSL_CLAIM.match(statement):
        ssl, model = found.groups()
        return _mean(
            [
                _cell("msatl", 3, "accuracy", model=model, variant=v, ssl="ours")
                - _cell("msatl", 3, "accuracy", model=model, variant=v, ssl=ssl)
                for v in ("baseline", "attn1", "attn5")
            ]
        )
    if found := OWN_CLAIM.match(statement):
        return _gain("accuracy", "full", found[1], found[2])
    if found := GAIN_CLAIM.match(statement):
        stages, model, variant = found.groups()
        metric = METRIC.fullmatch(claim["metric"])[1]
        return _gain(metric, stages or "full", model, variant) - _gain(
            metric, stages or "full", model, "baseline"
        )
    return None


def _gain(metric: str, stages: str, model: str, variant: str) -> Term:
    """Return what a network gains over its untransferred self, from the value cells."""
    table = 4 if stages == "full" else 5
    where = {"model": model, "variant": variant}
    after = _cell("msatl", table, metric, stages=stages, **where)
    return after - _cell("msatl", table, metric, stages="none", **where)


def from_improvement_cells(claim: pd.Series) -> str:
    """Return what the printed improvement cells give for an extra gain; "" for other claims.

    A sentence that was written from a wrong improvement cell agrees here and not with the values.
    """
    found = GAIN_CLAIM.match(claim["statement"])
    if not found:
        return ""
    stages, model, variant = found.groups()
    metric = METRIC.fullmatch(claim["metric"])[1] + SUFFIX
    table, stages = (5, stages) if stages else (4, "full")
    cells = [
        decimal(paper_value("msatl", table, metric, model=model, variant=v, stages=stages).printed)
        for v in (variant, "baseline")
    ]
    return str(cells[0] - cells[1])


def _manet(identifier: str) -> Term | None:
    frame = published("manet", 2)
    averages = frame[frame["trial"] == "average"].set_index("model")["value"]
    trials = frame[frame["trial"] != "average"].set_index(["model", "trial"])["value"]
    costs = published("manet", 3).query("metric == 'time_increase'")
    # The claims are about mask attention; CBAM's increases are in the same column.
    increases = costs.loc[costs["model"].str.endswith("_ma"), "value"]
    if identifier == "manet-P07":
        pairs = [k for k in trials.index if k[0].endswith("_ma")]
        wins = sum(decimal(trials[k]) > decimal(trials[k[0][:-3], k[1]]) for k in pairs)
        return Term(Fraction(wins), Fraction(0), f"{len(pairs)} pairs of trials")
    chosen = {
        "manet-P05": (max, averages),
        "manet-P06": (max, trials),
        "manet-P08": (min, increases),
        "manet-P09": (max, increases),
    }
    if identifier not in chosen:
        return None
    extreme, values = chosen[identifier]
    printed = extreme(values, key=decimal)
    return Term(Fraction(decimal(printed)), half_width(printed), printed)


def _term(claim: pd.Series) -> Term | None:
    if claim["paper"] == "msatl":
        return _msatl(claim)
    if claim["paper"] == "manet":
        return _manet(claim["id"])
    if claim["id"] not in QUOTED:
        return None
    model, dataset = QUOTED[claim["id"]]
    return _cell("magsd", 3, claim["metric"], model=model, dataset=dataset)


def prose() -> pd.DataFrame:
    """Recompute every number in a sentence that follows from a table of the same paper.

    Returns:
        Index: claim. Columns paper, where, statement, printed, cells, computed (Fraction), off
        (printed minus computed, float), improvements (what the improvement cells give, text),
        verdict.
    """
    return _prose().copy()


@cache
def _prose() -> pd.DataFrame:
    rows = {}
    everything = claims()
    for _, claim in everything[everything["id"].str.contains("-P")].iterrows():
        term = _term(claim)
        if term is None:
            continue
        printed = claim["value"]
        rows[claim["id"]] = {
            "paper": claim["paper"],
            "where": claim["where"],
            "statement": claim["statement"],
            "printed": printed,
            "cells": term.cells,
            "computed": term.value,
            "off": float(Fraction(decimal(printed)) - term.value),
            "improvements": from_improvement_cells(claim),
            "verdict": follows(printed, term.value, term.slack),
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def wrong_sentences() -> pd.DataFrame:
    """Return the sentences that do not agree with their tables to the printed digit."""
    found = prose()
    return found[found["verdict"] != EXACT]
