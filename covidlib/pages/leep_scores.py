"""LEEP of the trained stages (``notebooks/msatl/leep_scores.py``)."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from covidlib import figures
from covidlib.book import Page
from covidlib.claims.msatl import CLAIMS
from covidlib.claims.stages import attention_gains, rising
from covidlib.data_page import PlainTable
from covidlib.evaluation import Interval
from covidlib.pages.leep_in_print import NETWORKS, STAGES
from covidlib.pages.overall import small
from covidlib.pages.results import NOT_YET, Results, format_effect, gather, nothing
from covidlib.plans import plan
from covidlib.plans.msatl_target import NAMES
from covidlib.published import paper_value
from covidlib.runs.recorded import recorded
from covidlib.runs.store import Store
from covidlib.stage_scores import PLAN, StageScores, by_network, score_plan, target_of
from covidlib.tables import ComparisonTable, Row, comparison_table, left_open, verdict_counts
from covidlib.transferability import FROM_FEATURES
from covidlib.transferability.leep import BASES
from covidlib.verdicts import Measured

BITS, NATS = "LEEP, bits", "LEEP, nats"
DEPTHS = {"r50": "R-50", "r101": "R-101"}
NOTE = (
    "LEEP on the training images of COVID19-CT with 95% intervals over patients. The paper's "
    "numbers are read as bits, the only unit in which they are possible. Without a verdict: rows "
    "without transfer, which the paper does not define, and those of networks whose STL-N learnt "
    "other classes than ImageNet's."
)
IMAGENET = 1000  # classes


def this_run(page: Page) -> list[StageScores]:
    """Train, or find, the stages, and score them."""
    gather(page, PLAN, small)
    whole = page.profile != "smoke"
    scores = score_plan(
        Store(page.store),
        target_of(page.profile, page.phantom),
        page.profile,
        page.root,
        keep=lambda cell, _: whole or small(cell),
        resamples=500 if whole else 50,
        seeds=1,
    )
    return list(scores)


def table(done: Sequence[StageScores], known: Sequence[StageScores]) -> ComparisonTable:
    """Return Table 6 in bits, and in nats for those who compute in them."""
    ours, theirs = by_network(known), by_network(done)
    rows, elsewhere = [], []
    for network, name in NETWORKS.items():
        for stages, words in STAGES.items():
            cell = {"model": network[0], "variant": network[1], "stages": stages}
            sides = [_measured(found.get(network, {}).get(stages)) for found in (ours, theirs)]
            value = {BITS: paper_value("msatl", 6, "leep", **cell)}
            rows.append(Row(f"{name}, {words}", value, *(side or () for side in sides)))
            own = ours.get(network, {})
            behind = [one for part in {stages, "stl_n"} for one in own.get(part, ())[:1]]
            if not all(map(_of_the_paper, behind)):
                elsewhere.append(rows[-1].name)
    return left_open(comparison_table(rows, (BITS, NATS), note=NOTE), elsewhere)


def _of_the_paper(found: StageScores) -> bool:
    """Say whether a stage is one that the paper defines, with as many classes as there."""
    return found.stages != "none" and (found.stages != "stl_n" or found.classes == IMAGENET)


def _measured(found: Sequence[StageScores] | None) -> Measured | None:
    """Return the first seed's LEEP in both units."""
    if not found:
        return None
    first, leep = found[0], found[0].scores["LEEP"]
    # A basic bootstrap may leave the range that LEEP has: between -H(Y) and 0.
    ends = np.clip([leep.value, leep.low, leep.high], first.bounds["-H(Y)"], 0)
    nats, bits = (
        Interval(*(float(end) / np.log(BASES[unit]) for end in ends), 1, leep.images)
        for unit in ("nats", "bits")
    )
    return Measured({BITS: bits, NATS: nats}, (first.provenance,))


def draw_lines(
    axes: Sequence[Axes],
    scores: Sequence[StageScores] | None,
    title: str,
    missing: str = NOT_YET,
) -> None:
    """Draw Figure 3, a panel per backbone.

    Args:
        axes: R-50's and R-101's.
        scores: measured ones; None draws the paper's.
        title: whose scores they are.
        missing: what an empty panel says.
    """
    found = None if scores is None else by_network(scores)
    for ax, (model, depth) in zip(axes, DEPTHS.items(), strict=True):
        lines = {
            name: [_point(found, (model, variant), stages) for stages in STAGES]
            for variant, name in NAMES.items()
        }
        if any(np.isfinite(point.value) for line in lines.values() for point in line):
            figures.steps(ax, lines, list(STAGES.values()), "LEEP, bits")
        else:
            nothing(ax, missing)
        ax.set_title(f"{depth}, {title}", pad=42, fontsize=12)


def _point(found: Mapping | None, network: tuple[str, str], stages: str) -> Interval:
    if found is None:
        value = paper_value("msatl", 6, "leep", model=network[0], variant=network[1], stages=stages)
        return Interval(value.value, value.value, value.value, 0, 0)
    measured = _measured(found.get(network, {}).get(stages))
    return Interval(np.nan, np.nan, np.nan, 0, 0) if measured is None else measured.intervals[BITS]


def relatives(scores: Sequence[StageScores], caption: str) -> PlainTable:
    """Return every score of every stage, beside its bounds and what shuffled labels give."""
    rows = {}
    for network, stages in by_network(scores).items():
        for name in STAGES:
            for one in stages.get(name, ())[:1]:
                rows[f"{NETWORKS[network]}, {STAGES[name]}"] = {
                    "classes": one.classes,
                    "LEEP": f"{one.scores['LEEP'].value:.3f}",
                    "labels shuffled": f"{one.shuffled:.3f}",
                    "−H(Y | Z)": f"{one.bounds['-H(Y | Z)']:.3f}",
                    "−H(Y)": f"{one.bounds['-H(Y)']:.3f}",
                    "accuracy": f"{one.scores['predictor'].value:.3f}",
                    "NCE": f"{one.scores['NCE'].value:.3f}",
                } | {other: f"{one.scores[other].value:.3f}" for other in FROM_FEATURES}
    if not rows:
        return PlainTable(pd.DataFrame({"scores": [NOT_YET]}, index=["all stages"]), caption)
    return PlainTable(pd.DataFrame(rows).T, f"{caption} LEEP, its bounds and NCE in nats.")


def sentences(
    page: Page,
    found: ComparisonTable,
    known: Sequence[StageScores],
    done: Sequence[StageScores],
) -> dict[str, object]:
    """Return the numbers of the page's sentences."""
    counts = verdict_counts(found)
    told = {}
    for name, experiment in (("rises", rising), ("attention", attention_gains)):
        measured = experiment(page.recorded)
        told[name] = measured if isinstance(measured, str) else format_effect(measured)
    claims = {claim.id: claim for claim in CLAIMS}
    chosen = plan(PLAN, "smoke", phantoms=True)
    scored = {one.key for one in known}  # a recorded stage may wait for its scores
    behind = {
        row: [record for record in records if record.key in scored]
        for row, records in recorded(PLAN, page.recorded).items()
    }
    stages = Results(chosen, {}, behind, page.recorded)
    return (
        told
        | stages.spent()
        | {
            "scored": max((one.scores["LEEP"].images for one in done), default=0),
            "stages": len(known),
            "cells": int(counts.sum()),
            "reproduced": int(counts["reproduced"]),
            "below": int(counts["below"]),
            "above": int(counts["above"]),
            "untested": int(counts["not testable here"]),
            "rises_printed": claims["msatl-Q15"].printed,
            "attention_printed": claims["msatl-Q14"].printed,
        }
    )
