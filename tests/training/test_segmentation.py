from dataclasses import replace

import numpy as np
import pytest
import torch
from small_runs import same

from covidlib.data.augmentation import MANET_SEGMENTATION, NONE, Range
from covidlib.data.phantoms import PhantomSettings
from covidlib.data.preprocessing import Preprocessing
from covidlib.errors import DataError
from covidlib.evaluation.overlap import counts, iou
from covidlib.models.res_unet import ResUNetSettings
from covidlib.postprocessing import clean
from covidlib.runs.running import build, load, run
from covidlib.runs.spec import RunSpec
from covidlib.runs.store import Store
from covidlib.settings import DataSettings, SegmentationSettings
from covidlib.training.data import training_data
from covidlib.training.fit import Resources
from covidlib.training.method import Method
from covidlib.training.segmentation import CLEANED, dice_loss, lung_masks, summary

CPU = Resources("cpu", checkpoint_seconds=0, threads=1)
DATA = DataSettings(
    "manet-masks",
    "kfold",
    fold=0,
    preprocessing=Preprocessing(size=32),
    phantom=PhantomSettings(images=40, size=64),
    masks=True,
)
TRAINING = SegmentationSettings(size=32, epochs=6, batch=8, lr=5e-3, validate_every=3)
SPEC = RunSpec(ResUNetSettings((8, 16, 32)), DATA, TRAINING)


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    return run(SPEC, Store(tmp_path_factory.mktemp("store")), resources=CPU)


def test_the_loss_is_one_minus_dice_of_masks_that_are_sure():
    truth = torch.zeros(2, 1, 4, 4, dtype=torch.bool)
    truth[0, 0, :2] = True  # 8 pixels
    truth[1, 0, 0, 0] = True
    logits = torch.full((2, 1, 4, 4), -60.0)
    logits[0, 0, 1:3] = 60.0  # 8 pixels, 4 of them right
    assert float(dice_loss(logits, truth, 0)) == pytest.approx((0.5 + 1) / 2)
    assert float(dice_loss(logits, truth, 1)) == pytest.approx((1 - 9 / 17 + 1 - 1 / 2) / 2)


def test_the_loss_is_that_of_a_slow_loop_and_has_a_gradient():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(3, 1, 5, 5, generator=generator, requires_grad=True)
    truth = torch.rand(3, 1, 5, 5, generator=generator) < 0.4
    slow = []
    for values, mask in zip(logits.detach(), truth, strict=True):
        p, t = values.sigmoid().flatten().tolist(), mask.flatten().tolist()
        shared = sum(a * b for a, b in zip(p, t, strict=True))
        slow.append(1 - (2 * shared + 1) / (sum(p) + sum(t) + 1))
    loss = dice_loss(logits, truth)
    loss.backward()
    assert loss.item() == pytest.approx(sum(slow) / 3, abs=1e-6)
    assert (logits.grad[truth] < 0).all() and (logits.grad[~truth] > 0).all()


def test_phantom_lungs_are_learnt(record):
    assert record.metrics["iou_clean"] > 0.8 and record.metrics["pooled_dice"] > 0.88
    assert record.curve["loss"].iloc[-1] < record.curve["loss"].iloc[0] / 2


def test_the_table_is_what_the_weights_predict(record):
    data = training_data(DATA, None)
    method, images = load(record, SPEC, data), data.on(torch.device("cpu"))
    rows = data.rows("test")
    method.network.eval()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        logits = method.network(images.images[rows].float() / 255).float()
    masks = lung_masks(logits, TRAINING)
    truth = images.lungs[rows][:, 0].numpy()
    expected = [iou(*counts(one, two)) for one, two in zip(masks, truth, strict=True)]
    cleaned = [iou(*counts(clean(one), two)) for one, two in zip(masks, truth, strict=True)]
    assert record.test["sample"].tolist() == data.table["sample"].iloc[rows.numpy()].tolist()
    np.testing.assert_allclose(record.test["iou"], expected, atol=0.02)
    np.testing.assert_allclose(record.test["iou" + CLEANED], cleaned, atol=0.05)


def test_metrics_are_means_and_pools_of_the_table(record):
    test, found = record.test, record.metrics
    assert found == summary(test)
    assert found["iou"] == pytest.approx(test["iou"].mean())
    assert found["pooled_iou"] == pytest.approx(test["shared"].sum() / test["either"].sum())
    for label in test["label"].unique():
        assert found[f"iou_{label}"] == pytest.approx(
            test.loc[test["label"] == label, "iou"].mean()
        )


def test_masks_move_with_their_images():
    """Where an image is its own mask, it stays so, whatever happens to it."""
    moving = replace(MANET_SEGMENTATION, angle=Range(-30, 30), zoom=Range(0.8, 1.2))
    spec = replace(SPEC, training=replace(TRAINING, augmentation=moving))
    data = training_data(DATA, None)
    method = build(spec, data)
    batch = next(data.on(torch.device("cpu")).iterate([data.rows("train")[:8]]))
    batch = batch._replace(image=batch.lung.to(torch.uint8) * 255)
    method.__dict__["_trainer"] = Place()
    inputs = method.augmented(batch, 0)
    assert not torch.equal(inputs.lungs, batch.lung)
    wrong = (inputs.images > 0.5) != inputs.lungs
    assert wrong.float().mean() < 0.02  # bilinear and nearest differ along edges alone


class Place:
    current_epoch, global_rank, world_size = 0, 0, 1


def test_a_resumed_run_repeats_an_uninterrupted_one(tmp_path, monkeypatch):
    spec = replace(SPEC, training=replace(TRAINING, epochs=3, validate_every=2))
    original = Method.training_step

    def stops(self, batch, batch_idx):
        if (self.current_epoch, batch_idx) == (2, 1):
            raise KeyboardInterrupt
        return original(self, batch, batch_idx)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Method, "training_step", stops)
        run(spec, Store(tmp_path / "cut"), resources=CPU)
    cut = run(spec, Store(tmp_path / "cut"), resources=CPU)
    assert cut.provenance["earlier"]
    assert same(cut, run(spec, Store(tmp_path / "whole"), resources=CPU))


def test_images_without_masks_are_refused():
    bare = replace(DATA, masks=False)
    with pytest.raises(DataError, match="without lung mask"):
        build(replace(SPEC, data=bare), training_data(bare, None))


def test_the_paper_s_settings_are_the_defaults():
    chosen = SegmentationSettings()
    assert (chosen.size, chosen.epochs, chosen.batch) == (512, 50, 64)
    assert (chosen.lr, chosen.weight_decay, chosen.lr_at(49)) == (2e-4, 1e-5, 2e-4)
    assert chosen.augmentation != NONE and chosen.slug == "segmentation"
