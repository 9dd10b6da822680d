import math
from dataclasses import replace
from pathlib import Path

import pytest

from covidlib.claims import (
    EXPERIMENTS,
    INCONCLUSIVE,
    NOT_SUPPORTED,
    NOT_TESTABLE,
    SUPPORTED,
    VERDICTS,
    Claim,
    Counted,
    Partly,
    judge,
    ledger,
    ledgers,
)
from covidlib.claims.claim import needed
from covidlib.errors import DataError
from covidlib.evaluation.contrasts import Effect
from covidlib.evaluation.effects import smallest_seen
from covidlib.published import claims

NOWHERE = Path("no results")
NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
SEEN = smallest_seen(1.0, math.inf)  # over the standard error
EFFECT = Effect(0.05, 0.01, 0.09, 0.01, 0.04 / SEEN, units=2, runs=6, images=203)


def claim(found, number="01", **options):
    return Claim(f"msatl-Q{number}", "it helps", lambda results: found, **options)


@pytest.mark.parametrize(
    ("change", "p_value", "verdict"),
    [
        ({}, 0.01, SUPPORTED),
        ({}, 0.06, INCONCLUSIVE),
        ({"value": -0.05, "low": -0.09, "high": -0.01}, 0.01, NOT_SUPPORTED),
        ({"low": -0.02, "high": 0.06}, 0.2, NOT_SUPPORTED),  # the printed 0.07 is excluded
        ({"low": 0.005, "high": 0.06}, 0.2, INCONCLUSIVE),  # but the sign is not in doubt
        ({"low": -0.02, "high": 0.06, "compared": 9}, 0.2, INCONCLUSIVE),  # 0.09 after Bonferroni
        ({"low": -0.02, "high": 0.06, "compared": 2}, 0.2, INCONCLUSIVE),  # 0.08
        ({"low": -0.02, "high": 0.08}, 0.2, INCONCLUSIVE),
        ({"runs": 2}, 0.001, INCONCLUSIVE),
    ],
)
def test_verdicts(change, p_value, verdict):
    found = replace(EFFECT, **change)
    assert judge(claim(found, printed=0.07), found, p_value)[0] == verdict


def test_the_papers_number_of_the_same_units_counts():
    found = replace(EFFECT, low=-0.02, high=0.06, printed=0.05)
    assert judge(claim(found, printed=0.07), found, 0.2)[0] == INCONCLUSIVE


def test_without_a_printed_effect_no_interval_excludes_it():
    found = replace(EFFECT, low=-0.02, high=0.0001)
    assert judge(claim(found), found, 0.2)[0] == INCONCLUSIVE


def test_what_is_only_necessary_never_supports_a_claim():
    made = claim(EFFECT, necessary=True)
    assert judge(made, EFFECT, 0.001)[0] == INCONCLUSIVE
    against = replace(EFFECT, value=-0.05, low=-0.09, high=-0.01)
    assert judge(made, against, 0.001)[0] == NOT_SUPPORTED


@pytest.mark.parametrize(
    ("holds", "verdict"), [(True, SUPPORTED), (False, NOT_SUPPORTED), (None, INCONCLUSIVE)]
)
def test_what_is_counted_needs_no_test(holds, verdict):
    found = Counted(holds, "counted: 0")
    assert judge(claim(found), found, float("nan")) == (verdict, "counted: 0")
    whole = ledger("msatl", [claim(found), claim(EFFECT, "02")], NOWHERE)
    assert whole.loc["msatl-Q01", ["verdict", "effect"]].tolist()[0] == verdict
    assert whole.loc["msatl-Q02", "p_value"] == EFFECT.p_value  # counts are no tests to correct


def test_p_values_are_corrected_over_the_claims_that_can_be_tested():
    tested = [claim(replace(EFFECT, p_value=0.02), f"0{i}") for i in (1, 2, 3)]
    found = ledger("msatl", [*tested, claim("no image", "04")], NOWHERE)
    assert found.loc["msatl-Q01", "p_value"] == pytest.approx(0.06)
    assert found.loc["msatl-Q01", "verdict"] == INCONCLUSIVE
    assert found.loc["msatl-Q04", ["verdict", "reason"]].tolist() == [NOT_TESTABLE, "no image"]
    assert found.loc["msatl-Q05", "verdict"] == NOT_TESTABLE
    assert "no experiment" in found.loc["msatl-Q05", "reason"]
    assert ledger("msatl", tested[:1], NOWHERE).loc["msatl-Q01", "verdict"] == SUPPORTED


def test_strangers_and_doubles_are_refused():
    with pytest.raises(DataError, match="no claim"):
        ledger("msatl", [claim(EFFECT, "99")], NOWHERE)
    with pytest.raises(DataError, match="two experiments"):
        ledger("msatl", [claim(EFFECT), claim(EFFECT)], NOWHERE)


def test_every_claim_of_every_paper_is_listed_and_says_what_it_needs(tmp_path):
    for paper, found in ledgers(tmp_path).items():
        listed = claims(paper)["id"]
        assert found.index.tolist() == listed[listed.str.contains("-Q")].tolist()
        assert {one.id for one in EXPERIMENTS[paper]} == set(found.index)
        assert set(found["verdict"]) <= set(VERDICTS)
        waiting = found[found["verdict"] == NOT_TESTABLE]
        assert (waiting["needs"].str.len() > 5).all()


def test_every_claim_names_a_page_of_its_paper():
    for paper, experiments in EXPERIMENTS.items():
        for one in experiments:
            assert (NOTEBOOKS / paper / f"{one.page}.py").is_file(), one.id


@pytest.mark.parametrize(
    ("change", "p_value", "needs"),
    [
        ({}, 0.01, ""),
        ({"runs": 2}, 0.01, "3 trainings"),
        (
            {"low": -0.02, "high": 0.08, "error": 0.21 / SEEN},
            0.2,
            "9 times as many",
        ),  # 0.21 is 3 * 0.07
        ({"low": -0.02, "high": 0.08, "error": 0.05 / SEEN}, 0.2, ""),
    ],
)
def test_what_an_inconclusive_claim_needs(change, p_value, needs):
    found = replace(EFFECT, **change)
    told = needed(claim(found, printed=0.07), found, p_value, NOWHERE)
    assert needs in told and bool(told) == bool(needs)


def test_what_is_tested_does_not_depend_on_what_it_gives():
    part = Partly("1 of 3 comparisons", (), (replace(EFFECT, p_value=0.001),))
    found = ledger("msatl", [claim(EFFECT), claim(part, "02"), claim("no", "03")], NOWHERE)
    assert (
        found.loc["msatl-Q02", "verdict"] == NOT_TESTABLE
        and found.loc["msatl-Q02", "p_value"] is None
    )
    whole = found.loc["msatl-Q01"]
    assert whole["p_value"] == pytest.approx(0.01)  # the larger of two, by Holm
    assert whole["effect"].tests == 2
    assert whole["effect"].smallest == pytest.approx(0.04 / SEEN * smallest_seen(1, math.inf, 2))


def test_what_part_of_the_runs_says_is_no_verdict_but_can_be_traced():
    found = Partly("1 of 3 comparisons", ("msatl/run",))
    row = ledger("msatl", [claim(found, needs="two more")], NOWHERE).loc["msatl-Q01"]
    assert (row["verdict"], row["reason"]) == (NOT_TESTABLE, "1 of 3 comparisons")
    assert (row["records"], row["needs"]) == (("msatl/run",), "two more")
