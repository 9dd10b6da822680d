import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from synthetic_predictions import Result, answers, predictions

from covidlib import figures
from covidlib.errors import DataError
from covidlib.evaluation import Interval, confusion, intervals, score
from covidlib.published import paper_values
from covidlib.tables import Row, comparison_table

THREE = ("normal", "bacterial", "viral")


@pytest.fixture
def ax():
    with figures.style():
        fig, ax = plt.subplots()
    yield ax
    plt.close(fig)


def labels(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_style_leaves_nothing_behind():
    before = dict(mpl.rcParams)
    with figures.style():
        assert mpl.rcParams["axes.spines.top"] is False
        assert dict(mpl.rcParams) != before
    assert dict(mpl.rcParams) == before


def test_colours_stay_apart_for_colour_blind_readers():
    """Under simulated deuteranopia and protanopia no two of the palette come together."""
    rgb = np.array([mpl.colors.to_rgb(c) for c in figures.PALETTE])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    # Vienot, Brettel and Mollon 1999: the confused primaries, in linear RGB.
    deutan = np.array([[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]])
    protan = np.array([[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]])
    for matrix in (deutan, protan):
        seen = linear @ matrix.T
        gaps = np.linalg.norm(seen[:, None] - seen[None], axis=2)
        assert gaps[np.triu_indices(len(rgb), 1)].min() > 0.05


def test_seven_models_still_look_different():
    found = [(look["color"], look["linestyle"]) for _, look in figures.looks(list("abcdefghijkl"))]
    assert len(set(found)) == 12


def test_roc_curves_carry_auc_interval_and_floors(ax):
    models = {"one": [predictions(80, seed=s) for s in range(2)], "two": predictions(80, skill=2)}
    floors = {"size": predictions(80, skill=0.1)}
    assert figures.roc_curves(ax, models, floors=floors, resamples=100) is ax
    # The legend prints the interval of the tables, whatever the bands take.
    area = intervals(models["two"], ["auc"])["auc"]
    expected = f"two: {area.value:.3f} [{area.low:.2f}, {area.high:.2f}] (n=1)"
    assert labels(ax)[1] == expected
    assert labels(ax)[2].startswith("floor, size: 0.")
    drawn = [to_hex(line.get_color()) for line in ax.lines[1:]]
    assert drawn == [*figures.PALETTE[:2], to_hex("0.45")]
    assert len(ax.collections) == 2  # a band per model, none for a floor
    # The drawn curve is the model's: its area is the AUC up to how steps are read.
    x, y = ax.lines[2].get_data()
    assert np.trapezoid(y, x) == pytest.approx(area.value, abs=0.01)


def test_many_models_have_no_bands(ax):
    models = {str(k): predictions(40, skill=k) for k in range(4)}
    figures.roc_curves(ax, models, resamples=20)
    assert not ax.collections


def test_roc_of_one_class_against_the_rest(ax):
    table = predictions(90, THREE)
    figures.roc_curves(ax, {"m": table}, positive="viral", resamples=50)
    binary = table.assign(
        label=np.where(table["label"] == "viral", "covid", "healthy"),
        p_healthy=1 - table["p_viral"],
        p_covid=table["p_viral"],
    ).drop(columns=[f"p_{name}" for name in THREE])
    assert labels(ax)[0].startswith(f"m: {score(binary, 'auc').value:.3f} [")
    with pytest.raises(DataError, match="name the positive class"):
        figures.roc_curves(ax, {"m": table}, resamples=10)


def test_confusion_shows_counts_and_shares_of_the_actual_class(ax):
    figures.confusion(ax, confusion(answers("1111000000", "1110110000")))
    assert [t.get_text() for t in ax.texts] == ["4\n67%", "2\n33%", "1\n25%", "3\n75%"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("predicted", "actual")


def test_confusion_of_a_class_without_images_has_no_share(ax):
    counts = confusion(answers("0000", "0100"))
    figures.confusion(ax, counts)
    assert "nan" not in "".join(t.get_text() for t in ax.texts)


def test_training_curves_show_each_run_and_their_mean(ax):
    runs = [pd.DataFrame({"epoch": [0, 1, 2], "loss": [1.0, np.nan, v]}) for v in (0.2, 0.4)]
    figures.training_curves(ax, {"m": runs, "n": runs[0]}, "loss")
    assert labels(ax) == ["m (n=2)", "n (n=1)"]
    thin, mean = ax.lines[0], ax.lines[2]
    np.testing.assert_allclose(thin.get_ydata(), [1.0, 0.2])  # epochs without a value are joined
    np.testing.assert_allclose(mean.get_ydata(), [1.0, 0.3])
    with pytest.raises(DataError, match=r"'m' lack the columns \['auc'\]"):
        figures.training_curves(ax, {"m": runs}, "auc")


def test_a_model_has_one_colour_in_panels_side_by_side():
    run = pd.DataFrame({"epoch": [0, 1], "loss": [1.0, 0.5]})
    _, axes = plt.subplots(1, 2)
    for ax, shown in zip(axes, ({"b": run}, {"a": run, "b": run}), strict=True):
        figures.training_curves(ax, shown, "loss", names=["a", "b"])
    assert axes[0].lines[0].get_color() == axes[1].lines[1].get_color()
    assert labels(axes[0]) == ["b (n=1)"]


def test_a_curve_of_one_epoch_is_a_point_between_whole_epochs(ax):
    figures.training_curves(ax, {"m": pd.DataFrame({"epoch": [0], "loss": [0.5]})}, "loss")
    assert ax.lines[-1].get_marker() == "o" and ax.get_xlim() == (-0.5, 0.5)
    assert all(tick == int(tick) for tick in ax.get_xticks())


def test_reliability_of_a_calibrated_model_follows_the_diagonal(ax):
    rng = np.random.default_rng(0)
    p = rng.random(4000)
    table = answers("01" * 2000, "0" * 4000).assign(
        label=np.where(rng.random(4000) < p, "covid", "healthy"), p_covid=p, p_healthy=1 - p
    )
    figures.reliability(ax, {"m": table}, bins=5)
    x, y = ax.lines[1].get_data()
    assert np.abs(np.subtract(x, y)).max() < 0.04
    # The Brier score of a calibrated uniform forecast is E[p (1 - p)] = 1/6.
    assert float(labels(ax)[0].rsplit(" ", 1)[1]) == pytest.approx(1 / 6, abs=0.01)


def test_reliability_of_several_classes_is_about_the_predicted_one(ax):
    figures.reliability(ax, {"m": predictions(200, THREE)})
    assert ax.get_ylabel() == "share of right predictions"


def test_forest_shows_paper_recorded_and_this_run(ax):
    printed = paper_values("msatl", 4, ["auc"], model="r50", variant="attn1", stages="none")
    real, drawn = ({"phantom": p, "profile": q} for p, q in ((False, "laptop"), (True, "smoke")))
    rows = [
        Row(
            "one",
            printed,
            [Result("a", real, predictions(80))],
            [Result("b", drawn, predictions(40))],
        ),
        Row("two", printed),
    ]
    table = comparison_table(rows, ["auc"])
    figures.forest(ax, table, "AUC")
    assert [t.get_text() for t in ax.get_yticklabels()] == ["one", "two"]
    assert labels(ax) == ["paper", "recorded", "this run (phantoms)"]
    np.testing.assert_allclose(ax.lines[0].get_xdata(), [0.857, 0.857])
    recorded = table.frame["recorded"].iloc[0]
    bar = ax.containers[0].lines[2][0].get_segments()[0]
    np.testing.assert_allclose(bar[:, 0], [recorded.low, recorded.high])


def test_forest_without_any_run_shows_the_paper(ax):
    printed = paper_values("msatl", 4, ["auc"], model="r50", variant="attn1", stages="none")
    figures.forest(ax, comparison_table([Row("one", printed)], ["auc"]), "AUC")
    assert labels(ax) == ["paper"]


def test_a_grid_keeps_shapes_and_grey_values(ax):
    images = [np.full((40, 80), 200, np.uint8), np.zeros((80, 40), np.uint8), np.eye(8) * 3.0]
    figures.image_grid(ax, images, ["wide", "high", "square"], columns=2)
    shapes = [np.ptp(i.get_extent()[:2]) / np.ptp(i.get_extent()[2:]) for i in ax.images]
    assert shapes == pytest.approx([2, 0.5, 1])
    assert [i.get_clim() for i in ax.images] == [(0, 255), (0, 255), (0, 3)]
    assert [t.get_text() for t in ax.texts] == ["wide", "high", "square"]
    boxes = [i.get_extent() for i in ax.images]
    assert boxes[1][0] > boxes[0][1] and boxes[2][3] > boxes[0][2]  # beside, then below
    with pytest.raises(DataError, match="1 images and 2 titles"):
        figures.image_grid(ax, images[:1], ["a", "b"])
    with pytest.raises(DataError, match="0 images"):
        figures.image_grid(ax, [])


def test_an_overlay_is_opaque_where_it_is_hot(ax):
    heat = np.array([[0.0, 1.0], [2.0, 4.0]])
    figures.overlay(ax, np.zeros((20, 30), np.uint8), heat, strength=0.8)
    base, top = ax.images
    assert base.get_extent() == top.get_extent() == [0, 30, 20, 0]
    np.testing.assert_allclose(top.get_alpha(), [[0, 0.2], [0.4, 0.8]])


def test_a_constant_map_lays_nothing_over_the_image(ax):
    figures.overlay(ax, np.zeros((4, 4), np.uint8), np.full((2, 2), 3.0))
    assert (ax.images[1].get_alpha() == 0).all()


def test_shared_limits_make_maps_comparable(ax):
    figures.overlay(ax, np.zeros((4, 4)), np.full((2, 2), 0.5), limits=(0, 2), strength=1)
    np.testing.assert_allclose(ax.images[1].get_alpha(), 0.25)


def test_overlays_that_make_no_sense_are_refused(ax):
    with pytest.raises(DataError, match="not finite"):
        figures.overlay(ax, np.zeros((4, 4)), np.array([[np.nan]]))
    with pytest.raises(DataError, match="outline"):
        figures.overlay(ax, np.zeros((4, 4)), np.ones((1, 1)), outline=np.ones((2, 2), bool))


def share_of_warning_colour(fig):
    fig.canvas.draw()
    pixels = np.asarray(fig.canvas.buffer_rgba())[..., :3].astype(int)
    return (np.abs(pixels - [0xD5, 0x5E, 0]).max(axis=2) < 8).mean()


def test_the_stamp_is_unmistakable_and_put_once(ax):
    fig = ax.figure
    fig.suptitle("Six networks")
    assert share_of_warning_colour(fig) == 0
    assert figures.phantom_stamp(fig) is fig
    assert share_of_warning_colour(fig) > 0.02
    assert fig.get_suptitle() == "PHANTOMS – NOT DATA\nSix networks"
    count = len(fig.texts)
    figures.phantom_stamp(fig)
    assert len(fig.texts) == count
    # The frame runs around the whole figure.
    pixels = np.asarray(fig.canvas.buffer_rgba())[..., :3].astype(int)
    for edge in (pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]):
        assert (np.abs(edge - [0xD5, 0x5E, 0]).max(axis=1) < 8).all()


def test_the_stamp_covers_figures_made_without_the_style():
    fig, _ = plt.subplots()
    figures.phantom_stamp(fig)
    assert fig.get_layout_engine() is not None
    plt.close(fig)


def test_figures_draw_without_a_warning(ax, recwarn):
    figures.roc_curves(ax, {"m": predictions(40)}, resamples=20)
    figures.phantom_stamp(ax.figure).canvas.draw()
    assert not list(recwarn)


def test_a_model_without_a_stage_is_not_drawn_but_keeps_its_colour(ax):
    some, none = [Interval(v, v, v, 1, 9) for v in (0.5, 0.6)], [Interval(*[np.nan] * 3, 0, 0)] * 2
    figures.steps(ax, {"a": none, "b": some}, ["one", "two"], "AUC")
    assert labels(ax) == ["b"]
    assert to_hex(ax.lines[0].get_color()) == figures.PALETTE[1]
    assert [text.get_text() for text in ax.texts] == ["b: +0.100"]
