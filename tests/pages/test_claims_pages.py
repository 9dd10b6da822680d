"""Every qualitative claim has one block, one anchor and one of four verdicts."""

import math
from collections import Counter
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
import pytest
from bs4 import BeautifulSoup

from covidlib.claims import VERDICTS, Claim, ledger, ledgers
from covidlib.evaluation.effects import Effect, smallest_seen
from covidlib.pages import claims as parts
from covidlib.pages.claims_blocks import MARKS, blocks, glance
from covidlib.published import PAPERS, claims

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
SEEN = smallest_seen(1, math.inf, 3)  # of three tests, over the standard error
EFFECT = Effect(
    0.05, 0.01, 0.09, 0.0312, 0.04 / SEEN, units=2, runs=6, images=203, each=(0.02, 0.08),
    test="t over <repeats>", records=("msatl/a-run", "msatl/leep_scores/a.json"),
)  # fmt: skip


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The ledgers of a library without any recorded run."""
    return ledgers(tmp_path_factory.mktemp("nothing"))


@pytest.fixture(scope="module")
def tested():
    """A ledger with three effects: visible, far beyond what is drawn, and without a printed one."""
    made = (
        ("01", EFFECT, {"printed": 0.02, "page": "overall", "note": "a < b"}),
        ("02", replace(EFFECT, value=-0.3, low=-0.4, high=-0.2), {"printed": 0.06}),
        ("03", replace(EFFECT, low=-0.02, p_value=0.2), {}),
    )
    claims = [Claim(f"msatl-Q{n}", f"it <{n}>", lambda _, e=e: e, **o) for n, e, o in made]
    return ledger("msatl", claims, Path("nowhere"))


def soup(html):
    return BeautifulSoup(html._repr_html_(), "html.parser")


def test_every_claim_has_one_block_on_one_page(whole):
    listed = claims()["id"]
    wanted = {name.lower() for name in listed[listed.str.contains("-Q")]}
    anchors = Counter(
        section["id"] for paper in PAPERS for section in soup(blocks(whole[paper]))("section")
    )
    assert set(anchors) == wanted and len(wanted) == 67
    assert set(anchors.values()) == {1}


def test_the_pages_show_the_blocks_of_their_paper():
    for paper in PAPERS:
        script = (NOTEBOOKS / paper / "claims.py").read_text()
        assert "blocks(found)" in script
        assert f'EXPERIMENTS["{paper}"]' in script


def test_the_overview_counts_what_the_pages_show(whole):
    table = parts.counts(whole)
    for paper, frame in whole.items():
        shown = Counter(cells[0].text for cells in _verdicts(soup(glance(frame))))
        assert {name: shown[f"{MARKS[name]}{name}"] for name in VERDICTS} == {
            name: table.loc[paper, name] for name in VERDICTS
        }
    assert table.loc["all"].tolist() == table.drop("all").sum().tolist()
    assert (table["claims"] == table[list(VERDICTS)].sum(axis=1)).all()
    told = parts.sentences(whole)
    assert sum(told[name.replace(" ", "_")] for name in VERDICTS) == told["claims"] == 67


def _verdicts(page):
    return [row.find_all("td") for row in page.tbody.find_all("tr")]


def test_verdicts_are_a_closed_set(whole):
    assert set(MARKS) == set(VERDICTS) and len(set(MARKS.values())) == 4
    assert set(pd.concat(whole.values())["verdict"]) <= set(VERDICTS)


def test_links_lead_to_blocks_and_to_pages(whole):
    page = soup(parts.directory(whole))
    assert len(page.tbody.find_all("tr")) == 67
    anchors = {
        f"../{paper}/claims.html#{section['id']}"
        for paper in PAPERS
        for section in soup(blocks(whole[paper]))("section")
    }
    for first, second in ((a["href"] for a in row("a")) for row in page.tbody("tr")):
        assert first in anchors
        paper, _, name = second.removeprefix("../").partition("/")
        assert (NOTEBOOKS / paper / name).with_suffix(".py").is_file()
    for frame in whole.values():
        inside = {a["href"] for a in soup(glance(frame))("a")}
        assert inside == {f"#{name.lower()}" for name in frame.index}


def test_a_block_tells_effect_test_size_and_records(tested):
    block = soup(blocks(tested)).find(id="msatl-q01")
    facts = dict(zip((t.text for t in block("dt")), block("dd"), strict=True))
    assert block.h3.text == "Q01: it <01>" and facts["to know"].text == "a < b"
    assert facts["effect"].text == "+0.050 [+0.010, +0.090], 95% interval"
    assert facts["test"].text == "t over <repeats>: p 0.031, after Holm over 3 claims 0.094"
    assert facts["could see"].text.startswith("0.040 or more")
    assert facts["units"].text == "2, on their own +0.020, +0.080"
    assert facts["paper's own"].text == "+0.020, in its printed numbers of the same rows"
    assert facts["size"].text == "6 trainings per side, pre-training included, 203 test images"
    assert facts["would take"].text.startswith("up to 4 times as many")  # printed is half of it
    assert [a["href"] for a in facts["computed from"]("a")] == [
        "../../results/msatl/a-run/record.json",
        "../../results/msatl/leep_scores/a.json",
    ]
    waiting = soup(blocks(tested)).find(id="msatl-q05")
    assert "computed from" not in waiting.text and "effect" not in waiting.text


def test_a_block_does_not_take_the_rows_that_are_asked_for_for_recorded_ones(whole):
    page = soup(blocks(whole["msatl"]))
    facts = page.find(id="msatl-q02")("dd")
    assert facts[1].text == "AUC, on 6 rows of msatl/overall, as far as their runs are recorded"
    assert "6 of its 6 rows" in facts[2].text


def test_effects_stand_in_multiples_of_what_their_test_could_see(tested):
    found = parts.effects({"msatl": tested})
    assert found.loc["msatl-Q01", ["value", "low", "printed"]].tolist() == pytest.approx(
        [1.25, 0.25, 0.5]
    )
    told = parts.sentences({"msatl": tested})
    assert (told["measured"], told["asked"], told["seeing"]) == (3, 2, 1)
    assert told["which_supported"] == "none" and told["which_not_supported"] == "msatl-Q02"


def test_the_figure_names_what_lies_beyond_its_edge(tested):
    fig, ax = plt.subplots()
    parts.draw_effects(ax, {"msatl": tested})
    assert [text.get_text() for text in ax.texts] == ["at -7.5"]
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["Q01 ◐", "Q02 ▼", "Q03 ◐"]
    plt.close(fig)


def test_a_figure_without_effects_says_so(whole):
    fig, ax = plt.subplots()
    parts.draw_effects(ax, whole)
    assert [text.get_text() for text in ax.texts] == ["not recorded yet"]
    plt.close(fig)
