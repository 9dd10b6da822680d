import re
from pathlib import Path

import jupytext
import numpy as np
import pandas as pd
import pytest
from benchmark_predictions import collector, oracle, predictions
from matplotlib import pyplot as plt

from covidlib.benchmark import TESTS
from covidlib.benchmark.keeping import FLOORS, Kept
from covidlib.evaluation import Interval
from covidlib.pages import benchmark as parts
from covidlib.pages import benchmark_figures as draw
from covidlib.pages import benchmark_tables as tables
from covidlib.pages import leaderboard as board
from covidlib.pages.results import NOT_YET, Results
from covidlib.plans import plan
from covidlib.plans.across import CT, NAME, XRAYS

SCRIPT = Path(__file__).parents[2] / "notebooks" / "across" / "benchmark.py"


def sides(recorded=None, here=None, kept=None, floors=None):
    chosen = plan(NAME, "smoke", phantoms=True, seeds=1)
    found = Results(chosen, {}, {}, Path("nowhere"))
    return parts.Sides(found, recorded or {}, here or {}, kept or {}, floors or {}, True)


def whole(chance, **options):
    return {name: [predictions(chance, **options)] for name in XRAYS}


def at_home(learnt):
    """Know the collections of one training set, nothing else: 1 at home, 2/3 elsewhere."""

    def chance(group, rng):
        if group not in TESTS[learnt]:
            return 0.5
        return 0.95 if group in ("cohen-covid", "cxnet") else 0.05

    return [predictions(chance)]


@pytest.fixture
def both():
    return {
        ("r50", "own"): {name: at_home(name) for name in XRAYS},
        ("magsd", "own"): whole(oracle),
        ("ma", "own"): {"cxnet-nih": [predictions(0.4)]},
    }


def test_rows_are_sorted_by_any_column_and_missing_ones_stand_last(both):
    frame = board.leaderboard(sides(here=both), both, {})
    assert [key[0] for key in board.ranked(frame, "AUC elsewhere").index] == ["magsd", "r50", "ma"]
    assert board.ranked(frame, "fall").index[0][0] == "magsd"  # no fall is best
    made = frame.assign(**{"multiply-adds, M": [9.0, None, 2.0]})
    assert [k[0] for k in board.ranked(made, "multiply-adds, M").index] == [
        made.index[2][0], made.index[0][0], made.index[1][0]
    ]  # fmt: skip
    for by in board.SORTS:
        table = board.shown(frame, "here", by)
        assert table.frame.columns[0] == by and len(table.frame) == 3


def test_rows_of_equal_value_keep_their_order(both):
    equal = {("r50", "own"): whole(0.5), ("magsd", "own"): whole(0.5)}
    frame = board.leaderboard(sides(here=equal), equal, {})
    assert [k[0] for k in board.ranked(frame, "AUC elsewhere").index] == ["r50", "magsd"]


def test_mask_attention_says_why_it_has_no_number_on_ct(both):
    text = board.shown(board.leaderboard(sides(here=both), both, {}), "here").frame
    assert text.loc["ResNet50 (MA)", "AUC, CT"] == board.NOT_ON_CT
    assert text.loc["ResNet50 (MA)", "AUC elsewhere"] is None


def test_recorded_forests_stand_beside_recorded_networks(both):
    ct = predictions(0.5).rename(columns={"p_other": "p_NonCOVID", "p_COVID-19": "p_COVID"})
    ct["label"] = ct["label"].map({"other": "NonCOVID", "COVID-19": "COVID"})
    kept = {
        name: Kept(name, {}, {}, {floor: predictions(collector, val=()) for floor in FLOORS}, {})
        for name in XRAYS
    }
    known = sides(both, {}, kept, {floor: [ct] for floor in FLOORS})
    frame = board.leaderboard(known, known.recorded, {})
    text = board.shown(frame, "recorded").frame
    assert {f"forest: {floor}" for floor in FLOORS} <= set(text.index)
    row = text.loc["forest: frame"]
    assert row["AUC elsewhere"].startswith("0.667") and row["AUC, CT"].startswith("0.500")
    assert row["ECE elsewhere"] is None
    told = board.sentences(board.leaderboards(known, {}))
    assert told["recorded_first"].startswith("MAG-SD, whose interval")
    assert told["recorded_above"] == "1 of 2"
    chance = sides({("r50", "own"): whole(0.5)}, {}, kept, known.ct_floors)
    told = board.sentences(board.leaderboards(chance, {}))
    assert told["recorded_first"].startswith("forest: size and shape, whose")
    assert told["recorded_above"] == "0 of 1"


def test_without_records_the_page_says_so_and_shows_this_run(both):
    known = sides(here=both)
    assert known.best_known == ("this run (phantoms)", known.here)
    frames = board.leaderboards(known, {})
    first, second = board.both(frames).tables
    assert set(first.frame.to_numpy().ravel()) == {NOT_YET}
    assert second.frame.index[0] == "MAG-SD" and "phantoms" in second.caption
    told = board.sentences(frames)
    assert told["recorded_first"] == told["recorded_elsewhere"] == NOT_YET
    assert told["here_elsewhere"].startswith("0.667 [")
    assert "1 of the 1 others" in told["here_first"] or "0 of the 1 others" in told["here_first"]
    assert tables.matrix_table({}).frame.iloc[0, 0] == NOT_YET
    assert set(tables.held_out_table(known).frame["recorded"]) == {NOT_YET}
    calibrated = tables.calibration_table(known).frame
    assert set(calibrated["own, recorded"]) == {NOT_YET}
    before, after = calibrated.loc[("MAG-SD", "Brier"), "own, this run (phantoms)"].split(" → ")
    assert before == "0.010" and float(after) < 0.01  # 0.9 and 0.1, always right


def test_the_slider_has_a_table_for_every_order(both):
    frame = board.leaderboard(sides(here=both), both, {})
    box = board.sortable(frame, "this run")
    pages = box.children[1].children
    assert len(pages) == len(board.SORTS) == box.children[0].max + 1
    for by, page in zip(board.SORTS, pages, strict=True):
        label, table = (child.value for child in page.children)
        assert by in label and table.count("<tr") == len(frame) + 1


def test_left_out_sources_are_told_what_is_right(both):
    here = {("r50", "own"): {"all-but-nih": [predictions(collector)]}}
    frame = tables.held_out_table(sides(here=here)).frame
    assert frame.loc["R-50: ChestX-ray8, other", "should be"] == "0"
    assert frame.loc["R-50: ChestX-ray8, other", "this run (phantoms)"].startswith("0.000 [0.00")
    assert frame.loc["R-50: Cohen, COVID-19", "this run (phantoms)"] == "–"


def test_figures_show_what_is_there(both):
    fig = plt.figure()
    draw.draw_matrices(fig, both, "this run")
    assert [ax.get_title("left") or ax.get_title() for ax in fig.axes] == [
        "R-50", "MAG-SD", "ResNet50 (MA)"
    ]  # fmt: skip
    numbers = [text.get_text() for text in fig.axes[0].texts]
    assert numbers == ["1.00", "0.50", "1.00", "0.50", "1.00", "0.50", "1.00", "0.50", "1.00"]
    assert [t.get_text() for t in fig.axes[2].texts if t.get_text()] == ["0.50"] * 3
    _, (left, right) = plt.subplots(1, 2)
    draw.draw_called(left, {})
    assert left.texts[0].get_text() == NOT_YET
    draw.draw_decisions(right, both, "cohen")
    assert [line.get_label() for line in right.lines][:3] == ["R-50", "MAG-SD", "ResNet50 (MA)"]
    worth = right.lines[1].get_ydata()[10]
    assert worth == pytest.approx(0.5)  # MAG-SD finds the half that is ill, without an alarm
    plt.close("all")


def test_the_script_uses_only_what_is_there():
    code = "\n".join(c.source for c in jupytext.read(SCRIPT).cells if c.cell_type == "code")
    for name, module in (("parts", parts), ("board", board), ("draw", draw), ("tables", tables)):
        used = set(re.findall(rf"\b{name}\.(\w+)", code))
        assert used and all(hasattr(module, word) for word in used), used


def test_an_undefined_interval_has_no_place(both):
    frame = board.leaderboard(sides(here=both), both, {})
    nowhere = Interval(np.nan, np.nan, np.nan, 1, 1)
    cells = frame["AUC elsewhere"].items()
    frame["AUC elsewhere"] = [nowhere if key[0] == "magsd" else cell for key, cell in cells]
    assert board.ranked(frame, "AUC elsewhere").index[0][0] == "r50"
    assert CT not in frame.columns


def test_what_was_learnt_from_stands_by_source_and_class():
    counted = pd.DataFrame(
        {
            "sample": ["covid-cxnet/a", "chestxray8/b", "kermany/c"],
            "label": ["COVID-19", "other", "other"],
            "split": ["train", "val", "test"],
        }
    )
    seen = parts.Sources(None, {"cxnet-nih": counted})
    kept = {"cxnet-nih": Kept("cxnet-nih", {"training": 7}, {}, {}, {})}
    (row,) = parts.seen_table(seen, sides(kept=kept)).frame.to_dict("records")
    assert row["CXNet", "COVID-19"] == row["in all", "training"] == row["in all", "test"] == 1
    assert row["ChestX-ray8", "other"] == "–" and row["recorded", "training"] == 7
