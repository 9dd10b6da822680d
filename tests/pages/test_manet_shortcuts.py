from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score

from covidlib.pages.shortcuts import balanced, index

CLASSES = ("a", "b", "c", "d")


@dataclass(frozen=True)
class Result:
    predictions: pd.DataFrame


def result(wrong):
    """Forty images of four classes; the first ``wrong`` of each class are called the next one."""
    truth = np.repeat(np.arange(4), 10)
    guess = np.where(np.tile(np.arange(10), 4) < wrong, (truth + 1) % 4, truth)
    table = pd.DataFrame(np.eye(4)[guess], columns=[f"p_{c}" for c in CLASSES])
    names = [f"i{k}" for k in range(40)]
    return Result(table.assign(sample=names, split="test", label=[CLASSES[t] for t in truth]))


def test_balanced_accuracy_is_scikit_learn_s():
    runs = [result(2), result(4)]
    values, classes = balanced(runs, resamples=20)
    expected = [
        balanced_accuracy_score(
            r.predictions["label"].map(CLASSES.index),
            r.predictions.iloc[:, :4].to_numpy().argmax(1),
        )
        for r in runs
    ]
    assert values[0] == pytest.approx(np.mean(expected)) == 0.7 and classes == 4
    assert len(values) == 21 and balanced([]) is None


def test_the_index_goes_from_chance_to_the_lungs():
    lungs = [result(2)]
    value, low, high = index([result(6)], lungs)
    assert value == pytest.approx((0.4 - 0.25) / (0.8 - 0.25)) and low <= value <= high
    assert index(lungs, lungs)[0] == 1


def test_without_anything_to_compare_there_is_no_index():
    assert index([], [result(1)]) is None
    assert index([result(1)], [result(8)]) is None  # the lungs are below chance
