from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from covidlib.localization_scores import (
    BLOB,
    COARSE,
    LUNGS,
    MEAN,
    THRESHOLDS,
    Overlaps,
    recorded,
    write,
)
from covidlib.pages import localization
from covidlib.pages.results import NOT_YET

REAL = {"phantom": False, "profile": "laptop"}


def overlaps(value=0.4, letter="A", key="run", images=6, **provenance):
    """Attention overlaps by one value everywhere, floors by 0.1; an image a patient."""
    lines = [
        {"sample": f"{label}{k}", "patient": f"{label}{k}", "label": label, "source": source,
         "threshold": t, "mask": v, "box": v}
        for label in localization.CLASSES
        for k in range(images)
        for source, v in ((MEAN, value), (BLOB, 0.1), (LUNGS, 0.1))
        for t in ((float("nan"),) if source == LUNGS else THRESHOLDS)
    ]  # fmt: skip
    return Overlaps(key, letter, 0, pd.DataFrame(lines), REAL | provenance)


def test_the_paper_is_a_lower_bound_in_its_own_measure_of_each_class():
    drawn = overlaps(phantom=True, profile="smoke")
    found = localization.table([drawn], [overlaps(0.1)])
    frame = found.frame
    printed = frame[frame["paper"].notna()]
    assert [name for name, _ in printed.index] == [
        "COVID-19: mean attention, above 0.5", "pneumonia: mean attention, above 0.5"
    ]  # fmt: skip
    assert [metric for _, metric in printed.index] == ["masks", "boxes"]
    assert printed["verdict"].tolist() == ["below", "below"]
    assert printed["recorded"].iloc[0].value == pytest.approx(0.1)
    assert printed["this run"].iloc[0].value == pytest.approx(0.4)
    assert "data set A" in found.note and not any(COARSE in name for name, _ in frame.index)
    alone = localization.table([drawn], []).frame
    assert set(alone["verdict"]) == {"not testable here", ""}


def test_networks_of_b_speak_before_those_of_a(tmp_path):
    assert recorded(tmp_path) == []
    write(overlaps(0.2, "A", "one"), tmp_path)
    write(overlaps(0.3, "A", "two"), tmp_path)
    assert [one.key for one in recorded(tmp_path)] == ["one", "two"]
    told = localization.sentences(overlaps(), recorded(tmp_path))
    assert told["networks"] == "networks of 2 folds of data set A"
    assert (told["claimed"], told["images"]) == (0.25, 12)
    # Two numbers that differ by 0.1 tell little of a third: 0.25 ± 12.7 · 0.05.
    assert (told["covid"], told["covid_lungs"]) == ("0.25 [0.00, 0.89]", "0.10 [0.10, 0.10]")
    write(overlaps(0.4, "B", "three"), tmp_path)
    assert [one.key for one in recorded(tmp_path)] == ["three"]


def test_nothing_recorded_is_said():
    told = localization.sentences(overlaps(), [])
    assert {told[name] for name in ("networks", "covid", "pneumonia_blob")} == {NOT_YET}


def test_intervals_are_over_patients():
    """Five images of one patient and one of another: the mean moves as two people do."""
    one = overlaps(images=6)
    table = one.table
    first = table["sample"].str.endswith("0")
    table.loc[first & (table["source"] == MEAN), "mask"] = 1.0
    table["patient"] = np.where(first, "p", "q")
    value = localization.interval([replace(one, table=table)], "COVID-19", MEAN, 0.5, "mask")
    assert value.value == pytest.approx(0.5) and value.images == 6
    assert (value.low, value.high) == pytest.approx((0.4, 1.0))


def test_networks_that_differ_widen_the_interval():
    """No patient differs from another, so the interval is that of a t test over networks."""
    found = [overlaps(value, key=str(value)) for value in (0.2, 0.3, 0.7)]
    got = localization.interval(found, "COVID-19", MEAN, 0.5, "mask")
    known = stats.ttest_1samp([0.2, 0.3, 0.7], 0).confidence_interval()
    assert (got.value, got.runs, got.images) == (pytest.approx(0.4), 3, 6)
    assert (got.low, got.high) == pytest.approx((max(0.0, known.low), min(1.0, known.high)))


def test_every_threshold_is_drawn_and_an_empty_class_says_so():
    fig, axes = plt.subplots(1, 2)
    one = overlaps(0.3)
    only = replace(one, table=one.table[one.table["label"] == "COVID-19"])
    localization.draw_overlaps(axes, [only])
    labels = [line.get_label() for line in axes[0].lines]
    assert labels == [MEAN, LUNGS, BLOB, "paper: more than this"]
    assert axes[0].lines[0].get_xdata().tolist() == list(THRESHOLDS)
    assert axes[1].texts[0].get_text() == NOT_YET
    plt.close(fig)
