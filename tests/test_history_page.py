from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from covidlib.pages import history as parts
from covidlib.runs.history import HISTORY, read

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def known() -> pd.DataFrame:
    """Three seeds of one setting, one of another, both with two metrics."""
    rows = []
    for family, values in (("one", (0.6, 0.7, 0.8)), ("two", (0.5,))):
        for seed, value in enumerate(values):
            facts = {"paper": "msatl", "profile": "laptop", "device": "cpu", "hardware": "a cpu"}
            facts |= {"name": f"name-{family}", "family": family, "key": f"{family}{seed}"}
            facts |= {"commit": "a" * 40, "started": f"2026-01-01T0{seed}", "seconds": 1800.0}
            for metric, number in (("accuracy", 0.1), ("auc", value)):
                rows.append(facts | {"seed": seed, "metric": metric, "value": number})
    return pd.DataFrame(rows)


def test_the_leading_metric_is_the_area_where_there_is_one(known):
    assert set(parts.leading(known)["metric"]) == {"auc"}
    assert set(parts.leading(known.replace("auc", "ssim"))["metric"]) == {"accuracy"}


def test_the_smallest_visible_loss_is_shown_where_it_is_known(known):
    found = parts.visible(known).set_index(["name", "metric"])
    assert found.loc[("name-one", "auc"), "alone"] < found.loc[("name-two", "auc"), "alone"]
    assert (found["alone"] <= found["among_all"]).all()
    table = parts.visible_table(known)
    assert table.loc["name-one", "AUC"] == "0.700" and table.loc["name-one", "seeds"] == "3"
    reach = parts.reach(known)
    assert reach["more_seeds"] == reach["best"] == found.loc[("name-one", "auc"), "alone"]
    one_seed = known[known["family"] == "two"]
    assert parts.visible(one_seed).empty
    assert "no settings with enough seeds" in parts.visible_table(one_seed).to_string()


def test_the_figure_reaches_down_from_every_mean(known):
    ax = parts.draw_reach(plt.subplots()[1], known)
    drawn = parts.visible(known).query("metric == 'auc'")
    for row, bars in enumerate(zip(ax.patches[::2], ax.patches[1::2], strict=True)):
        low = [max(drawn["mean"].iloc[row] - drawn[n].iloc[row], 0) for n in ("among_all", "alone")]
        assert [bar.get_x() for bar in bars] == pytest.approx(low)
        for bar in bars:
            assert bar.get_x() + bar.get_width() == pytest.approx(drawn["mean"].iloc[row])
    plt.close("all")


def test_a_sparkline_stays_in_its_box_and_says_its_values():
    text = parts.sparkline(np.array([0.5, 1.0, 0.0]), 0.0, 1.0)
    assert 'aria-label="0.500, 1.000, 0.000"' in text
    assert f'points="4.0,14.0 60.0,4.0 {parts.WIDTH - 4:.1f},24.0"' in text
    assert "nan" not in parts.sparkline(np.array([0.5]), 0.5, 0.5)


def test_the_table_shows_means_and_numbers_of_runs(known):
    frame = parts.Sparklines(known).frame().set_index("settings")
    assert frame.loc["name-one", "mean"] == "0.700 (n=3)"
    assert frame.loc["name-two", "mean"] == "0.500 (n=1)"
    assert parts.Sparklines(known)._repr_html_().count("<svg") == 2


def test_facts_count_runs_once_whatever_their_metrics(known):
    found = parts.facts(known)
    assert (found["runs"], found["settings"], found["with_seeds"]) == (4, 2, 1)
    assert found["hours"] == pytest.approx(2.0)


def test_nothing_recorded_is_said(tmp_path):
    empty = read(tmp_path / HISTORY)
    assert "Nothing is recorded yet" in parts.Sparklines(empty)._repr_html_()
    assert parts.facts(empty)["runs"] == 0 and parts.changes(empty)["compared"] == 0
    assert "nothing is recorded yet" in parts.runs_table(empty).to_string()
    parts.draw_reach(plt.subplots()[1], empty)
    assert np.isnan(parts.reach(empty)["best"])
    plt.close("all")


def test_the_last_commit_is_compared_with_those_before(known):
    assert parts.changes(known) == {"compared": 0, "changed": 0}
    other = known.assign(commit="b" * 40, started="2026-02", family=known["family"] + "x")
    both = pd.concat([known, other], ignore_index=True)
    assert parts.changes(both)["compared"] == 0, "other settings of the same name are no repetition"
    later = known.assign(commit="b" * 40, started="2026-02", value=known["value"] / 4)
    shown = parts.changes_table(pd.concat([known, later], ignore_index=True))
    finding = shown[shown["metric"] == "auc"]["finding"]
    assert finding["name-one"] == "worse" and "all 2 rows together" in shown.index


def test_the_book_has_a_history_of_its_own():
    known = read(ROOT / "book" / "results" / HISTORY)
    assert parts.facts(known)["runs"] >= 10
    assert np.isfinite(known["value"]).all()
