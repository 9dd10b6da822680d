from dataclasses import replace

import numpy as np
import pytest
import small_runs
import torch
from small_runs import DRAWN, TinySettings

from covidlib.data.preprocessing import Preprocessing
from covidlib.errors import DataError, RunError
from covidlib.models.res_unet import ResUNetSettings
from covidlib.postprocessing import clean
from covidlib.runs.executor import distinct
from covidlib.runs.running import load, run, shown
from covidlib.runs.spec import RunSpec
from covidlib.runs.store import Store
from covidlib.settings import DataSettings, SegmentationSettings, SupervisedSettings
from covidlib.training import lungs as module
from covidlib.training.data import training_data
from covidlib.training.fit import Resources
from covidlib.training.lungs import resized, seen

CPU = Resources("cpu", checkpoint_seconds=0, threads=1)
FINDER = replace(
    small_runs.FINDER,
    network=ResUNetSettings((4, 8, 16)),
    training=SegmentationSettings(size=32, epochs=4, batch=8, lr=5e-3),
)
DATA = DataSettings(
    "montgomery", "holdout", preprocessing=Preprocessing(size=48), phantom=DRAWN, lungs=FINDER
)
SPEC = RunSpec(
    TinySettings(),
    replace(DATA, view="lungs"),
    SupervisedSettings(size=48, epochs=1, batch=8, lr=0.05),
)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    place = Store(tmp_path_factory.mktemp("store"))
    run(FINDER, place, resources=CPU)
    return place


def test_the_key_covers_who_finds_the_lungs_and_what_is_shown():
    plain = replace(SPEC, data=replace(DATA, lungs=None))
    other = replace(SPEC, data=replace(SPEC.data, lungs=replace(FINDER, seed=1)))
    whole = replace(SPEC, data=replace(SPEC.data, view="image"))
    assert len({spec.key for spec in (SPEC, plain, other, whole)}) == 4
    assert SPEC.key.startswith("phantom-montgomery-lungs-tiny-scratch-supervised-s0-")


def test_whoever_finds_the_lungs_runs_first_and_once():
    other = replace(SPEC, seed=1)
    first, second = distinct([other, SPEC])
    assert [spec.key for spec in first] == [FINDER.key]
    assert [spec.key for spec in second] == [other.key, SPEC.key]


def test_a_run_trains_its_segmentation_and_uses_it(store):
    record = run(SPEC, store, resources=CPU)
    assert len(record.test) == 4
    assert {found.key for found in store.records()} == {SPEC.key, FINDER.key}


def test_lungs_are_those_the_trained_network_predicts(store):
    found = shown(replace(SPEC, data=DATA), store)
    method = load(store.get(FINDER), FINDER, training_data(FINDER.data, None))
    small = training_data(replace(DATA, lungs=None, preprocessing=Preprocessing(size=32)), None)
    images = torch.from_numpy(np.array(small.cached.images))[:, None].float() / 255
    method.network.eval()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        masks = method.network(images).float()[:, 0].sigmoid() >= 0.5
    expected = resized(np.stack([clean(mask.numpy()) for mask in masks]), 48)
    assert found.cached.lungs.shape == (40, 48, 48) and found.cached.has_lung.all()
    assert (torch.from_numpy(np.array(found.cached.lungs)) == expected).float().mean() > 0.995
    drawn = training_data(replace(DATA, lungs=None, masks=True), None).cached.lungs
    either = np.logical_or(found.cached.lungs, drawn).sum()
    assert np.logical_and(found.cached.lungs, drawn).sum() / either > 0.6


def test_lungs_are_found_once(store, monkeypatch):
    first = shown(SPEC, store)
    monkeypatch.setattr(module, "predicted_lungs", lambda *_: pytest.fail("found again"))
    assert (shown(SPEC, store).cached.images == first.cached.images).all()


def test_without_the_segmentation_the_error_says_so(tmp_path):
    with pytest.raises(RunError, match=r"resunet.*finds the lungs.*not in the store"):
        shown(SPEC, Store(tmp_path))


def test_stages_of_different_geometry_are_refused(store):
    padded = replace(SPEC, data=replace(SPEC.data, preprocessing=Preprocessing(48, fit="pad")))
    with pytest.raises(DataError, match="same fit"):
        shown(padded, store)


@pytest.fixture(scope="module")
def drawn():
    return training_data(replace(DATA, lungs=None, masks=True), None)


def test_views_are_what_they_say(drawn):
    images, lungs = np.array(drawn.cached.images), np.array(drawn.cached.lungs, bool)
    views = {name: seen(drawn, name).cached.images for name in ("lungs", "outside", "shape")}
    assert (views["lungs"][lungs] == images[lungs]).all() and not views["lungs"][~lungs].any()
    assert (views["outside"] + views["lungs"] == images).all()
    assert (views["shape"] == lungs * 255).all()
    assert seen(drawn, "image") is drawn


def test_a_frame_is_the_outermost_eighth(drawn):
    frame = seen(drawn, "frame").cached.images
    assert not frame[:, 6:42, 6:42].any()
    kept = np.ones((48, 48), bool)
    kept[6:42, 6:42] = False
    assert (frame[:, kept] == drawn.cached.images[:, kept]).all()


def test_views_need_the_lungs_of_every_image():
    bare = training_data(replace(DATA, lungs=None), None)
    with pytest.raises(DataError, match="'shape' needs the lungs"):
        seen(bare, "shape")
    assert seen(bare, "frame").cached.images.any()
    with pytest.raises(ValueError, match="view is one of"):
        replace(DATA, view="lung")


def test_masks_change_size_by_majority():
    mask = np.zeros((1, 8, 8), bool)
    mask[0, :, :4] = True
    assert resized(mask, 8).tolist() == mask.astype(int).tolist()
    assert (resized(mask, 4)[0].numpy() == (np.arange(4) < 2)).all()
    assert (resized(mask, 16)[0].numpy() == (np.arange(16) < 8)).all()
