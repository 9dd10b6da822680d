from itertools import product

import numpy as np
import pytest

from covidlib.audit.f1_cap import _splits, cap_of, f1_cap, f1_table, least_uneven
from covidlib.errors import DataError


def every_matrix(positives, negatives):
    """Errors and F1 of every confusion matrix of two classes."""
    for missed, alarms in product(range(positives + 1), range(negatives + 1)):
        found = positives - missed
        yield missed + alarms, 2 * found / (2 * found + missed + alarms) if found else 0.0


@pytest.mark.parametrize(("positives", "negatives"), [(98, 105), (105, 98), (3, 2), (1, 6), (5, 0)])
def test_the_cap_is_the_largest_f1_of_all_confusion_matrices(positives, negatives):
    best = np.zeros(positives + negatives + 1)
    for errors, f1 in every_matrix(positives, negatives):
        best[errors] = max(best[errors], f1)
    np.testing.assert_allclose(f1_cap(np.arange(len(best)), positives, negatives), best)


def test_macro_and_weighted_f1_stay_below_the_larger_cap():
    rng = np.random.default_rng(1)
    for missed, alarms in rng.integers(0, 50, (400, 2)):
        one, two = (98 - missed, 98), (105 - alarms, 105)
        scores = [2 * right / (2 * right + missed + alarms) for right, _ in (one, two)]
        cap = max(f1_cap(missed + alarms, 98, 105), f1_cap(missed + alarms, 105, 98))
        assert np.mean(scores) <= cap + 1e-12
        assert np.average(scores, weights=[98, 105]) <= cap + 1e-12


def test_rounding_of_the_accuracy_counts_in_its_favour():
    # 94.2 may be 94.25: 11.67 errors, not 11.77.
    assert cap_of("94.2", 98, 105) == pytest.approx(196 / (196 + 203 * 0.0575))
    assert cap_of("100.0", 98, 105) == 1


def test_errors_outside_the_images_are_refused():
    for errors in (-1, 204):
        with pytest.raises(DataError, match="errors among"):
            f1_cap(errors, 98, 105)


def test_8_and_5_of_36_rows_are_above_their_caps():
    frame = f1_table()
    assert (len(frame), frame["above_covid"].sum(), frame["above_either"].sum()) == (36, 8, 5)
    above = frame[frame["above_either"]]
    assert set(above["variant"]) == {"attn5"}
    caps = {(r.accuracy, r.f1): f"{r.cap_either:.1f}" for r in above.itertuples()}
    assert caps == {
        ("93.9", "94.7"): "94.5",
        ("94.2", "95.3"): "94.7",
        ("93.6", "94.3"): "94.2",
        ("93.7", "95.0"): "94.3",
        ("93.1", "94.5"): "93.8",
    }
    assert (frame["cap_either"] >= frame["cap_covid"]).all()


@pytest.mark.parametrize(
    ("total", "parts", "largest"), [(7, 3, 7), (7, 3, 4), (0, 2, 5), (9, 1, 8)]
)
def test_splits_are_all_ways_once(total, parts, largest):
    found = list(_splits(total, parts, largest))
    wanted = {
        tuple(sorted(way, reverse=True))
        for way in product(range(largest + 1), repeat=parts)
        if sum(way) == total
    }
    assert len(found) == len(set(found)) and set(found) == wanted


def test_least_uneven_runs_against_trying_all():
    positives, negatives, runs = 6, 5, 3
    accuracy, f1 = "63.6", "75.0"  # 12 errors of 33
    found = least_uneven(accuracy, f1, positives, negatives, runs)
    ways = [
        way
        for way in product(range(12), repeat=runs)
        if abs(100 - 100 * sum(way) / 33 - 63.6) <= 0.05
        and 100 * np.mean(f1_cap(np.array(way), positives, negatives)) >= 74.95
    ]
    assert found is not None and sum(found) == 12
    assert found[0] - found[-1] == min(max(way) - min(way) for way in ways)
    assert least_uneven("63.6", "99.0", positives, negatives, runs) is None


def test_rows_above_the_cap_need_uneven_runs():
    # One run never gives them, by construction; these are the rows of the page's table.
    for row in f1_table().query("above_either").itertuples():
        assert least_uneven(row.accuracy, row.f1, 105, 98, runs=1) is None
    assert least_uneven("94.2", "95.3", 105, 98, runs=4) == (43, 2, 1, 1)
    assert least_uneven("93.6", "94.3", 105, 98, runs=2) == (20, 6)
    # A row within its cap needs no unevenness beyond what the count asks for.
    assert least_uneven("93.1", "92.9", 105, 98, runs=2) == (14, 14)
