import numpy as np
import pandas as pd
import pytest

from covidlib.errors import DataError
from covidlib.evaluation.decisions import decisions


def table(ill, healthy) -> pd.DataFrame:
    """Return predictions with these probabilities of the positive class."""
    values = np.array([*ill, *healthy])
    return pd.DataFrame(
        {
            "sample": [f"s{i}" for i in range(len(values))],
            "split": "test",
            "label": ["covid"] * len(ill) + ["other"] * len(healthy),
            "p_other": 1 - values,
            "p_covid": values,
        }
    )


FOUR = table([0.9, 0.6, 0.2], [0.5, 0.1])


def test_counts_by_hand_and_the_threshold_itself_is_positive():
    found = decisions(FOUR, [0.2, 0.5, 0.7])
    assert found[["tp", "fp", "tn", "fn"]].to_numpy().tolist() == [
        [3, 1, 1, 0],
        [2, 1, 1, 1],
        [1, 0, 2, 2],
    ]


def test_net_benefit_is_that_of_vickers_and_elkin():
    row = decisions(FOUR, [0.2]).iloc[0]
    assert row["net_benefit"] == pytest.approx(3 / 5 - 1 / 5 * 0.25)
    assert row["treat_all"] == pytest.approx(3 / 5 - 2 / 5 * 0.25)


def test_a_rule_that_calls_everybody_is_worth_what_treating_all_is():
    everybody = table([0.99, 0.98], [0.97, 0.96, 0.95])
    found = decisions(everybody, np.arange(1, 10) / 10)
    assert found["net_benefit"].to_numpy() == pytest.approx(found["treat_all"].to_numpy())


def test_predictive_values_follow_bayes_at_every_prevalence():
    row = decisions(FOUR, [0.5], [0.01, 0.6]).iloc[0]
    sensitivity, false_alarms = 2 / 3, 1 / 2
    expected = 0.01 * sensitivity / (0.01 * sensitivity + 0.99 * false_alarms)
    assert row["ppv at 0.01"] == pytest.approx(expected)
    # At the share of ill in the test images it is the plain precision.
    assert row["ppv at 0.6"] == pytest.approx(2 / 3)


def test_nobody_called_positive_has_no_predictive_value():
    row = decisions(FOUR, [0.95]).iloc[0]
    assert np.isnan(row["ppv at 0.1"]) and row["net_benefit"] == 0


@pytest.mark.parametrize("options", [([0.0],), ([1.0],), ([0.5], [1.0])])
def test_thresholds_and_prevalences_are_inside_zero_and_one(options):
    with pytest.raises(ValueError, match="between 0 and 1"):
        decisions(FOUR, *options)


def test_one_class_alone_is_refused():
    with pytest.raises(DataError):
        decisions(table([0.5, 0.6], []), [0.5])
