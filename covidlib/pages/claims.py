"""Every claim and its verdict (``notebooks/across/claims.py``)."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from covidlib.claims import EXPERIMENTS, NO_EXPERIMENT, VERDICTS
from covidlib.data_page import PlainTable
from covidlib.evaluation.contrasts import Effect
from covidlib.pages.results import format_effect
from covidlib.tables import STYLE

MARKS = {"supported": "●", "not supported": "▼", "inconclusive": "◐", "not testable here": "○"}
# Sentences wrap, unlike the cells of other tables of the book.
WRAP = """
.claims-table table.dataframe td:is(:nth-child(3), :last-child) { white-space: normal;
  min-width: 13rem; max-width: 20rem; }
.claims-table table.dataframe th.row_heading, .claims-table table.dataframe tbody th {
  white-space: nowrap; position: sticky; left: 0; }
"""


@dataclass(frozen=True, repr=False)
class ClaimsTable(PlainTable):
    """A table of statements and verdicts whose sentences wrap."""

    def _repr_html_(self) -> str:
        html = (
            super()._repr_html_().replace('class="paper-table"', 'class="paper-table claims-table"')
        )
        return html.replace(STYLE, STYLE + WRAP, 1)


def overview(ledgers: Mapping[str, pd.DataFrame]) -> PlainTable:
    """Count the verdicts of every paper."""
    rows = {}
    for paper, frame in ledgers.items():
        found = frame["verdict"].value_counts()
        rows[paper] = {"claims": len(frame)} | {
            name: int(found.get(name, 0)) for name in (*VERDICTS, NO_EXPERIMENT)
        }
    frame = pd.DataFrame(rows).T
    frame.loc["all"] = frame.sum()
    return PlainTable(frame, "Qualitative claims of each paper by verdict.")


def table(frame: pd.DataFrame) -> ClaimsTable:
    """Return one paper's claims: statement, effect, the paper's, p, what can be found, verdict."""
    rows = {}
    for name, line in frame.iterrows():
        effect, printed = line["effect"], line["printed"]
        row = {"verdict": f"{MARKS.get(line['verdict'], '·')} {line['verdict']}"}
        row |= {"claim": f"{line['statement']} ({line['where']})", "paper": None, "effect": None}
        row |= {"p": None, "finds": None, "networks, runs": None}
        if pd.notna(printed):
            row["paper"] = f"{printed:+.3f}"
        if isinstance(effect, Effect):
            row |= {
                "effect": f"{line['measure']} {format_effect(effect)}",
                "p": f"{line['p_value']:.3f}",
                "finds": f"{effect.smallest:.3f}",
                "networks, runs": f"{effect.units}, {effect.runs}",
            }
        row["why, and what to know"] = ". ".join(
            text[0].upper() + text[1:].rstrip(".")
            for text in (line["reason"], line["note"])
            if text
        )
        rows[name] = row
    note = (
        "Effect: above 0 agrees with the claim; 95% interval. Paper: the same effect in its own "
        "numbers. p after Holm over the paper's tested claims. Finds: the effect that such an "
        "experiment detects in four of five cases."
    )
    return ClaimsTable(pd.DataFrame.from_dict(rows, orient="index"), note)


def sentences(ledgers: Mapping[str, pd.DataFrame]) -> dict[str, int]:
    """Return the numbers of the page's sentences."""
    every = pd.concat(ledgers.values())["verdict"]
    told = {name.replace(" ", "_"): int((every == name).sum()) for name in VERDICTS}
    return told | {
        "claims": len(every),
        "waiting": int((every == NO_EXPERIMENT).sum()),
        "papers": len(EXPERIMENTS),
        "msatl_tested": int(ledgers["msatl"]["effect"].notna().sum()),
    }
