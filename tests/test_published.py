import math

import pandas as pd
import pytest

from covidlib.errors import DataError
from covidlib.published import PAPERS, claimed_value, claims, paper_value, published, tables

ROWS = {
    "msatl": {1: 24, 2: 36, 3: 54, 4: 72, 5: 108, 6: 18},
    "magsd": {1: 15, 2: 9, 3: 156, 4: 24, 5: 36, 6: 36, 7: 36, 8: 24},
    "manet": {1: 20, 2: 40, 3: 36, 4: 24, 5: 25},
}


@pytest.mark.parametrize("paper", PAPERS)
def test_every_table_is_there_with_all_its_cells(paper):
    assert {n: len(published(paper, n)) for n in tables(paper)} == ROWS[paper]


def test_numbers_of_table_4_without_transfer():
    found = {
        (model, variant): tuple(
            paper_value("msatl", 4, m, model=model, variant=variant, stages="none").printed
            for m in ("accuracy", "f1", "auc")
        )
        for model in ("r50", "r101")
        for variant in ("baseline", "attn1", "attn5")
    }
    assert found == {
        ("r50", "baseline"): ("83.7", "84.1", "84.6"),
        ("r50", "attn1"): ("84.9", "82.4", "85.7"),
        ("r50", "attn5"): ("84.7", "83.1", "86.9"),
        ("r101", "baseline"): ("83.8", "83.9", "86.2"),
        ("r101", "attn1"): ("85.4", "83.6", "86.1"),
        ("r101", "attn5"): ("86.1", "84.5", "87.6"),
    }


@pytest.mark.parametrize(
    ("cell", "value", "half", "std", "text"),
    [
        (("magsd", 3, "accuracy", dict(model="magsd", dataset="A")), None, 5e-5, None, None),
        (("manet", 4, "recall", dict(class_="normal")), 0.96, 0.005, math.nan, "0.96"),
        (("manet", 3, "flops", dict(model="resnet34")), 18766.76, 0.005, math.nan, "18766.76"),
        (
            ("msatl", 6, "leep", dict(model="r101", variant="baseline", stages="stl_n")),
            -0.909,
            0.0005,
            math.nan,
            "-0.909",
        ),
    ],
)
def test_values_come_in_the_books_units_with_their_rounding(cell, value, half, std, text):
    paper, table, metric, where = cell
    found = paper_value(paper, table, metric, **where)
    if value is None:  # percent with two decimals and a spread
        value = float(found.printed) / 100
        row = published(paper, table).query("metric == 'acc' and model == 'magsd'")
        std = float(row.query("dataset == 'A'")["std"].iloc[0]) / 100
        text = f"{value:.4f} ± {std:.4f}"
    assert found.value == pytest.approx(value)
    assert found.half_width == pytest.approx(half)
    assert found.std == pytest.approx(std, nan_ok=True)
    assert str(found) == text


def test_abbreviated_metrics_have_both_names():
    where = {"model": "vgg16", "dataset": "B"}
    assert paper_value("magsd", 3, "sen", **where) == paper_value(
        "magsd", 3, "sensitivity", **where
    )


def test_improvements_are_shares_too():
    found = paper_value(
        "msatl", 4, "accuracy_improvement", model="r50", variant="attn1", stages="full"
    )
    assert (found.printed, found.value) == ("8.2", pytest.approx(0.082))


def test_a_question_with_several_answers_or_none_is_refused():
    with pytest.raises(DataError, match=r"2 cells .*'stages': \['full', 'none'\]"):
        paper_value("msatl", 4, "auc", model="r50", variant="baseline")
    with pytest.raises(DataError, match="0 cells"):
        paper_value("msatl", 4, "auc", model="r152")
    with pytest.raises(DataError, match="unknown columns"):
        paper_value("msatl", 4, "auc", network="r50")
    with pytest.raises(DataError, match="no Table 9"):
        published("msatl", 9)
    with pytest.raises(DataError, match="unknown paper"):
        published("other", 1)


def test_a_caller_cannot_change_the_papers():
    own = published("msatl", 4)
    own["value"] = "99.9"
    assert set(published("msatl", 4)["value"]) != {"99.9"}


def test_every_numeric_cell_is_a_number():
    for paper in PAPERS:
        for table in tables(paper):
            frame = published(paper, table)
            assert frame.loc[frame["value"] != "", "number"].notna().all()
            shares = frame[(frame["unit"] == "percent") & ~frame["metric"].str.contains("increase")]
            assert shares["number"].between(0, 1).all()


def test_a_claim_without_a_number_is_refused():
    for claim in ("magsd-Q01", "magsd-P99"):
        with pytest.raises(DataError, match=claim):
            claimed_value("magsd", claim)


def test_claims_have_unique_ids_of_their_paper():
    everything = claims()
    assert len(everything) == sum(len(claims(paper)) for paper in PAPERS)
    assert everything["id"].is_unique
    for paper in PAPERS:
        own = claims(paper)
        assert own["id"].str.fullmatch(rf"{paper}-[DHPQR]\d\d+").all()
        assert (own["statement"] != "").all()
        # A printed value is a number, or a range, or empty for a qualitative claim.
        assert own.loc[own["id"].str.contains("-Q"), "value"].eq("").mean() > 0.5
    assert claims("msatl").set_index("id").loc["msatl-D06", "value"] == "349"
    assert isinstance(everything, pd.DataFrame)
