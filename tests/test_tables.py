import re

import pytest
from synthetic_predictions import Result, answers, predictions

from covidlib.errors import DataError
from covidlib.evaluation import Interval, intervals
from covidlib.published import paper_values
from covidlib.tables import Row, comparison_table, format_interval, verdict_counts
from covidlib.verdicts import exact

REAL = {"phantom": False, "profile": "laptop"}
DRAWN = {"phantom": True, "profile": "smoke"}
METRICS = ("accuracy", "auc")
PRINTED = paper_values(
    "msatl", 4, ["accuracy", "f1", "auc"], model="r50", variant="baseline", stages="none"
)


def runs(provenance=REAL, skill=1.0, n=3, name="k"):
    return [
        Result(f"{name}{s}", provenance, predictions(203, skill=skill, seed=s)) for s in range(n)
    ]


@pytest.fixture(scope="module")
def table():
    rows = [
        Row("low", PRINTED, runs(skill=0.2), runs(DRAWN, 3.0, 1), link="results/low/record.json"),
        Row("high", PRINTED, runs(skill=4.0)),
        Row("none", PRINTED, (), runs(DRAWN, 1.0, 1)),
        Row("unprinted", {}, runs()),
    ]
    return comparison_table(rows, METRICS)


def test_cells_are_the_papers_number_and_our_intervals(table):
    line = table.frame.loc[("low", "AUC")]
    assert line["paper"].printed == "84.6"
    assert line["recorded"] == intervals([r.predictions for r in runs(skill=0.2)], ["auc"])["auc"]
    assert line["this run"].runs == 1
    text = table.text().loc[("low", "AUC")]
    assert text["paper"] == "0.846"
    assert re.fullmatch(r"0\.\d{3} \[0\.\d\d, 0\.\d\d\] \(n=3\)", text["recorded"])
    assert re.fullmatch(r"phantoms: 0\.\d{3} \[0\.\d\d, 1\.00\] \(n=1\)", text["this run"])


def test_verdicts_come_from_records_alone(table):
    found = table.frame["verdict"].xs("AUC", level="metric").to_dict()
    assert found == {"low": "below", "high": "above", "none": "not testable here", "unprinted": ""}
    assert table.text().loc[("unprinted", "AUC"), "verdict"] == "–"


def test_verdicts_are_counted_over_tables(table):
    assert verdict_counts(table, table).to_dict() == {
        "reproduced": 0, "below": 4, "above": 4, "not testable here": 4,
    }  # fmt: skip
    assert verdict_counts().sum() == 0


@pytest.mark.parametrize(
    "provenance",
    [DRAWN, {"phantom": False, "profile": "smoke"}, {"phantom": True, "profile": "paper"}, {}],
)
def test_a_smoke_or_phantom_record_never_counts(provenance):
    # Even one that would meet the paper's number exactly is not shown as recorded.
    row = Row("r", PRINTED, runs(provenance, skill=1.0), link="record.json")
    found = comparison_table([row], ["auc"])
    line = found.frame.loc[("r", "AUC")]
    assert (line["recorded"], line["verdict"], line["link"]) == (None, "not testable here", None)
    assert "record.json" not in found._repr_html_()


def test_html_marks_phantoms_and_links_the_record(table):
    html = table._repr_html_()
    assert html.count('<span class="phantom-badge">phantoms</span>') == 4
    assert "drawn by the library, not data" in html
    assert html.count('<a href="results/low/record.json">first record</a>') == 2
    real = comparison_table([Row("r", PRINTED, runs(), runs(name="t"))], ["auc"])._repr_html_()
    assert ">phantoms<" not in real and "not data" not in real


def test_html_scrolls_in_its_own_frame_under_a_column_that_stays(table):
    html = table._repr_html_()
    assert 'class="paper-table" role="region"' in html and 'tabindex="0"' in html
    style = html[: html.index("</style>")]
    assert "overflow-x: auto" in style and "position: sticky" in style
    assert 'class="dataframe"' in html


def test_html_is_the_same_every_time(table):
    assert table._repr_html_() == table._repr_html_()


def test_names_and_links_cannot_break_the_page():
    row = Row('<b>"x"</b>', PRINTED, runs(), link='a"onclick="b')
    html = comparison_table([row], ["auc"])._repr_html_()
    assert "<b>" not in html and "&lt;b&gt;" in html
    assert 'href="a&quot;onclick=&quot;b"' in html


def test_several_seeds_show_their_spread_and_one_does_not():
    spread = comparison_table([Row("r", PRINTED, runs())], ["auc"])
    html = spread._repr_html_()
    assert f"± {spread.frame['recorded'].iloc[0].std:.3f} · laptop" in html
    alone = comparison_table([Row("r", PRINTED, runs(n=1))], ["auc"])._repr_html_()
    assert "±" not in alone


def test_an_undefined_number_says_why():
    run = [Result("k", REAL, answers("0000", "0100"))]
    found = comparison_table([Row("r", PRINTED, run)], METRICS)
    text = found.text()
    assert text.loc[("r", "AUC"), "recorded"] == "undefined: no image of class covid"
    assert text.loc[("r", "AUC"), "verdict"] == "not testable here"
    assert text.loc[("r", "accuracy"), "recorded"].startswith("0.750")


def test_rows_with_one_name_are_refused():
    with pytest.raises(DataError, match="same name"):
        comparison_table([Row("r"), Row("r")])


def test_formats():
    nan = float("nan")
    assert format_interval(Interval(0.5, 0.4, 0.6, 5, 10)) == "0.500 [0.40, 0.60] (n=5)"
    assert format_interval(Interval(0.5, nan, nan, 1, 10, reason="few")) == "0.500 (n=1)"
    assert format_interval(Interval(-0.9, -1.0, -0.8, 1, 10)) == "-0.900 [-1.00, -0.80] (n=1)"
    assert format_interval(None) == "–"


def test_exact_numbers_are_judged_without_a_record():
    flops = paper_values("manet", 3, ["params", "flops", "running_time"], model="resnet34")
    rows = [
        Row("same", flops, this_run=exact({"params": 21.280965, "flops": 18766.7551})),
        Row("more", flops, this_run=exact({"params": 21.2851, "flops": 18766.7549})),
    ]
    table = comparison_table(rows, ("params", "flops", "running_time"), note="Counted.")
    assert table.frame["verdict"].tolist() == [
        "reproduced", "reproduced", "not testable here", "above", "below", "not testable here",
    ]  # fmt: skip
    assert table.text().loc[("same", "params")].tolist() == ["21.28", "–", "21.281", "reproduced"]
    assert "Counted." in table._repr_html_()
    assert not table.frame["phantom"].any()


def test_the_caption_says_where_this_run_scored_fewer_images():
    few = [Result("f", REAL | {"profile": "smoke"}, predictions(24))]
    for here, known, words in (
        (few, runs(), "Images scored: 24 in this run, recorded 203."),
        (few, (), "Images scored: 24 in this run."),
        (runs(n=1, name="h"), runs(), None),
        ((), runs(), None),
    ):
        caption = comparison_table([Row("m", PRINTED, known, here)], METRICS)._repr_html_()
        assert words in caption if words else "Images scored" not in caption
