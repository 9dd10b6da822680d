import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score
from synthetic_predictions import predictions

from covidlib.pages import (
    ablation,
    attention_benefit,
    overall,
    ssl_comparison,
    without_transfer,
)
from covidlib.pages.improvements import improvements, over_plain, over_scratch
from covidlib.pages.results import (
    NOT_YET,
    Results,
    at_chance,
    budget,
    effect,
    paired_table,
    printed,
)
from covidlib.plans import plan
from covidlib.runs.record import CURVE, PREDICTIONS, RECORD, Record
from covidlib.runs.recorded import recorded
from covidlib.runs.spec import described


def keep(results, spec, table, profile="laptop"):
    """Write a recorded run that never was."""
    folder = results / "msatl" / spec.key
    if not folder.exists():
        folder.mkdir(parents=True)
        provenance = {"phantom": False, "profile": profile, "seconds": 60.0}
        body = {"key": spec.key, "spec": described(spec), "metrics": {}, "provenance": provenance}
        (folder / RECORD).write_text(json.dumps(body))
        table.to_parquet(folder / PREDICTIONS)
        pd.DataFrame({"epoch": [0], "loss": [1.0]}).to_csv(folder / CURVE)
    return Record(folder)


def read(name, folder):
    chosen = plan(name, "smoke", phantoms=True, seeds=1)
    return Results(chosen, {}, recorded(name, folder), folder)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Results in which R-50 is recorded with and without transfer, the latter in vain."""
    results = tmp_path_factory.mktemp("results")
    for number, row in enumerate(plan(attention_benefit.NAME, "laptop", phantoms=False).rows):
        cell = dict(row.cell)
        if cell["model"] == "r50":
            for spec in row.specs:
                skill = 0.5 if cell["stages"] == "none" else 2.0
                keep(results, spec, predictions(100, skill=skill, seed=10 * number + spec.seed))
                if spec.init is not None:
                    keep(results, spec.init, predictions(100))
    return results


@pytest.fixture(scope="module")
def benefit(folder):
    return read(attention_benefit.NAME, folder)


def test_a_row_gets_the_papers_numbers_and_a_row_of_ours_none():
    chosen = plan("msatl/overall", "smoke", phantoms=True)
    values = printed(chosen, chosen.rows[0], ("accuracy", "auc"))
    assert {name: str(value) for name, value in values.items()} == {
        "accuracy": "0.882", "auc": "0.903",
    }  # fmt: skip
    ours = plan("msatl/unprinted", "smoke", phantoms=True)
    assert printed(ours, ours.rows[0], ("auc",)) == {}
    assert printed(chosen, replace(chosen.rows[0], cell=(("model", "r18"),)), ("auc",)) == {}


def test_rows_without_records_are_not_testable_and_the_others_are(benefit):
    table = benefit.table()
    verdicts = table.frame["verdict"]
    assert (verdicts.loc["R-101 baseline w TL"] == "not testable here").all()
    assert (verdicts.loc["R-50 baseline w/o TL"] == "below").any()
    told = benefit.sentences(table)
    assert (told["rows"], told["recorded_rows"], told["cells"]) == (12, 6, 36)
    assert told["untested"] == 18
    links = table.frame["link"]
    assert links.loc[("R-50 baseline w TL", "AUC")].startswith("../../results/msatl/covid-ct-r50")


def test_the_stages_behind_the_rows_are_counted_once(benefit):
    own = {record.key for records in benefit.shown.values() for record in records}
    assert benefit.spent()["trainings"] == len(own) + 3  # one self-supervision per network
    assert benefit.spent()["minutes"] == pytest.approx(benefit.spent()["trainings"])


def test_gains_and_what_attention_adds(benefit, folder):
    frame = attention_benefit.gains(benefit).frame
    gain = frame.loc["R-50 baseline: gain", "AUC"]
    value, low = (float(part.strip("[,")) for part in gain.split()[:2])
    assert value > 0.1 and low > 0
    beyond = frame.loc["R-50 5 ATTNs: gain beyond baseline"]
    assert "[-" in beyond["AUC"] and float(beyond["p, AUC"]) > 0.5
    # After Holm over six lines; three trainings of each side are few.
    assert float(frame.loc["R-50 baseline: gain", "p, AUC"]) < 0.1
    assert frame.loc["R-101 5 ATTNs: gain beyond baseline", "AUC"] == NOT_YET
    assert "R-50, mean of both variants: gain beyond baseline" in frame.index
    told = attention_benefit.sentences(benefit)
    assert told["backbones"] == "R-50"
    assert overall.backbones([[(1.0, f"R-{depth} 1 ATTN w TL")] for depth in (50, 101)]) == (
        "R-50 and R-101"
    )
    # In print too, R-50 alone: (9.9 + 7.2) / 2 - 5.7 points of Table 4.
    assert told["benefit_printed"] == pytest.approx(0.0285)
    told = overall.sentences(read(overall.NAME, folder))  # Table 2: (92.9 + 96.8) / 2 - 90.3
    assert (told["backbones"], told["attention_printed"]) == ("R-50", pytest.approx(0.0455))


def test_printed_improvements_stand_beside_paired_differences(benefit):
    found = improvements(benefit, over_scratch)
    frame, plain = found.frame, benefit.table().frame
    assert len(frame) == 6 * 3  # the rows "w/o TL" are zeros over themselves
    for metric in ("accuracy", "F1", "AUC"):
        row = frame.loc[("R-50 5 ATTNs w TL", metric)]
        sides = [
            plain.loc[(f"R-50 5 ATTNs {words}", metric), "recorded"] for words in ("w TL", "w/o TL")
        ]
        assert row["recorded"].value == pytest.approx(sides[0].value - sides[1].value)
        assert row["recorded"].low < row["recorded"].value < row["recorded"].high
        assert row["verdict"] in ("reproduced", "below", "above")
    printed = {m: str(frame.loc[("R-50 1 ATTN w TL", m), "paper"]) for m in ("accuracy", "AUC")}
    assert printed == {"accuracy": "0.082", "AUC": "0.072"}
    assert (frame.loc["R-101 baseline w TL", "verdict"] == "not testable here").all()
    told = benefit.sentences(benefit.table(), found)
    assert told["cells"] == 36 + 18


def test_table_2_improves_on_the_same_backbone_without_attention(tmp_path):
    frame = improvements(read(overall.NAME, tmp_path), over_plain).frame
    assert frame.index.get_level_values(0).unique().tolist() == [
        "R-50 1 ATTN", "R-50 5 ATTNs", "R-101 1 ATTN", "R-101 5 ATTNs",
    ]  # fmt: skip
    assert str(frame.loc[("R-101 5 ATTNs", "AUC"), "paper"]) == "0.071"
    assert len(improvements(read(ablation.NAME, tmp_path), over_scratch).frame) == 12 * 3


def test_effects_follow_the_weights_and_refuse_mixed_profiles(benefit, tmp_path):
    first, second = "R-50 baseline w/o TL", "R-50 baseline w TL"
    forth, back = (
        effect(benefit.known, [[(s, second), (-s, first)]], "accuracy") for s in (1.0, -1.0)
    )
    assert forth.value == pytest.approx(-back.value)
    spec = plan("msatl/overall", "paper", phantoms=False).rows[0].specs[0]
    other = dict(benefit.known) | {second: [keep(tmp_path, spec, predictions(100), "paper")]}
    assert "not one comparison" in effect(other, [[(1.0, second), (-1.0, first)]], "auc")
    assert effect(benefit.known, [], "auc") == NOT_YET


def test_every_pair_of_trainings_is_tested_and_equal_ones_do_not_differ(tmp_path):
    skills = {"R-50 baseline": 0.0, "R-50 5 ATTNs": 3.0}
    for row in plan(without_transfer.NAME, "laptop", phantoms=False).rows:
        for spec in row.specs if row.label in skills else ():
            keep(tmp_path, spec, predictions(200, skill=skills[row.label], seed=1))
    frame = without_transfer.usual_tests(read(without_transfer.NAME, tmp_path)).frame
    assert frame.T.to_dict("list") == {
        "R-50 baseline, other seeds": ["0.000", "0 of 3", "0.000", "0 of 3"],
        "R-50 5 ATTNs, other seeds": ["0.000", "0 of 3", "0.000", "0 of 3"],
        "R-50 5 ATTNs against R-50 baseline": [
            frame["AUC differs"].iloc[1], "9 of 9", frame["accuracy differs"].iloc[1], "9 of 9",
        ],
    }  # fmt: skip
    assert float(frame["AUC differs"].iloc[1]) > 0.3


def test_the_budget_of_recorded_runs_is_told_by_their_records(tmp_path):
    row = plan(without_transfer.NAME, "laptop", phantoms=False).rows[0]
    longer = replace(row.specs[0], training=replace(row.specs[0].training, epochs=999))
    kept = [keep(tmp_path, spec, predictions(20)) for spec in (*row.specs, longer)]
    size, epochs = row.specs[0].training.size, row.specs[0].training.epochs
    told = budget(kept)
    assert told == f"{size} pixels for {epochs} epochs and {size} pixels for 999 epochs"


def test_p_values_are_adjusted_over_the_table(benefit):
    lines = {
        f"line {i}": [[(1.0, "R-50 1 ATTN w TL"), (-1.0, "R-50 1 ATTN w/o TL")]] for i in "abc"
    }
    one, three = (
        paired_table(benefit.known, dict(list(lines.items())[:count])).frame for count in (1, 3)
    )
    assert float(three.loc["line a", "p, AUC"]) == pytest.approx(
        3 * float(one.loc["line a", "p, AUC"]), abs=2e-3
    )


def test_pages_without_any_record_say_so(tmp_path):
    for name, parts in (("overall", overall), ("ssl_comparison", ssl_comparison)):
        runs = read(f"msatl/{name}", tmp_path)
        frame = parts.comparisons(runs).frame
        assert (frame["AUC"] == NOT_YET).all()
        assert NOT_YET in parts.sentences(runs).values()
        assert runs.spent() == {"trainings": 0, "minutes": 0.0}
    both = attention_benefit.sentences(read(attention_benefit.NAME, tmp_path))
    assert both["backbones"] == "R-50 and R-101"
    assert both["benefit_printed"] == pytest.approx(0.03625)
    runs = read(ablation.NAME, tmp_path)
    rest = read(ablation.UNPRINTED, tmp_path)
    assert set(ablation.sentences(runs, rest, runs).values()) == {NOT_YET}
    questions = ablation.unprinted(runs, rest, runs).frame
    assert len(questions) == 12
    assert (questions["AUC"] == NOT_YET).all()


@pytest.fixture(scope="module")
def family(tmp_path_factory):
    """Results in which every row of the R-50 family is recorded once, and the AUC of each row."""
    results, areas = tmp_path_factory.mktemp("results"), {}
    for topic in ("attention_benefit", "ablation", "ssl_comparison", "unprinted"):
        for row in plan(f"msatl/{topic}", "laptop", phantoms=False, seeds=1).rows:
            if not row.label.startswith("R-50"):
                continue
            number = len(areas)
            table = predictions(120, skill=0.5 + 0.05 * number, seed=number)
            kept = keep(results, row.specs[0], table).test  # a row may stand in two tables
            areas[row.label] = roc_auc_score(kept["label"] == "covid", kept["p_covid"])
    return results, areas


def test_what_the_paper_left_out_is_after_minus_before(family):
    results, areas = family
    runs, rest, whole = (
        read(name, results) for name in (ablation.NAME, ablation.UNPRINTED, attention_benefit.NAME)
    )
    frame = ablation.unprinted(runs, rest, whole).frame
    assert len(frame) == 12 and set(frame["runs"]) == {"1"}
    for question, (after, before) in ablation.QUESTIONS.items():
        for name in ("R-50 baseline", "R-50 1 ATTN", "R-50 5 ATTNs"):
            gap = areas[f"{name} {after}"] - areas[f"{name} {before}"]
            told = float(frame.loc[f"{name}: {question}", "AUC"].split()[0])
            assert told == pytest.approx(gap, abs=6e-4)
    answers = ablation.sentences(runs, rest, whole)
    names = ("R-50 baseline", "R-50 1 ATTN", "R-50 5 ATTNs")
    gaps = [areas[f"{n} w SSTL-M alone"] - areas[f"{n} w/o TL"] for n in names]
    assert float(answers["alone"].split()[0]) == pytest.approx(np.mean(gaps), abs=6e-4)
    assert answers["alone"].endswith("3 of 3 networks")


def test_each_rival_is_compared_network_by_network_and_over_all(family):
    results, areas = family
    runs = read(ssl_comparison.NAME, results)
    frame = ssl_comparison.comparisons(runs).frame
    for rival, name in (("moco", "MoCo"), ("simclr", "SimCLR")):
        units = ssl_comparison.units(runs, rival)
        gaps = [areas[first] - areas[second] for (_, first), (_, second) in units]
        assert len(gaps) == 3
        told = float(frame.loc[f"3 networks, SSTL-M against {name}", "AUC"].split()[0])
        assert told == pytest.approx(np.mean(gaps), abs=6e-4)
        assert frame.loc[f"3 networks, SSTL-M against {name}", "runs"] == "3"


def test_rows_at_chance_are_named(family):
    runs = read(ssl_comparison.NAME, family[0])
    table = runs.table(resamples=50)
    areas = table.frame.xs("AUC", level="metric")["recorded"].dropna()
    assert at_chance(table) == "none" and areas.map(lambda a: a.low).min() > 0.5
    weakest = areas.index[0]
    table.frame.loc[(weakest, "AUC"), "recorded"] = replace(areas.iloc[0], low=0.45)
    assert at_chance(table) == weakest
    empty = read(ssl_comparison.NAME, family[0] / "nowhere")
    assert at_chance(empty.table()) == NOT_YET


def test_how_often_rivals_disagree_is_counted_in_the_records(family):
    runs = read(ssl_comparison.NAME, family[0])
    right = []
    for _, label in ssl_comparison.units(runs, "moco")[0]:
        table = runs.shown[label][0].test.set_index("sample").sort_index()
        right.append((table["p_covid"] > 0.5) == (table["label"] == "covid"))
    shares = ssl_comparison.discordant(runs)
    assert len(shares) == 6
    assert shares[0] == pytest.approx((right[0] != right[1]).mean())
    assert ssl_comparison.sentences(runs)["pairs"] == "the mean of 6 recorded pairs"


def test_printed_margins_of_self_supervision_are_table_3s():
    frame = ssl_comparison.printed_margins()
    assert len(frame) == 18
    accuracy = frame[frame["metric"] == "accuracy"]
    assert accuracy["moco"].max() == pytest.approx(0.009)
    assert accuracy["simclr"].max() == pytest.approx(0.011)


def test_the_margin_a_test_would_find_is_that_of_the_told_share(tmp_path):
    found = ssl_comparison.sentences(read("msatl/ssl_comparison", tmp_path))
    gap, share = found["detectable"] / 100, found["discordant"]
    needed = 1.959964 * share**0.5 + 0.841621 * (share - gap**2) ** 0.5  # Connor 1987
    assert gap * 203**0.5 == pytest.approx(needed, rel=1e-5)
    assert found["largest"] == pytest.approx(1.1)
    assert found["images_of_largest"] == pytest.approx(0.011 * 203)
