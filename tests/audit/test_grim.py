from fractions import Fraction

import numpy as np
import pytest

from covidlib.audit.configurations import configurations, repeats, set_sizes
from covidlib.audit.grim import chance, counts, grim, nearest, possible
from covidlib.audit.overview import manet_test_images, manet_trials
from covidlib.audit.rounding import (
    EXACT,
    OFF,
    ROUNDING,
    bounds,
    decimal,
    follows,
    half_width,
)
from covidlib.errors import DataError


def by_hand(images, runs, digits):
    """All percentages of all counts, as a computer would print them."""
    return {f"{100 * k / (images * runs):.{digits}f}" for k in range(images * runs + 1)}


@pytest.mark.parametrize(("images", "runs", "digits"), [(203, 1, 1), (203, 3, 1), (680, 1, 2)])
def test_possible_is_what_printing_every_count_gives(images, runs, digits):
    printed = by_hand(images, runs, digits)
    step = 10**digits
    for i in range(0, 100 * step + 1, 7):
        text = f"{i / step:.{digits}f}"
        assert possible(text, images, runs) == (text in printed), text


def test_halves_may_be_rounded_either_way():
    # 1 of 8 is 12.5 %: a paper may print 12 or 13.
    assert possible("12", 8) and possible("13", 8)
    assert not possible("14", 8)


def test_counts_are_all_counts_that_round_to_the_text():
    assert list(counts("50", 1000)) == list(range(495, 506))
    assert list(counts("100.0", 203)) == [203]
    assert list(counts("0.0", 203)) == [0]
    assert nearest("93.37", 680) == (634, 635)
    with pytest.raises(DataError, match="need an image"):
        counts("50", 0)


def test_chance_is_the_density_of_counts():
    # 203 counts over 1000 one-digit percentages; where counts are sparse, each takes one number.
    assert chance(203, low=0) == pytest.approx(0.203, abs=0.002)
    assert chance(10, decimals=0, low=0) == pytest.approx(0.1)
    assert chance(100, decimals=0) == 1


def test_24_of_36_accuracies_are_no_count_of_203():
    accuracies = configurations()["accuracy"]
    found = grim(accuracies.to_dict(), 203)
    assert len(found) == 36
    assert found[[1, 2, 3, 4, 5]].sum().tolist() == [12, 15, 22, 29, 36]
    assert not found.loc[found["printed"].isin(["83.8", "93.9", "94.2"]), 1].any()
    # Counted over different values instead of rows: 21 of 30, and six that four runs leave.
    distinct = grim({text: text for text in accuracies}, 203)
    assert (len(distinct), (~distinct[1]).sum(), (~distinct[4]).sum()) == (30, 21, 6)


def test_the_computer_agrees_about_the_36():
    printed = by_hand(203, 1, 1)
    assert sum(text in printed for text in configurations()["accuracy"]) == 12


def test_one_of_manets_thirty_trials_is_no_count_of_680():
    assert manet_test_images() == 680
    found = grim(manet_trials(), 680, (1,))
    assert len(found) == 30
    assert found.index[~found[1]].tolist() == ["vgg16, trial 2"]


def test_configurations_hold_each_printed_number_once():
    frame = configurations()
    assert frame.index.is_unique and len(frame) == 36
    assert frame.loc["R-101 5 ATTNs, all stages, proposed", "accuracy"] == "94.2"
    assert frame.loc["R-50 baseline, no transfer", ["accuracy", "f1", "auc"]].tolist() == [
        "83.7",
        "84.1",
        "84.6",
    ]
    assert {name: sum(set_sizes(name)) for name in ("training", "validation", "test", "all")} == {
        "training": 425,
        "validation": 118,
        "test": 203,
        "all": 746,
    }


def test_54_cells_are_printed_again_and_are_the_same():
    again = repeats()
    assert len(again) == 54 and again["equal"].all()
    assert again["table"].value_counts().to_dict() == {3: 18, 4: 18, 5: 18}


def test_printed_text_is_an_interval_with_its_last_digit():
    assert bounds("95.10") == (Fraction(19019, 200), Fraction(19021, 200))
    assert half_width("-0.909") == Fraction(1, 2000)
    assert bounds("7") == (Fraction(13, 2), Fraction(15, 2))
    assert bounds("95.1") != bounds("95.10")
    with pytest.raises(DataError, match="not a printed number"):
        decimal("0.-909")
    with pytest.raises(DataError, match="not a finite"):
        decimal("NaN")


def test_following_needs_unrounded_numbers_that_give_the_digits():
    rng = np.random.default_rng(0)
    for _ in range(300):  # whatever the unrounded numbers, their printed difference is no error
        one, two = rng.uniform(80, 95, 2).round(4)
        texts = [f"{value:.1f}" for value in (one, two, one - two)]
        computed = Fraction(decimal(texts[0])) - Fraction(decimal(texts[1]))
        assert follows(texts[2], computed, Fraction(1, 10)) in (EXACT, ROUNDING), (one, two)
    assert follows("6.6", Fraction(64, 10), Fraction(1, 10)) == OFF
    assert follows("6.5", Fraction(64, 10), Fraction(1, 10)) == ROUNDING
