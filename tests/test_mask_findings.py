from dataclasses import replace

import numpy as np
import pytest
import torch

from covidlib.data import open_dataset
from covidlib.data.phantoms import PhantomSettings
from covidlib.errors import DataError
from covidlib.mask_findings import (
    STOPS,
    all_ones,
    contrast,
    find,
    last_ones,
    masked,
    read,
    skips,
    write,
)
from covidlib.models.cxr_classifiers import BACKBONES, CxrClassifierSettings
from covidlib.plans.manet import pixels


def square(side=64):
    mask = torch.zeros(1, side, side, dtype=torch.bool)
    mask[:, 16:48, 16:48] = True
    return mask


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COVIDLIB_CACHE", str(tmp_path_factory.mktemp("cache")))
        dataset = open_dataset(
            "covid-cxr-segmentations", phantom=PhantomSettings(images=20, size=64)
        )
        yield find(dataset, 64)


def test_contrast_is_the_mean_of_the_maps_in_and_outside_the_lungs():
    found = contrast(square())
    network = CxrClassifierSettings("resnet34", "mask").build(2)
    values = network.maps(square())["maxpool"][0, 0].numpy()
    lung = np.zeros((16, 16), bool)
    lung[4:12, 4:12] = True
    assert found.loc["pool", ("zeros", "lung")] == pytest.approx(values[lung].mean(), abs=1e-6)
    assert found.loc["pool", ("zeros", "elsewhere")] == pytest.approx(values[~lung].mean())
    assert list(found.index) == list(STOPS)


def test_a_mask_of_ones_stays_one_with_visible_borders():
    found = contrast(torch.ones(1, 64, 64, dtype=torch.bool))
    np.testing.assert_allclose(found["visible", "lung"], 1, atol=1e-6)
    assert found["visible", "elsewhere"].isna().all()
    assert (np.diff(found["zeros", "lung"]) < 0).all()
    for borders, low in (("visible", 1 - 1e-5), ("zeros", 0)):
        maps = all_ones(64, borders)
        assert all(low <= values.min() <= values.max() <= 1 + 1e-5 for values in maps.values())


def test_skips_compare_a_block_with_what_comes_before_it():
    found = skips(square(), ("resnet34",)).set_index("block")
    maps = CxrClassifierSettings("resnet34", "mask").build(2).maps(square())
    for block, before in (("layer1.0", "maxpool"), ("layer1.1", "layer1.0.add")):
        apart = (maps[f"{block}.conv2"] - maps[before]).abs()
        assert found.loc[block, "maximum"] == pytest.approx(float(apart.max()))
    strided = maps["layer2.0.conv2"] - maps["layer2.0.downsample.0"]
    assert found.loc["layer2.0", "maximum"] == pytest.approx(float(strided.abs().max()))
    assert len(found) == 16


def test_findings_of_real_masks_survive_the_file(drawn, tmp_path):
    real = replace(drawn, provenance={**drawn.provenance, "phantom": False})
    write(real, tmp_path)
    again = read(tmp_path, 64)
    np.testing.assert_allclose(again.contrast, drawn.contrast, atol=1e-5)
    assert again.contrast.columns.equals(drawn.contrast.columns)
    assert again.skips["block"].tolist() == drawn.skips["block"].tolist()
    assert (again.images, again.size) == (20, 64)
    with pytest.raises(DataError, match="remove it"):
        write(real, tmp_path)


def test_drawn_masks_are_never_kept(drawn, tmp_path):
    with pytest.raises(DataError, match="real masks"):
        write(drawn, tmp_path)
    with pytest.raises(DataError, match="missing"):
        read(tmp_path, 64)


def test_small_images_leave_little_of_a_mask_of_ones():
    found = last_ones("inceptionv3", [96, 512])
    assert found[96] < 1e-6 and found[512] > 0.5
    assert last_ones("inceptionv3", [96], "visible").tolist() == [1]
    *_, last = all_ones(128, "zeros").values()
    assert last_ones("resnet34", [128])[128] == pytest.approx(last.mean())


@pytest.mark.parametrize("backbone", BACKBONES)
def test_a_recorded_network_has_maps_to_train_with(backbone):
    size = pixels("laptop", backbone)
    assert last_ones(backbone, [size])[size] > 0.01


def test_the_last_map_is_that_of_the_last_product():
    network = masked("inceptionv3")
    assert next(reversed(network.products)) == "Mixed_7c.cat_3"
