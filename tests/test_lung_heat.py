from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from covidlib import lung_heat
from covidlib.errors import DataError
from covidlib.lung_heat import Explained, Heat, edges, half_area, scored
from covidlib.training.method import Inputs


@pytest.fixture
def images():
    lungs = torch.zeros(2, 1, 32, 32, dtype=torch.bool)
    lungs[:, :, 8:24, 4:12] = True
    table = pd.DataFrame({"sample": ["a", "b"], "patient": ["1", "2"], "label": ["x", "y"]})
    inputs = Inputs(torch.zeros(2, 1, 32, 32), lungs)
    return Explained(inputs, table, torch.tensor([0, 1]), ("x", "y"), "f", False)


def test_an_even_map_has_the_shares_of_the_areas(images):
    found = scored(torch.ones(2, 4, 4), images)
    assert found["inside"].tolist() == pytest.approx(found["area"].tolist())
    assert found["edge"].tolist() == pytest.approx(found["edge_area"].tolist())
    assert found["area"].tolist() == pytest.approx([128 / 1024] * 2)
    assert found["half"].tolist() == [0.5, 0.5]


def test_heat_in_the_lungs_is_inside(images):
    maps = images.lungs.float()
    found = scored(maps, images)
    assert found["inside"].tolist() == [1, 1]
    assert found["half"].tolist() == pytest.approx([64 / 1024] * 2)
    nothing = scored(torch.zeros(2, 4, 4), images)
    assert nothing[["inside", "edge", "half"]].isna().all(axis=None)


def test_the_band_reaches_a_sixteenth_to_both_sides(images):
    band = edges(images.lungs)[0].numpy()
    assert band[16, 2:6].all() and not band[16, 1] and not band[16, 7]  # the lung begins at 4
    assert not edges(torch.zeros(1, 8, 8, dtype=torch.bool)).any()
    assert not edges(torch.ones(1, 8, 8, dtype=torch.bool)).any()


def test_half_of_the_heat_needs_its_hottest_places():
    maps = torch.zeros(1, 10, 10)
    maps[0, 0] = torch.tensor([5.0, 3, 1, 1, 0, 0, 0, 0, 0, 0])
    assert half_area(maps).item() == pytest.approx(0.01)
    assert torch.isnan(half_area(torch.zeros(1, 2, 2))).all()


def test_only_real_scores_are_kept_and_come_back(images, tmp_path):
    facts = {"phantom": False, "profile": "laptop", "fingerprint": "f", "size": 224}
    found = Heat("resnet50", "key-1", scored(torch.ones(2, 4, 4), images), {"trained": 1.0}, facts)
    assert lung_heat.write(found, tmp_path) is not None
    assert lung_heat.write(found, tmp_path) is None
    (again,) = lung_heat.read(tmp_path)
    assert (again.network, again.key, again.randomised) == ("resnet50", "key-1", {"trained": 1.0})
    np.testing.assert_allclose(again.scores["inside"], found.scores["inside"], atol=1e-4)
    for wrong in ({"phantom": True}, {"profile": "smoke"}):
        with pytest.raises(DataError, match="real images"):
            lung_heat.write(replace(found, provenance=facts | wrong), tmp_path)
