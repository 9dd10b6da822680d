"""The claims of one paper, block by block (``notebooks/*/claims.py``)."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
import pandas as pd

from covidlib.claims import INCONCLUSIVE, NOT_SUPPORTED, NOT_TESTABLE, SUPPORTED
from covidlib.claims.claim import per_side
from covidlib.evaluation.contrasts import Effect
from covidlib.pages.results import format_effect
from covidlib.tables import STYLE

MARKS = {SUPPORTED: "●", NOT_SUPPORTED: "▼", INCONCLUSIVE: "◐", NOT_TESTABLE: "○"}
# Statements wrap, unlike the cells of other tables of the book, so that a phone shows all columns.
WRAP = """
.claims-table.paper-table table.dataframe { width: 100%; }
.claims-table.paper-table table.dataframe :is(th, td) { white-space: normal; font-weight: normal;
  max-width: none; min-width: 0; }
.claims-table.paper-table table.dataframe thead th { font-weight: 700; }
.claims-table.paper-table table.dataframe :is(th, td):first-child { min-width: 8.5rem; }
.claims-table.claims-counts table.dataframe :is(th, td):first-child { min-width: 0; }
.claims-table:not(.claims-counts)::before { content: none; }
@media (min-width: 601px) {
  .claims-glance.paper-table table.dataframe td { white-space: nowrap; }
}
.verdict-mark { display: inline-block; width: 1.3em; }
.claim { border-top: 1px solid var(--pst-color-border, #ccc); padding: 0.9rem 0 0.4rem;
  scroll-margin-top: 5rem; }
.text_html:has(> .claim) { background: var(--pst-color-background, #fff) !important; }
.claim { background: var(--pst-color-background, #fff); }
.claim, .claim h3 { color: var(--pst-color-text-base, #222); }
.claim a { color: var(--pst-color-link, #0072b2); }
.claim code { color: inherit; }
.claim:target { border-left: 0.3rem solid var(--pst-color-primary, #0072b2);
  padding-left: 0.7rem; }
.claim h3 { font-size: 1.05rem; margin: 0 0 0.5rem; }
.claim dl { display: grid; grid-template-columns: 8.5rem minmax(0, 1fr); gap: 0.15rem 0.8rem;
  margin: 0; font-size: 0.9rem; font-variant-numeric: tabular-nums; }
.claim dt { font-weight: 600; margin: 0; }
.claim dd { margin: 0; overflow-wrap: anywhere; }
.claim details { font-size: 0.8rem; }
.claim details ul { margin: 0.2rem 0 0; padding-left: 1.1rem; }
@media (max-width: 600px) {
  .claim dl { grid-template-columns: minmax(0, 1fr); gap: 0; }
  .claim dd { margin: 0 0 0.4rem; }
}
"""


@dataclass(frozen=True, repr=False)
class Html:
    """A piece of a page.

    Args:
        html: with every text escaped.
        text: the same for those who read the notebook without a browser.
    """

    html: str
    text: str = ""

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return self.text or re.sub(r"<[^>]+>", " ", self.html)


def anchor(name: str) -> str:
    """Return the anchor of a claim.

    >>> anchor("magsd-Q05")
    'magsd-q05'
    """
    return name.lower()


def link(address: str, text: str) -> str:
    """Return an HTML link."""
    return f'<a href="{escape(address, quote=True)}">{escape(text)}</a>'


def marked(verdict: str) -> str:
    """Return a verdict with its mark, which tells it from the others without colours."""
    return f'<span class="verdict-mark">{MARKS[verdict]}</span>{escape(verdict)}'


def framed(
    head: Sequence[str], body: Iterable[Sequence[str]], note: str, kind: str = "claims-counts"
) -> Html:
    """Return a table in the look of the book's others; cells are HTML, heads and note are text."""
    top = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    rows = "\n".join(
        f'<tr><th scope="row">{first}</th>{"".join(f"<td>{cell}</td>" for cell in rest)}</tr>'
        for first, *rest in body
    )
    frame = f'<div class="paper-table claims-table {kind}" role="region" aria-label="claims"'
    return Html(
        f'<style>{STYLE}{WRAP}</style>\n{frame} tabindex="0">\n<table class="dataframe">\n'
        f"<caption>{escape(note)}</caption>\n<thead><tr>{top}</tr></thead>\n"
        f"<tbody>\n{rows}\n</tbody>\n</table>\n</div>"
    )


def glance(frame: pd.DataFrame) -> Html:
    """Return one paper's claims in a line each, linked to their blocks."""
    body = []
    for name, line in frame.iterrows():
        effect, shown, chance = line["effect"], "–", "–"
        if isinstance(effect, Effect):
            shown, chance = format_effect(effect), _chance(line["p_value"])
        number = name.partition("-")[2]
        claim = f"{link('#' + anchor(name), number)} {escape(line['statement'])}"
        body.append([claim, marked(line["verdict"]), shown, escape(chance)])
    note = (
        "Effect: above 0 agrees with the claim; 95% interval. p: after Holm over the claims of the "
        "paper that have an effect, be it of a part. A number leads to the claim below."
    )
    return framed(["claim", "verdict", "effect", "p"], body, note, "claims-glance")


def blocks(frame: pd.DataFrame) -> Html:
    """Return one block per claim: what was asked, what came out, and from which records."""
    parts = [_block(str(name), line) for name, line in frame.iterrows()]
    return Html(f"<style>{WRAP}</style>\n" + "\n".join(parts))


def _block(name: str, line: pd.Series) -> str:
    facts = {"verdict": f"{marked(line['verdict'])}: {escape(line['reason'])}"}
    facts["experiment"] = _experiment(line)
    if isinstance(line["effect"], Effect):
        facts |= _numbers(line)
    if line["needs"]:
        facts["would take"] = _code(line["needs"])
    if line["note"]:
        facts["to know"] = escape(line["note"])
    facts["in the paper"] = escape(line["where"])
    facts["in this book"] = link(f"{line['page']}.html", line["page"].replace("_", " "))
    if line["records"]:
        facts["computed from"] = _records(line["records"])
    told = "\n".join(f"<dt>{key}</dt><dd>{value}</dd>" for key, value in facts.items())
    number = name.partition("-")[2]
    return (
        f'<section class="claim" id="{anchor(name)}">\n'
        f"<h3>{number}: {escape(line['statement'])}</h3>\n<dl>\n{told}\n</dl>\n</section>"
    )


def _experiment(line: pd.Series) -> str:
    """Say what is measured and on which rows of the paper's tables."""
    plans = Counter(plan for plan, _ in line["rows"])
    if plans:
        rows = " and ".join(f"{count} of {plan}" for plan, count in plans.items())
        noun = "row" if sum(plans.values()) == 1 else "rows"
        rows = rows.replace(" of ", f" {noun} of ", 1)
        return escape(f"{line['measure']}, on {rows}, as far as their runs are recorded")
    if line["measure"]:
        return escape(f"{line['measure']}, from what is kept beside the runs")
    if line["verdict"] == NOT_TESTABLE:
        return "none"
    return "a count" if line["records"] else "a count, of the networks as they are built"


def _numbers(line: pd.Series) -> dict[str, str]:
    """Return effect, test, size and what the test could see."""
    effect = line["effect"]
    told = {"effect": f"{format_effect(effect)}, 95% interval"}
    if line["printed"] is not None:
        told["paper's own"] = f"{line['printed']:+.3f}, in its printed numbers of the same rows"
    told["test"] = (
        f"{escape(effect.test)}: p {escape(_chance(effect.p_value))}, after Holm over "
        f"{effect.tests} claims {escape(_chance(line['p_value']))}"
    )
    if effect.units > 1:
        each = ", ".join(f"{value:+.3f}" for value in effect.each)
        told["units"] = f"{effect.units}, on their own {each}"
    images = f", {effect.images} test images" if effect.images else ""
    told["size"] = f"{per_side(effect.runs)}{images}"
    told["could see"] = (
        f"{effect.smallest:.3f} or more, in four of five such experiments among as many claims"
    )
    return told


def _chance(p_value: float) -> str:
    """Write a p value.

    >>> _chance(0.0312), _chance(0.0002)
    ('0.031', '< 0.001')
    """
    if np.isnan(p_value):
        return "not known"
    return "< 0.001" if p_value < 0.001 else f"{p_value:.3f}"


def _records(names: Sequence[str]) -> str:
    noun = "record" if len(names) == 1 else "records"
    items = "".join(f"<li>{link(f'../../results/{_file(name)}', name)}</li>" for name in names)
    told = f"{len(names)} {noun} in <code>book/results</code>"
    return f"<details><summary>{told}</summary><ul>{items}</ul></details>"


def _file(name: str) -> str:
    """Return the file behind a recorded run, or a kept file itself."""
    return name if name.endswith(".json") else f"{name}/record.json"


def _code(text: str) -> str:
    """Escape a sentence whose commands stand in backticks."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))
