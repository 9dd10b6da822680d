from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from covidlib.pages import distribution, soft_distance
from covidlib.pages import magsd_evaluation as page
from covidlib.pages import magsd_imbalance as imbalance
from covidlib.pages.results import NOT_YET, Results
from covidlib.plans import plan
from covidlib.protocol_scores import ProtocolScores

CLASSES = ("pneumonia", "COVID-19")


def record(key, truth, chosen, fold=0, first=0, metrics=None):
    """A run whose test images are numbered from ``first``; two images a patient."""
    names = [f"{k}.png" for k in range(first, first + len(truth))]
    test = pd.DataFrame({"sample": names, "split": "test", "label": np.array(CLASSES)[truth]})
    test["patient"] = [f"p{k // 2}" for k in range(first, first + len(truth))]
    test["p_pneumonia"] = np.where(np.array(chosen) == 0, 0.8, 0.2)
    test["p_COVID-19"] = 1 - test["p_pneumonia"]
    return SimpleNamespace(
        key=key,
        body={"spec": {"data": {"dataset": "magsd-a", "fold": fold, "folds": 5}}},
        metrics=metrics or {},
        predictions=test,
        test=test,
        provenance={"profile": "laptop"},
    )


def scores(key, samples, hits, draws=10, repeats=(0.5, 0.7)):
    return ProtocolScores(
        key=key,
        fold=0,
        samples=tuple(samples),
        draws=np.full(len(samples), draws),
        hits=np.array(hits),
        repeats=tuple({"accuracy": a, "specificity": a} for a in repeats),
        provenance={},
    )


def runs(topic, known=None, done=None, folder=None):
    chosen = plan(f"magsd/{topic}", "smoke", phantoms=True)
    empty = {row.label: [] for row in chosen.rows}
    return Results(chosen, empty | (done or {}), empty | (known or {}), folder)


def test_pages_without_records_say_so(tmp_path):
    weighted, folds = runs("imbalance", folder=tmp_path), runs("image_folds", folder=tmp_path)
    tests = imbalance.weighted_tests(weighted).frame
    assert list(tests.index) == ["A: MAG-SD, classes weighted", "A: ResNet50, classes weighted"]
    assert set(tests["accuracy"]) == {NOT_YET}
    table = page.protocol_table(folds, {}, {}).frame
    assert len(table) == 8 and set(table["recorded"]) == {NOT_YET}
    assert set(page.specificity_table(folds, {}, {}).frame["recorded"]) == {NOT_YET}


def test_weights_of_table_1_give_every_class_the_same_sum():
    frame = imbalance.image_weights().frame.astype({"weight": float})
    images = frame["images"].str.replace(",", "").astype(int)
    for letter in "ABC":
        sums = (images[letter] * frame["weight"][letter]).to_numpy()
        np.testing.assert_allclose(sums, images[letter].mean(), rtol=0.02)
    assert images["A", "COVID-19"] == 90


def test_a_run_is_right_where_its_largest_probability_is_the_label():
    found = page.right(record("a", [0, 0, 1, 1], [0, 1, 1, 0]))
    assert found.to_dict() == {"0.png": 1, "1.png": 0, "2.png": 1, "3.png": 0}


def test_a_gap_is_paired_by_image_and_drawn_by_patient():
    tested = record("a", [0, 0, 1, 1, 0, 0, 1, 1], [0, 1, 1, 0, 0, 1, 0, 0])
    before = page.right(tested)
    value, low, high = page.gap(before, before + 0.25, [tested])
    assert (value, low, high) == pytest.approx((0.25, 0.25, 0.25))
    after = before.sample(frac=1, random_state=0)  # another order
    assert page.gap(before, after, [tested]) == pytest.approx((0, 0, 0))
    moved = before.copy()
    moved.iloc[:2] += [0.5, -0.5]  # of one patient: whatever is drawn, they cancel
    assert page.gap(before, moved, [tested]) == pytest.approx((0, 0, 0))
    moved.iloc[:2] = before.iloc[:2] + 0.5
    value, low, high = page.gap(before, moved, [tested])
    assert value == pytest.approx(0.125) and low == 0 < value < high


def test_a_gap_needs_the_same_images():
    one, two = record("a", [0, 1], [0, 1]), record("b", [0, 1], [0, 1], first=1)
    assert "all folds" in page.gap(page.right(one), page.right(two), [one, two])
    assert page.gap(page.right(one), pd.Series(dtype=float), [one]) == NOT_YET


def test_the_table_sets_four_ways_of_testing_side_by_side():
    honest = record("a", [0, 0, 1, 1], [0, 1, 1, 0])
    image = record("b", [0, 0, 1, 1], [0, 0, 1, 0])
    known = {"A: MAG-SD": [honest], "A: MAG-SD, folds of images": [image]}
    kept = {
        "a": scores("a", honest.test["sample"], [10, 0, 8, 4]),
        "b": scores("b", honest.test["sample"], [10, 10, 10, 10]),
    }
    frame = page.protocol_table(runs("image_folds", known), kept, {}).frame.loc["MAG-SD"]
    assert frame["recorded"].tolist() == ["0.500", "0.550", "0.750", "1.000"]
    assert pd.isna(frame["difference"].iloc[0])
    assert [float(t.split()[0]) for t in frame["difference"].iloc[1:]] == [0.05, 0.25, 0.5]
    assert frame["between tests"].iloc[1] == f"{np.std([0.5, 0.7], ddof=1):.3f}"
    assert frame["this run"].isna().all()
    assert frame["recorded folds"].tolist() == ["1", "1", "1", "1"]


def test_three_things_are_called_specificity():
    # Of 4 without COVID-19 3 are right; of 2 taken for it 1 is, of 6 taken for the other 3.
    tested = record("a", [0, 0, 0, 0, 1, 1, 1, 1], [0, 0, 0, 1, 1, 0, 0, 0])
    kept = {"a": scores("a", tested.test["sample"], [10] * 8, repeats=(0.4, 0.6))}
    frame = page.specificity_table(runs("image_folds", {"A: MAG-SD": [tested]}), kept, {}).frame
    assert frame["recorded"].tolist() == ["0.750", "0.500", "0.500"]
    assert len(set(frame["paper's SPC"])) == 1
    other = record("b", [0, 0, 1, 1], [1, 1, 1, 1], fold=1)  # its released test is not scored
    both = page.specificity_table(runs("image_folds", {"A: MAG-SD": [tested, other]}), kept, {})
    assert both.frame.equals(frame) and set(frame["recorded folds"]) == {"1"}


def test_a_patient_is_torn_where_a_recorded_network_learnt_from_another_image():
    # Images 1 and 2 are in other folds, of patients p0 and p1, whose other images are 0 and 3.
    folds = []
    for fold, tested in enumerate([(0, 2), (1, 3), (4, 5), (6, 7), (8, 9)]):
        one = record("x", [0] * 10, [0] * 10, fold)
        one.test = one.predictions = one.test.iloc[list(tested)]
        folds.append(one)
    assert page.torn_recorded(folds) == "40%"
    validated = pd.concat([folds[0].test, folds[1].test.assign(split="val")])
    folds[0].predictions = validated  # images that choose nothing are not learnt from
    assert page.torn_recorded(folds) == "20%"
    assert page.torn_recorded(folds[1:]) == page.torn_recorded([]) == NOT_YET


def test_errors_on_c_are_told_by_pair():
    names = ("healthy", "bacterial pneumonia", "viral pneumonia", "COVID-19")

    def answered(truth, chosen):
        test = pd.DataFrame({"label": [names[k] for k in truth], "split": "test"})
        test["sample"] = test["patient"] = [f"{k}.png" for k in range(len(truth))]
        for number, name in enumerate(names):
            test[f"p_{name}"] = np.where(np.array(chosen) == number, 0.7, 0.1)
        return SimpleNamespace(predictions=test)

    found = runs("architectures", {"C: MAG-SD": [
        answered([0, 0, 3, 1, 2], [3, 0, 0, 2, 2]), answered([0, 1, 2], [3, 1, 1])
    ]})  # fmt: skip
    told = distribution.sentences(found)
    assert told["viral_bacterial"] == "2 of 5" and told["folds_C"] == 2
    assert told["pair_right"] == "viral pneumonia 1 of 2, bacterial pneumonia 1 of 2"
    assert told["largest_pair"] == "healthy and COVID-19, 3 of 5"
    assert distribution.sentences(runs("architectures"))["largest_pair"] == NOT_YET


def test_weights_are_tested_against_the_same_network():
    def folds(values):
        truth = [0, 1] * 26
        return [
            record("x", truth, truth, f, metrics=dict.fromkeys(imbalance.TESTED, v))
            for f, v in enumerate(values)
        ]

    known = {
        "A: MAG-SD": folds([0.8, 0.9]),
        "A: MAG-SD, classes weighted": folds([0.9, 0.95]),
        "A: ResNet50": folds([0.5, 0.5]),
    }
    frame = imbalance.weighted_tests(runs("imbalance", known)).frame
    assert frame.loc["A: MAG-SD, classes weighted", "accuracy"].startswith("+0.075 [")
    assert frame.loc["A: ResNet50, classes weighted", "accuracy"] == NOT_YET
    assert {"sensitivity", "p, sensitivity", "macro F1", "folds"} <= set(frame.columns)


def test_differences_of_the_released_code_have_a_row_each(tmp_path):
    given = SimpleNamespace(profile="smoke", phantom=True, recorded=tmp_path)
    frame = soft_distance.released_tests(given).frame
    assert len(frame) == 9 and "A: all of the released code" in frame.index
    assert set(frame["accuracy"]) == {NOT_YET}


def test_quick_rows_are_those_that_other_pages_train_and_one_more():
    for topic, count in (("imbalance", 3), ("image_folds", 3)):
        rows = plan(f"magsd/{topic}", "smoke", phantoms=True).rows
        assert sum(page.quick(dict(row.cell)) for row in rows) == count
