"""What the page says about the paper's numbers, computed here a second time."""

import math

import numpy as np
import pytest
from matplotlib import pyplot as plt

from covidlib.pages import leep_in_print, leep_relatives, leep_toy
from covidlib.pages import transferability as parts


def test_the_printed_table_has_every_network_and_stage():
    table = leep_in_print.printed()
    assert table.shape == (6, 3)
    assert table.loc["R-101 baseline", "STL-N"] == -0.909  # printed "0.-909"
    assert table.loc["R-50 5 ATTNs", "STL-N, STL-M"] == -0.875


def test_the_splits_add_up_to_the_published_data_set():
    found = leep_in_print.splits()
    np.testing.assert_array_equal(found["all images"], [349, 397])
    np.testing.assert_array_equal(found["test"], [98, 105])


def test_no_printed_value_is_possible_in_nats_and_all_are_in_bits():
    table = leep_in_print.split_table()
    assert set(table["possible, nats"]) == {"0 of 18"}
    assert set(table["possible, bits"]) == {"18 of 18"}
    assert set(table["possible, base 10"]) == {"0 of 18"}
    share = 349 / 746
    bits = share * math.log2(share) + (1 - share) * math.log2(1 - share)
    assert table.loc["all images", "−H(Y), bits"] == f"{bits:.3f}"
    assert leep_in_print.prior() == pytest.approx(-bits)


def test_the_accuracy_behind_a_gain_solves_its_equation():
    for accuracy in (0.6, 0.75, 0.99):
        gain = 1 + accuracy * math.log2(accuracy) + (1 - accuracy) * math.log2(1 - accuracy)
        assert leep_in_print.accuracy_for(gain) == pytest.approx(accuracy)


def test_the_claims_of_the_text_hold_in_print():
    found = leep_in_print.claims_table().frame["holds in print, beyond rounding"]
    assert found["msatl-Q15"] == "12 of 12"
    assert found["msatl-Q14"] == "8 of 8"


def test_random_cases_keep_to_the_bounds():
    counts = parts.case_counts(parts.random_cases(100, seed=3))
    assert counts["cases"] == 100
    assert counts["broken"] == 0
    assert counts["below_nce"] > 0
    assert counts["above_nce"] > 0


def test_the_dotted_line_of_false_gains_is_its_legend_in_bits():
    _, ax = plt.subplots()
    parts.draw_null(ax, parts.null_gains(40, 1, seed=0), 40)
    (line,) = [one for one in ax.lines if one.get_linestyle() == ":"]
    plt.close(ax.figure)
    assert line.get_label() == "(Z − 1) / 2N nats" and "bits" in ax.get_ylabel()
    heads, gain = line.get_data()
    np.testing.assert_allclose(gain * math.log(2), (heads - 1) / 80)  # nats


def test_the_toy_meets_its_closed_forms():
    table = leep_toy.toy(0.8).set_index("agreement")
    assert table["accuracy"].to_numpy() == pytest.approx(table.index.to_numpy())
    # At full agreement P(y|z) is 0.8, so the sum is 0.8^2 + 0.2^2.
    assert table["LEEP"].iloc[-1] == pytest.approx(math.log2(0.68))
    assert table["NCE"].iloc[-1] == 0
    assert (table["LEEP"] >= table["−H(Y | Z̃)"] - 1e-12).all()
    sure = leep_toy.toy(1.0)
    np.testing.assert_allclose(sure["LEEP"], sure["NCE"], atol=1e-12)


def test_false_gains_follow_the_theory_of_counts():
    gains = parts.null_gains(746, 2, seed=0).set_index(["sharpness", "heads"])["gain"]
    assert gains["one-hot", 3] == pytest.approx(2 / (2 * 746 * math.log(2)), rel=0.2)
    assert gains["one-hot", 1000] > 0.5
    assert (gains["one-hot"] >= gains["logits of deviation 1"]).all()


def test_luck_is_a_share_that_falls_with_more_models():
    shares = leep_relatives.luck(0.5)
    assert shares.is_monotonic_decreasing
    assert shares[4] == pytest.approx(5 / 24)


def test_every_score_has_its_facts():
    assert list(leep_relatives.relatives(0, shuffles=1).index) == list(leep_relatives.FACTS)


def test_figures_draw_what_they_are_given():
    figure, axes = plt.subplots(1, 5)
    parts.draw_cases(axes[:3], parts.random_cases(5, seed=0))
    assert len(leep_in_print.draw_printed(axes[3]).lines) == 8
    assert len(leep_toy.draw_toy(axes[4], 0.75).lines) == 4
    plt.close(figure)
