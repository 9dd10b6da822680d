from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from scipy import stats

from covidlib import figures
from covidlib.claims import claim
from covidlib.data.cache import Cached
from covidlib.localization_scores import (
    BLOB,
    COARSE,
    FEWEST,
    LUNGS,
    MEAN,
    THRESHOLDS,
    Overlaps,
    read,
    recorded,
    scores,
    speaking,
    write,
)
from covidlib.pages import localization, localization_pictures
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
    reached = localization.table([drawn], [overlaps(0.9), overlaps(0.8)]).frame["verdict"]
    assert set(reached) == {"not testable here", ""}  # a bound that is kept is not reproduced
    alone = localization.table([drawn], []).frame
    assert set(alone["verdict"]) == {"not testable here", ""}


def test_what_is_recorded_of_a_is_told(tmp_path):
    assert recorded(tmp_path) == []
    write(overlaps(0.2, "A", "one"), tmp_path)
    write(overlaps(0.3, "A", "two"), tmp_path)
    assert [one.key for one in recorded(tmp_path)] == ["one", "two"]
    told = localization.sentences(overlaps(), recorded(tmp_path), read(tmp_path))
    assert told["networks"] == "networks of 2 folds of data set A"
    assert told["each"] == "2 networks of A and no networks of B"
    assert (told["claimed"], told["images"]) == (0.25, 12)
    # Two numbers that differ by 0.1 tell little of a third: 0.25 ± 12.7 · 0.05.
    assert (told["covid"], told["covid_lungs"]) == ("0.25 [0.00, 0.89]", "0.10 [0.10, 0.10]")
    assert told["located"] == "COVID-19 and pneumonia"
    assert localization.located([overlaps(0.1)]) == "neither class"
    assert localization.located([]) == NOT_YET


@pytest.mark.parametrize(
    "of_a, of_b, letter, count",
    [
        (5, 1, "A", 5),
        (5, 4, "A", 5),
        (5, 5, "B", 5),
        (3, 4, "B", 4),
        (2, 2, "A", 2),
        (0, 1, "B", 1),
    ],
)
def test_networks_of_b_speak_where_they_are_as_many(tmp_path, of_a, of_b, letter, count):
    for name, networks in (("A", of_a), ("B", of_b)):
        for number in range(networks):
            write(overlaps(0.2, name, f"{name}{number}"), tmp_path)
    found = recorded(tmp_path)
    assert [one.letter for one in found] == [letter] * count
    assert [one.key for one in found] == [one.key for one in speaking(read(tmp_path))]
    told = localization.sentences(overlaps(), found, read(tmp_path))
    assert told["networks"].endswith(f"of data set {letter}")
    assert told["each"] == f"{of_a or 'no'} networks of A and {of_b} networks of B"
    assert told["fewest"] == FEWEST == claim.FEWEST


def test_nothing_recorded_is_said():
    told = localization.sentences(overlaps(), [], [])
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


@pytest.fixture
def located(tmp_path):
    """One image of each class with two lesions, and attention that is a disc between them."""
    lesions = np.zeros((2, 224, 224), np.uint8)
    lesions[:, 40:60, 50:80] = lesions[:, 100:130, 120:150] = 1
    rows, columns = np.mgrid[:224, :224]
    heat = np.stack([np.clip(1 - np.hypot(rows - 90, columns - 100) / 80, 0, 1)] * 2)
    table = pd.DataFrame({"sample": ["a", "b"], "label": list(localization.CLASSES)})
    table["patient"] = pd.array(["p", "q"], dtype="string")
    known = np.ones(2, bool)
    cached = Cached(np.zeros_like(lesions), lesions, lesions, known, known, table, (), tmp_path)
    found = overlaps()
    return localization.Located(cached, heat, replace(found, table=scores({MEAN: heat}, cached)))


def test_each_class_shows_the_shapes_that_its_measure_compares(located):
    fig, axes = plt.subplots(1, 2)
    localization_pictures.draw(axes, located)
    own = located.found.table
    own = own[(own["source"] == MEAN) & (own["threshold"] == 0.5)].set_index("label")
    masks, boxes = axes
    covid, pneumonia = (own.loc[label] for label in localization.CLASSES)
    assert masks.get_title() == f"COVID-19\nIoU of masks {covid['mask']:.2f}"
    assert boxes.get_title() == f"pneumonia\nIoU of boxes {pneumonia['box']:.2f}"
    assert covid["mask"] != pytest.approx(covid["box"], abs=0.1)
    assert not masks.patches and len(masks.collections) == 2  # the lesions and the region
    assert not boxes.collections
    truth, found = boxes.patches
    assert (truth.get_x(), truth.get_y(), truth.get_width(), truth.get_height()) == (
        50,
        40,
        100,
        90,
    )
    # The disc above a half has a radius of 40 pixels around (100, 90), both ends included.
    assert (found.get_x(), found.get_y(), found.get_width(), found.get_height()) == (60, 50, 81, 81)
    assert truth.get_edgecolor()[:3] == pytest.approx(to_rgb(figures.PALETTE[4]))
    plt.close(fig)


def test_attention_without_a_region_draws_the_lesions_alone(located):
    fig, axes = plt.subplots(1, 2)
    localization_pictures.draw(axes, replace(located, heat=np.zeros_like(located.heat)))
    assert len(axes[0].collections) == 1 and len(axes[1].patches) == 1
    assert axes[0].get_title().endswith("0.00")
    plt.close(fig)
