"""Figure 4's page: which slices are shown, and what its table says of heat."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from covidlib.book import Page, Parameters
from covidlib.explain import stretch
from covidlib.heat_scores import ATTENTION, BLOB, GRAD_CAM, KINDS, HeatScores, read
from covidlib.pages import heatmaps as parts
from covidlib.pages.results import NOT_YET
from covidlib.paths import RESULTS
from covidlib.runs.record import Record


def scored(kind, inside, seed=0, phantom=False):
    """Return scores of maps of four slices of three patients, whose lungs cover a fourth."""
    return HeatScores(
        kind=kind,
        key="a-run",
        seed=seed,
        size=224,
        grid=(7, 7),
        samples=("1", "2", "3", "4"),
        patients=("a", "a", "b", "c"),
        inside=np.array(inside, dtype=float),
        area=np.full(4, 0.25),
        called=0.75,
        maps=np.random.default_rng([seed, *kind.encode()]).random((4, 7, 7)),
        randomised={"trained": 1.0, "fc": 0.5, "conv": 0.1 * seed},
        provenance={"phantom": phantom},
    )


def test_slices_are_spaced_evenly_by_a_rule():
    assert parts.shown(range(98)) == [0, 32, 64, 97]
    assert parts.shown(range(3)) == [0, 1, 2]


def test_heat_is_set_against_the_lungs_share_of_the_image():
    inside = [0.35, 0.35, np.nan, 0.45]
    bell = scored(BLOB, [0.5] * 4, phantom=True)
    table = parts.table([scored(GRAD_CAM, inside)], [bell], {})
    line = table.frame.loc[f"{GRAD_CAM}, recorded"]
    assert (line["slices"], line["without heat"], line["called positive"]) == ("4", "1", "75%")
    assert (line["heat in lungs"], line["chance"]) == ("0.383", "0.250")
    assert line["difference"].startswith("+0.133 [") and line["cells"] == "7×7"
    bell = table.frame.loc[f"{BLOB}, this run (phantoms)"]
    assert bell["difference"] == "+0.250 [+0.250, +0.250]"
    assert pd.isna(bell["called positive"])  # it is no network
    assert table.frame.loc[f"{ATTENTION}, recorded", "difference"] == NOT_YET
    assert len(table.frame) == 2 * len(KINDS)


def test_networks_that_no_longer_work_at_the_size_of_the_maps_are_named():
    maps = [scored(GRAD_CAM, [0.3] * 4), scored(GRAD_CAM, [0.3] * 4, seed=1)]
    homes = {"a-run": (0.9, 64)}
    line = parts.table(maps, [], homes).frame.loc[f"{GRAD_CAM}, recorded"]
    assert line["called positive"] == "75%; 90% at 64 pixels"
    told = parts.out_of_place([*maps, scored(BLOB, [0.5] * 4)], homes)
    assert told == "R-50 at 224 pixels 75%, at the 64 of training 90%"
    assert parts.out_of_place(maps, {}) == parts.out_of_place([], homes) == NOT_YET


def test_what_a_network_finds_at_the_size_of_its_training_is_in_its_record(tmp_path):
    page = Page(Parameters(), None, tmp_path, RESULTS)
    known = [one for one in read(RESULTS) if one.kind == GRAD_CAM]
    found = parts.at_home(page, [*known, scored(ATTENTION, [0.3] * 4)])
    assert set(found) == {one.key for one in known}
    for key, (share, size) in found.items():
        tested = Record(RESULTS / "msatl" / key).test
        ill = tested[tested["label"] == "COVID"]
        assert share == pytest.approx((ill["p_COVID"] > 0.5).mean()) and size == 64


def test_the_first_box_tells_what_is_recorded_and_nothing_else():
    assert parts.told([]) == NOT_YET
    dark = scored(GRAD_CAM, [np.nan] * 4)
    assert parts.told([dark]) == NOT_YET
    seeds = [scored(ATTENTION, [0.3] * 4), scored(ATTENTION, [0.5] * 4, seed=1)]
    assert parts.told([dark, *seeds]) == f"{ATTENTION} +0.150 [+0.150, +0.150]"


def test_randomisation_is_drawn_as_the_mean_over_seeds():
    from matplotlib import pyplot as plt

    fig, ax = plt.subplots()
    parts.draw_randomised(ax, [scored(ATTENTION, [0.3] * 4, seed=s) for s in (0, 1)], "recorded")
    (line,) = [one for one in ax.lines if one.get_label() == ATTENTION]
    assert line.get_ydata() == pytest.approx([1.0, 0.5, 0.05])
    plt.close(fig)


def test_the_recorded_figure_shows_the_recorded_maps_of_the_first_seed():
    from matplotlib import pyplot as plt

    page = Page(Parameters("smoke", "phantoms", 0), None, Path("store"), Path("results"))
    some = [scored(kind, [0.3] * 4, seed=s) for s in (1, 0) for kind in KINDS]
    fig = parts.recorded_figure_4(page, some)
    drawn = [ax.images[0].get_array() for ax in fig.axes]
    assert len(drawn) == 8, "four slices, two maps, no picture"
    for column, kind in enumerate((GRAD_CAM, ATTENTION)):
        (own,) = [one for one in some if one.kind == kind and one.seed == 0]
        whole = stretch(torch.from_numpy(own.maps), drawn[0].shape)
        for row in range(4):
            np.testing.assert_allclose(drawn[2 * row + column], whole[row])
    plt.close(fig)
    empty = parts.recorded_figure_4(page, some[:1])
    assert empty.axes[0].texts[0].get_text() == NOT_YET
    plt.close(empty)
