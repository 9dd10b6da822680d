import warnings

import numpy as np
import pandas as pd
import pytest
from synthetic_predictions import answers, predictions

from covidlib.errors import DataError
from covidlib.evaluation import METRICS, confusion, per_class, roc, score
from covidlib.evaluation.metrics import compute
from covidlib.evaluation.predictions import scored
from covidlib.published import published

THREE = ("normal", "bacterial", "viral")


PRINTED = ("accuracy", "f1", "f1_macro", "sensitivity", "specificity", "auc")


def test_a_hand_counted_example():
    # 4 positives of which 3 are found, 6 negatives of which 4 are left alone.
    table = answers("1111000000", "1110110000")
    found = {name: score(table, name).value for name in PRINTED}
    assert found == pytest.approx(
        {
            "accuracy": 7 / 10,
            "f1": 2 * 3 / (2 * 3 + 2 + 1),
            "f1_macro": (6 / 9 + 8 / 11) / 2,
            "sensitivity": 3 / 4,
            "specificity": 4 / 6,
            "auc": (3 / 4 + 4 / 6) / 2,  # two-valued scores: the mean of both rates
        }
    )
    assert score(table, "precision").value == pytest.approx(3 / 5)


def test_the_last_class_is_positive():
    table = answers("1111000000", "1110110000")
    swapped = table.rename(columns={"p_healthy": "p_covid", "p_covid": "p_healthy"})
    swapped["label"] = swapped["label"].map({"covid": "healthy", "healthy": "covid"})
    columns = ["sample", "patient", "split", "label", "p_healthy", "p_covid"]
    assert score(swapped[columns], "sensitivity").value == score(table, "specificity").value


def test_auc_is_the_chance_that_a_positive_scores_higher():
    table = predictions(40, skill=0.7, digits=1)
    positive = table["label"] == "covid"
    pairs = np.sign(
        table.loc[positive, "p_covid"].to_numpy()[:, None]
        - table.loc[~positive, "p_covid"].to_numpy()
    )
    assert score(table, "auc").value == pytest.approx((pairs.mean() + 1) / 2)


def test_several_classes_are_averaged_one_against_the_rest():
    table = predictions(90, THREE, skill=1.0)
    s = scored(table)
    counts = confusion(table).to_numpy()
    hit, real, given = np.diag(counts), counts.sum(axis=1), counts.sum(axis=0)
    assert score(table, "sensitivity").value == pytest.approx((hit / real).mean())
    assert score(table, "specificity").value == pytest.approx(
        ((90 - real - given + hit) / (90 - real)).mean()
    )
    assert score(table, "f1").value == pytest.approx((2 * hit / (real + given)).mean())
    areas = []
    for k, name in enumerate(THREE):
        other = table.assign(
            label=np.where(s.truth == k, "covid", "healthy"),
            p_healthy=1 - s.probabilities[:, k],
            p_covid=s.probabilities[:, k],
        )[["sample", "split", "label", "p_healthy", "p_covid"]]
        areas.append(score(other, "auc").value)
        curve = roc(table, positive=name)
        assert np.trapezoid(curve["tpr"], curve["fpr"]) == pytest.approx(areas[-1])
    assert score(table, "auc").value == pytest.approx(np.mean(areas))


def test_top_five_of_ten():
    table = predictions(100, tuple("abcdefghij"), skill=0.5)
    s = scored(table)
    own = s.probabilities[np.arange(100), s.truth]
    rank = (s.probabilities > own[:, None]).sum(axis=1)
    assert score(table, "top5").value == np.mean(rank < 5)
    assert score(table, "top1").value == np.mean(rank < 1)
    assert score(predictions(), "top5").reason == "five or fewer classes"


@pytest.mark.parametrize(
    ("truth", "given", "metric", "reason"),
    [
        ("0000", "0100", "auc", "no image of class covid"),
        ("1111", "0111", "auc", "no image of class healthy"),
        ("0000", "0100", "sensitivity", "no image of class covid"),
        ("0000", "0100", "f1", "no image of class covid"),
        ("1111", "0100", "specificity", "no image of class healthy"),
        ("1111", "0100", "f1_macro", "no image of class healthy"),
        ("0011", "0000", "precision", "no image was given one of the classes"),
    ],
)
def test_what_images_cannot_decide_is_nan_with_a_reason(truth, given, metric, reason):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = score(answers(truth, given), metric)
    assert np.isnan(found.value)
    assert found.reason == reason


def test_one_class_still_has_an_accuracy():
    assert score(answers("0000", "0100"), "accuracy") == (0.75, "")


def test_an_absent_class_of_three_leaves_macro_means_undefined():
    table = predictions(90, THREE)
    table = table[table["label"] != "viral"]
    for metric in ("f1", "f1_macro", "sensitivity", "specificity", "auc"):
        assert score(table, metric).reason == "no image of class viral"


def test_unknown_labels_are_left_out():
    table = answers("1111000000", "1110110000")
    more = pd.concat([table, table.assign(sample=table["sample"] + "x", label=pd.NA)])
    assert all(score(more, name) == score(table, name) for name in PRINTED)
    assert confusion(more).to_numpy().sum() == 10


def test_only_the_asked_split_counts():
    table = answers("1100", "1100")
    other = answers("1100", "0011").assign(split="val")
    other["sample"] = "val/" + other["sample"]
    both = pd.concat([table, other])
    assert score(both, "accuracy").value == 1
    assert score(both, "accuracy", split="val").value == 0
    assert score(both, "accuracy", split=None).value == 0.5


def test_metrics_of_the_printed_confusion_matrix_are_those_printed():
    """manet Table 5 (counts) gives manet Table 4 (precision, recall, F1, support)."""
    counts = published("manet", 5)
    classes = tuple(dict.fromkeys(counts["class"]))
    rows = []
    for row in counts.itertuples():
        given = row.metric.removeprefix("count_pred_")
        rows += [(row[counts.columns.get_loc("class") + 1], given)] * int(row.number)
    table = pd.DataFrame(rows, columns=["label", "given"])
    table = table.assign(sample=[str(i) for i in range(len(table))], split="test")
    for name in classes:
        table[f"p_{name}"] = (table["given"] == name).astype(float)
    ours = per_class(table)
    for row in published("manet", 4).to_dict("records"):
        value = ours.loc[row["class"], row["metric"]]
        assert value == pytest.approx(row["number"], abs=row["half_width"] + 1e-9), row
    assert score(table, "accuracy").value == 660 / 680


def test_weighted_average_ignores_only_classes_without_images():
    table = per_class(answers("0011", "0000"))
    assert np.isnan(table.loc["covid", "precision"])
    assert np.isnan(table.loc["weighted_average", "precision"])
    assert table.loc["weighted_average", "recall"] == 0.5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop(columns="label"), "lack the columns"),
        (lambda t: t.drop(columns="p_covid"), "two or more classes"),
        (lambda t: t.assign(split="val"), "no labelled image"),
        (lambda t: t.assign(label="tb"), "no probability column"),
        (lambda t: t.assign(sample="same"), "predicted twice"),
        (lambda t: t.assign(p_covid=np.nan), "not finite"),
        (lambda t: t.assign(p_covid=3.0, p_healthy=-2.0), "not in"),
        (lambda t: t.assign(p_covid=0.7, p_healthy=0.7), "sum to"),
    ],
)
def test_predictions_that_break_their_contract_are_refused(change, message):
    with pytest.raises(DataError, match=message):
        score(change(answers("1100", "1000")), "accuracy")


def test_unknown_metric_and_class_are_refused():
    with pytest.raises(DataError, match="unknown metric"):
        score(answers("10", "10"), "dice")
    with pytest.raises(DataError, match="name the positive class"):
        roc(predictions(30, THREE))
    with pytest.raises(DataError, match="unknown class"):
        roc(predictions(30), positive="tb")
    with pytest.raises(DataError, match="with and without"):
        roc(answers("11", "10"))


def test_every_metric_is_perfect_on_perfect_answers():
    table = predictions(60, tuple("abcdef"), skill=1000)
    s = scored(table)
    assert {name: compute(s, name).value for name in METRICS} == dict.fromkeys(METRICS, 1.0)
