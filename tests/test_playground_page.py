from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from covidlib.book import Page, Parameters
from covidlib.errors import CovidlibError
from covidlib.pages import playground as parts


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def run():
    results = Path(__file__).resolve().parents[1] / "book" / "results"
    return parts.recorded_run(Page(Parameters(), None, results, results))[1]


@pytest.fixture
def image() -> torch.Tensor:
    grey = torch.arange(64, dtype=torch.uint8).repeat(64, 1) * 3
    return grey[None, None]


def test_without_a_record_the_command_to_make_one_is_named(tmp_path):
    with pytest.raises(CovidlibError, match="covidlib run msatl/without_transfer"):
        parts.recorded_run(Page(Parameters(), None, tmp_path, tmp_path))


def test_the_table_counts_every_test_image_at_every_threshold(run):
    shown = parts.threshold_table(run)
    truth, values = parts.scores(run)
    assert len(shown) == len(parts.THRESHOLDS) == 9
    assert shown.loc["0.5", "found"] == f"{(truth & (values >= 0.5)).sum()} of {truth.sum()}"
    assert not shown.isna().any().any()


def test_the_widget_has_a_frame_for_every_threshold(run):
    stack = parts.threshold_browser(run).children[1]
    assert len(stack.children) == len(parts.THRESHOLDS)
    assert 'alt="threshold: threshold 0.1"' in stack.children[0].children[1].value


def test_sentences_come_from_the_record(run):
    found = parts.facts(run)
    assert found["auc"] == pytest.approx(run.metrics["auc"])
    assert 0 <= found["useful"] <= 1 and 0 < found["rare"] < 100


def test_strengths_span_what_the_papers_draw(image):
    assert parts.reach("angle") == (-30, 120)
    assert parts.reach("offset") == (-0.2, 0.2)
    shown = parts.strengths(image, "brightness")
    assert [float(name) for name in shown] == pytest.approx(
        [0.5, 0.725, 0.95, 1.175, 1.4], abs=0.01
    )
    means = [picture.mean() for picture in shown.values()]
    assert means == sorted(means)


def test_the_neutral_strength_leaves_the_image_as_it_is(image):
    shown = parts.strengths(image, "shift")
    assert np.allclose(shown["0"], image[0, 0] / 255, atol=1e-6)
    left = shown[next(iter(shown))]
    assert not np.allclose(left, image[0, 0] / 255)


def test_presets_are_drawn_by_seed(image):
    first, same, other = (plt.subplots()[1] for _ in range(3))
    for ax, seed in ((first, 0), (same, 0), (other, 1)):
        parts.draw_preset(ax, image, "magsd-table2", seed)
    arrays = [[np.asarray(i.get_array()) for i in ax.images] for ax in (first, same, other)]
    assert all(np.array_equal(a, b) for a, b in zip(arrays[0], arrays[1], strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(arrays[0], arrays[2], strict=True))
