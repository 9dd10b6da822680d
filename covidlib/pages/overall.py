"""All six networks after all stages (``notebooks/msatl/overall.py``)."""

from collections.abc import Mapping

from covidlib.claims.claim import FEWEST, per_side
from covidlib.claims.experiments import printed_mean
from covidlib.claims.msatl import ATTENTIVE, CLAIMS, MODELS, VARIANTS
from covidlib.data_page import PlainTable
from covidlib.pages.results import Results, effect, format_effect, paired_table, printed

NAME = "msatl/overall"


def small(cell: Mapping[str, str]) -> bool:
    """Say which rows a page trains in seconds: the two networks of Figure 4."""
    return cell["model"] == "r50" and cell["variant"] in ("baseline", "attn5")


def comparisons(runs: Results) -> PlainTable:
    """Compare attention with the plain network, and the deeper backbone with the other."""
    name = {(m, v): runs.labels(model=m, variant=v)[0] for m in MODELS for v in VARIANTS}
    lines = {}
    for model in MODELS:
        base = name[model, "baseline"]
        for variant in ATTENTIVE:
            other = name[model, variant]
            lines[f"{other} against {base}"] = [[(1, other), (-1, base)]]
    for variant in VARIANTS:
        deep, base = name["r101", variant], name["r50", variant]
        lines[f"{deep} against {base}"] = [[(1, deep), (-1, base)]]
    return paired_table(runs.known, lines)


def sentences(runs: Results) -> dict[str, float | str]:
    """Return what attention adds to the AUC, mean over both variants and the backbones."""
    units = attention_units(runs, ("full",))
    return {
        "attention": told(runs, units),
        "attention_printed": printed_auc(runs, units, "msatl-Q02"),
        "backbones": backbones(units),
    }


def printed_auc(runs: Results, units: list[list[tuple[float, str]]], claim: str) -> float:
    """Return the same mean over units in the paper's AUCs; without units, that of a claim."""
    if not units:
        return next(one.printed for one in CLAIMS if one.id == claim)
    rows = {row.label: row for row in runs.chosen.rows}
    return printed_mean(
        units, lambda label: printed(runs.chosen, rows[label], ("auc",))["auc"].value, 0.0
    )


def backbones(units: list[list[tuple[float, str]]]) -> str:
    """Name the backbones of ``attention_units``; both where none is recorded.

    >>> backbones([[(1.0, "R-50 5 ATTNs w TL"), (-1.0, "R-50 baseline w TL")]])
    'R-50'
    """
    names = [unit[0][1].split()[0] for unit in units]
    return " and ".join(names or [model.upper().replace("R", "R-") for model in MODELS])


def attention_units(runs: Results, stages: tuple[str, ...]) -> list[list[tuple[float, str]]]:
    """Return attention minus plain per backbone, at one stage, or at a second minus a first.

    Backbones whose rows are not all recorded are left out.
    """
    units = []
    for model in MODELS:
        unit = []
        for sign, used in zip((-1, 1)[-len(stages) :], stages, strict=True):
            for variant, weight in (("attn1", 0.5), ("attn5", 0.5), ("baseline", -1.0)):
                found = runs.labels(model=model, variant=variant, stages=used)
                unit += [(sign * weight, label) for label in found[:1]]
        if unit and all(label in runs.shown for _, label in unit):
            units.append(unit)
    return units


def told(runs: Results, units: list[list[tuple[float, str]]]) -> str:
    """Write the AUC effect of some units, or that there is none yet."""
    found = effect(runs.known, units, "auc")
    if isinstance(found, str):
        return found
    if found.runs < FEWEST:
        return f"{format_effect(found)} ({per_side(found.runs)}, which decides nothing)"
    return f"{format_effect(found)} (p = {found.p_value:.3f}; {per_side(found.runs)})"
