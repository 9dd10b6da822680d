"""Does a score of a stage foretell the fine-tuned result? (``notebooks/msatl/leep_scores.py``)."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from covidlib.book import Page
from covidlib.data_page import PlainTable
from covidlib.evaluation import score
from covidlib.evaluation.ranks import top_k
from covidlib.pages.leep_scores import NETWORKS, STAGES
from covidlib.pages.results import NOT_YET
from covidlib.plans import plan
from covidlib.runs.record import Record
from covidlib.runs.recorded import recorded
from covidlib.stage_scores import StageScores, by_network
from covidlib.transferability import FROM_FEATURES, chance_tau, weighted_tau

TUNED, UNPRINTED, SOURCE = "msatl/ablation", "msatl/unprinted", "msatl/supervised_transfer"
TOP = "top-1 of the source task"
Network = tuple[str, str]
FEW = 3  # networks, at least, that can be put in an order


def agreement(page: Page, known: Sequence[StageScores], stages: str = "stl_n") -> PlainTable:
    """Return how well each score orders the networks by their AUC after fine-tuning.

    Args:
        page: where the runs are recorded.
        known: recorded scores.
        stages: "stl_n", tuned in the rows "w STL-N" of Table 5; or "stl_n+stl_m", tuned in rows
            that the paper does not print.
    """
    both = stages == "stl_n+stl_m"
    tuned = _unprinted(page) if both else _recorded(TUNED, page)
    source = {} if both else _recorded(SOURCE, page)
    truth = {n: np.mean([score(r.test, "auc").value for r in runs]) for n, runs in tuned.items()}
    top = {n: np.mean([top_k(r.predictions, 1) for r in runs]) for n, runs in source.items()}
    scores = {n: s[stages][0] for n, s in by_network(known).items() if stages in s}
    return compare(scores, truth, top, STAGES[stages])


def compare(
    scores: Mapping[Network, StageScores],
    truth: Mapping[Network, float],
    top: Mapping[Network, float],
    after: str = "STL-N",
) -> PlainTable:
    """Set scores, and what needs no score, beside the fine-tuned AUC.

    Args:
        scores: of the stage of each network.
        truth: its AUC after fine-tuning.
        top: its top-1 on the source task, shown where every network has one.
        after: the stage, in words.
    """
    both = [n for n in NETWORKS if n in truth and n in scores]
    caption = (
        f"Over {len(both)} networks after {after}. Weighted τ: 1 for the same order. By chance: "
        "the share of all orders of so many networks that reach it. The last lines need no score."
    )
    if len(both) < FEW:
        return PlainTable(pd.DataFrame({"weighted τ": [NOT_YET]}, index=["all scores"]), caption)
    columns = {
        name: [scores[n].scores[name].value for n in both]
        for name in ("LEEP", "NCE", *FROM_FEATURES, "parameters")
    }
    if all(n in top for n in both):
        columns[TOP] = [top[n] for n in both]
    wanted = [truth[n] for n in both]
    rows = {name: _line(values, wanted) for name, values in columns.items()}
    return PlainTable(pd.DataFrame.from_dict(rows, orient="index"), caption)


def _line(values: Sequence[float], truth: Sequence[float]) -> dict[str, str | None]:
    tau = weighted_tau(values, truth)
    even = np.ptp(values) == 0
    return {
        "weighted τ": f"{tau:+.2f}",
        "by chance": f"{(chance_tau(len(truth)) >= tau - 1e-9).mean():.0%}",
        "Pearson": None if even else f"{np.corrcoef(values, truth)[0, 1]:+.2f}",
    }


def _unprinted(page: Page) -> dict[Network, list[Record]]:
    """Return the recorded runs after both supervised stages, without self-supervision."""
    runs = recorded(UNPRINTED, page.recorded)
    found = {key: runs.get(f"{name} w STL-N w STL-M", []) for key, name in NETWORKS.items()}
    return {key: records for key, records in found.items() if records}


def _recorded(name: str, page: Page) -> dict[Network, list[Record]]:
    """Return the recorded runs of rows after STL-N, by model and variant."""
    cells = {row.label: dict(row.cell) for row in plan(name, "smoke", phantoms=True).rows}
    return {
        (cells[label]["model"], cells[label]["variant"]): runs
        for label, runs in recorded(name, page.recorded).items()
        if runs and cells[label]["stages"] == "stl_n"
    }
