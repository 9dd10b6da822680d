from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch

from covidlib.models.ma_net import MANetSettings
from covidlib.pages import attention_augmentation as view_parts
from covidlib.pages import ma_net as net_parts
from covidlib.pages import magsd_diagrams
from covidlib.pages import soft_distance as loss_parts
from covidlib.pages.attended import Chest
from covidlib.settings import MAGSDSettings


def chest(maps, size=56):
    torch.manual_seed(0)
    inputs = torch.randn(1, 1, size, size).expand(-1, 3, -1, -1)
    image = np.linspace(0, 1, size * size).reshape(size, size)
    return Chest(image, inputs, maps, (maps / 2, maps / 2), torch.rand(1, 5, 7, 7), "a", "a.png")


@pytest.fixture
def example():
    torch.manual_seed(1)
    return chest(torch.rand(1, 6, 7, 7))


@pytest.fixture
def axes():
    figure, found = plt.subplots(2, 7)
    yield found
    plt.close(figure)


def test_the_network_has_every_size_that_the_paper_prints():
    table = net_parts.shapes_table()
    assert (table["verdict"] == "reproduced").all() and len(table) == 9


def test_three_ways_of_pooling_agree_and_only_one_is_small():
    table, worst = net_parts.pooling_table(batch=2)
    assert worst < 1e-5
    largest = table["largest tensor, MB"]
    assert largest["all parts at once"] == pytest.approx(2 * 32 * 2048 * 49 * 4 / 1e6)
    assert largest["one einsum"] <= 2 * 2048 * 49 * 4 / 1e6


def test_sizes_add_up_and_attention_is_what_a_convolution_costs():
    table = net_parts.sizes_table()
    parts = table[["backbone", "attention", "classifier"]].sum(axis=1)
    np.testing.assert_allclose(parts.to_numpy(float), table["all"].to_numpy(float))
    assert table.loc["1 scale, attention", "attention"] == pytest.approx((2048 * 32 + 64) / 1e6)


def test_maps_are_ordered_by_their_spread():
    maps = torch.zeros(1, 3, 7, 7)
    maps[0, 2, 0, 0], maps[0, 0, 0, 0] = 5.0, 1.0
    assert chest(maps).liveliest == [2, 0, 1]
    assert chest(maps).attention(2).max() == pytest.approx(1)


def test_a_map_by_its_number_makes_the_views(example):
    for number in range(6):
        drawn = view_parts.shares(6, number)
        assert (drawn[:, 0, 0] * 6).int().tolist() == [number] * 3


def test_areas_of_a_map_with_one_awake_cell():
    maps = torch.zeros(1, 1, 7, 7)
    maps[0, 0, 3, 3] = 1.0
    found = view_parts.areas([chest(maps, size=7)])  # each cell is a pixel
    assert view_parts.area_at(found, 0.5, "region") == pytest.approx(1 / 49)
    assert view_parts.area_at(found, 0.5, "box") == pytest.approx(1 / 49)
    maps[0, 0, 0, 0] = 1.0
    found = view_parts.areas([chest(maps, size=7)])
    assert view_parts.area_at(found, 0.5, "region") == pytest.approx(2 / 49)
    assert view_parts.area_at(found, 0.5, "box") == pytest.approx(16 / 49)


def test_a_factor_of_one_changes_nothing(example):
    made = view_parts.factor_views(example, 1.0)
    for view in made.values():
        np.testing.assert_allclose(view, example.inputs[0, 0], atol=1e-6)


def test_surfaces_by_hand():
    grid = loss_parts.GRID
    soft = loss_parts.surface(MAGSDSettings())
    strict = loss_parts.surface(loss_parts.VARIANTS["authors' code"])
    squared = loss_parts.surface(loss_parts.VARIANTS["L2"])
    view, wrong, unsure, right = (int(np.abs(grid - p).argmin()) for p in (0.4, 0.1, 0.5, 0.9))
    p = grid[view]
    assert soft[view, wrong] == pytest.approx(p - grid[wrong])
    assert soft[view, unsure] == pytest.approx(1 - p)
    assert soft[view, right] == pytest.approx(grid[right] - p)
    assert strict[view, wrong] == pytest.approx(0.995 - p)
    np.testing.assert_allclose(squared, ((1 - grid) ** 2)[:, None] * np.ones(len(grid)))


def test_pulls_are_the_derivatives_of_both_distances():
    found = loss_parts.beside_target(gap=0.05)
    p = loss_parts.GRID[np.abs(loss_parts.GRID - 0.95).argmin()]
    assert found["soft"] == pytest.approx(p * (1 - p))
    assert found["l2"] == pytest.approx(2 * (1 - p) * p * (1 - p))
    assert (loss_parts.pull(0.1, MAGSDSettings())[loss_parts.GRID > 0.11] < 0).all()


def test_trusted_predictions_are_counted():
    table = pd.DataFrame(
        {
            "sample": list("vwxyz"),
            "patient": pd.NA,
            "split": ["test"] * 4 + ["val"],
            "label": ["b", "b", "a", "a", "a"],
            "p_a": [0.1, 0.8, 0.6, 0.75, 0.0],
            "p_b": [0.9, 0.2, 0.4, 0.25, 1.0],
        }
    )
    drawn, real = (SimpleNamespace(predictions=table, phantom=p) for p in (True, False))
    shown = loss_parts.trusted({"this run": [drawn], "recorded": []})
    assert "phantoms" in shown.caption and loss_parts.trusted({"r": [real]}).caption == ""
    found = shown.frame
    assert found.loc["this run"].tolist() == [4, "75.0%", "33.3%", "25.0%"]
    assert found.loc["recorded", "images"] == "not recorded yet"


def test_every_difference_of_the_released_code_has_words_and_a_setting():
    table = loss_parts.differences().frame
    assert set(table.index) == set(MAGSDSettings.AUTHORS) | set(MANetSettings.AUTHORS)
    assert table.loc["channels", "setting"] == "channels=1 in both"


def test_every_drawing_draws(example, axes):
    magsd_diagrams.overview(axes[0, 0])
    for scales, ax in zip((1, 2, 3), axes[0, 1:], strict=False):
        magsd_diagrams.ma_net(ax, MANetSettings(scales=scales))
    view_parts.draw_views(axes[1], example, seed=0)
    view_parts.draw_dimming(axes[0, 4:7], example)
    view_parts.draw_threshold(axes[0, :4], example, 1.0, 0)  # an empty region
    assert len(net_parts.maps_browser(example, count=2).children[1].children) == 2
    net_parts.draw_scales(axes[0, :4], example)
    assert -1 <= net_parts.draw_pooling(axes[1, :4], example, channels=5)["alike"] <= 1
