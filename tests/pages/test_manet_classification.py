from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import precision_recall_fscore_support

from covidlib.pages import classification as parts

CLASSES = ("normal", "COVID-19", "TB")


@dataclass(frozen=True)
class Result:
    """What a page needs of a record."""

    key: str
    provenance: dict
    predictions: pd.DataFrame


def result(seed, key="run"):
    rng = np.random.default_rng(seed)
    truth = np.arange(60) % 3
    values = rng.dirichlet(np.ones(3), 60) + 0.8 * np.eye(3)[truth]
    values /= values.sum(axis=1, keepdims=True)
    table = pd.DataFrame(values, columns=[f"p_{name}" for name in CLASSES])
    table = table.assign(
        sample=[f"image {k}" for k in range(60)], patient=[f"patient {k // 2}" for k in range(60)],
        split="test", label=[CLASSES[k] for k in truth],
    )  # fmt: skip
    return Result(key, {"phantom": False, "profile": "laptop"}, table)


def test_scores_of_classes_are_scikit_learn_s_and_means_over_trials():
    trials = [result(0), result(1)]
    found = parts.class_scores(trials, resamples=50)
    expected = []
    for trial in trials:
        guess = trial.predictions[[f"p_{c}" for c in CLASSES]].to_numpy().argmax(1)
        truth = trial.predictions["label"].map(CLASSES.index)
        expected.append(precision_recall_fscore_support(truth, guess)[:3])
    mean = np.mean(expected, axis=0)
    for number, name in enumerate(CLASSES):
        intervals = found[name].intervals
        values = [intervals[score].value for score in parts.SCORES]
        assert values == pytest.approx(mean[:, number])
        assert all(i.low <= i.value <= i.high for i in intervals.values())
        assert found[name].counts and intervals["f1"].runs == 2
    whole = [
        precision_recall_fscore_support(
            trial.predictions["label"].map(CLASSES.index),
            trial.predictions[[f"p_{c}" for c in CLASSES]].to_numpy().argmax(1),
            average="weighted",
        )[:3]
        for trial in trials
    ]
    values = [found[parts.WHOLE].intervals[score].value for score in parts.SCORES]
    assert values == pytest.approx(np.mean(whole, axis=0))


def test_a_class_that_is_never_predicted_has_no_precision():
    one = result(0)
    table = one.predictions.assign(**{"p_normal": 1.0, "p_COVID-19": 0.0, "p_TB": 0.0})
    found = parts.class_scores([Result("run", one.provenance, table)], resamples=20)
    interval = found["TB"].intervals["precision"]
    assert np.isnan(interval.value) and interval.reason == "never predicted"
    assert found[parts.WHOLE].intervals["precision"].value > 0
    assert found["TB"].intervals["recall"].value == found["TB"].intervals["f1"].value == 0


def test_the_paper_s_confusion_has_its_sums():
    counts = parts.paper_confusion()
    assert counts.loc["TB"].tolist() == [8, 0, 30, 0, 0]
    assert counts.to_numpy().sum() == parts.TEST_IMAGES
    assert np.trace(counts.to_numpy()) == 660


def test_the_paper_s_trials_do_not_show_a_gain():
    table = parts.noise_table().frame
    assert table.loc["ResNet50", "MA − plain"] == "+0.0024"
    assert all(float(p) > 0.05 for p in table["p"])
