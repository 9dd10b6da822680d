import multiprocessing
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from covidlib.data.batches import (
    Batch,
    DeviceImages,
    StreamingImages,
    class_numbers,
    epoch_order,
    images_on,
    share,
)
from covidlib.data.cache import Cached
from covidlib.errors import DataError

CLASSES = ("normal", "covid")


def on_disk(folder, name, array):
    np.save(folder / f"{name}.npy", array)
    return np.load(folder / f"{name}.npy", mmap_mode="r")


@pytest.fixture
def cached(tmp_path):
    """Eleven images whose pixels say which row they are; every third label and lung is unknown."""
    rows, size = 11, 6
    numbers = np.arange(rows, dtype=np.uint8)[:, None, None] * 10
    images = numbers + np.arange(size, dtype=np.uint8)[None, None]
    images = np.ascontiguousarray(np.broadcast_to(images, (rows, size, size)))
    labels = [(*CLASSES, None)[row % 3] for row in range(rows)]
    return Cached(
        images=on_disk(tmp_path, "images", images),
        lungs=on_disk(tmp_path, "lungs", (images % 2).astype(np.uint8)),
        lesions=None,
        has_lung=np.arange(rows) % 3 != 2,
        has_lesion=np.zeros(rows, dtype=bool),
        table=pd.DataFrame({"label": pd.array(labels, dtype="string")}),
        skipped=(),
        folder=Path(tmp_path),
    )


def without_lungs(cached):
    return Cached(**{**vars(cached), "lungs": None})


SOURCES = pytest.mark.parametrize(
    "source",
    [
        DeviceImages,
        StreamingImages,
        lambda cached, classes: StreamingImages(cached, classes, workers=2),
    ],
    ids=["device", "streaming", "two workers"],
)


@SOURCES
def test_a_batch_holds_the_rows_asked_for_in_their_order(cached, source):
    images = source(cached, CLASSES)
    asked = [torch.tensor([7, 0, 7]), torch.tensor([10])]
    first, second = images.iterate(asked)
    assert len(images) == 11
    assert first.index.tolist() == [7, 0, 7] and second.index.tolist() == [10]
    assert first.image.dtype == torch.uint8 and first.image.shape == (3, 1, 6, 6)
    assert torch.equal(first.image[0, 0, 2], 70 + torch.arange(6, dtype=torch.uint8))
    assert first.label.tolist() == [1, 0, 1] and second.label.tolist() == [1]
    assert first.lung.dtype == torch.bool and torch.equal(first.lung, first.image % 2 == 1)
    assert first.has_lung.tolist() == [True, True, True]


@SOURCES
def test_unknown_is_never_a_class_nor_a_mask(cached, source):
    (batch,) = source(cached, CLASSES).iterate([torch.tensor([2, 5, 3])])
    assert batch.label.tolist() == [-1, -1, 0]
    assert batch.has_lung.tolist() == [False, False, True]


@SOURCES
def test_no_masks_and_no_batches(cached, source):
    images = source(without_lungs(cached), CLASSES)
    (batch,) = images.iterate([torch.tensor([4])])
    assert batch.lung is None and batch.has_lung is None
    assert list(images.iterate([])) == []


@pytest.mark.parametrize("workers", [0, 2])
def test_streaming_gives_the_batches_of_the_device(cached, workers):
    order = epoch_order(11, 4, seed=3, epoch=1, drop_last=False)
    on_device = list(DeviceImages(cached, CLASSES).iterate(order))
    streamed = list(StreamingImages(cached, CLASSES, workers=workers).iterate(order))
    assert len(on_device) == len(streamed) == 3
    for one, other in zip(on_device, streamed, strict=True):
        for name in Batch._fields:
            assert torch.equal(getattr(one, name), getattr(other, name)), name


def test_batches_are_copies(cached):
    for images in (DeviceImages(cached, CLASSES), StreamingImages(cached, CLASSES)):
        (batch,) = images.iterate([torch.tensor([1])])
        batch.image.zero_()
        (again,) = images.iterate([torch.tensor([1])])
        assert again.image.max() == 15
    assert cached.images[1].max() == 15


def test_a_worker_gets_the_file_name_not_the_pixels(tmp_path, cached):
    """A memory map pickles as all of its pixels, which is how a set fills memory twice."""
    large = on_disk(tmp_path, "large", np.zeros((500, 64, 64), dtype=np.uint8))
    table = pd.DataFrame({"label": pd.array(["covid"] * 500, dtype="string")})
    big = Cached(**{**vars(cached), "images": large, "lungs": None, "table": table})
    assert len(pickle.dumps(StreamingImages(big, CLASSES).rows)) < 2_000
    rows = StreamingImages(cached, CLASSES).rows
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        images, _, _ = pool.apply(rows.__getitem__, (torch.tensor([3]),))
    assert torch.equal(images, rows[torch.tensor([3])][0])


def test_colour_images_keep_their_channels(cached):
    colour = np.zeros((11, 3, 6, 6), dtype=np.uint8)
    colour[:, 2] = 9
    images = DeviceImages(Cached(**{**vars(cached), "images": colour, "lungs": None}), CLASSES)
    (batch,) = images.iterate([torch.tensor([0, 1])])
    assert batch.image.shape == (2, 3, 6, 6) and batch.image[0, :, 0, 0].tolist() == [0, 0, 9]


@SOURCES
def test_arrays_that_do_not_fit_are_refused(cached, source):
    shorter = Cached(**{**vars(cached), "table": cached.table.iloc[:-1]})
    with pytest.raises(DataError, match="differ in length"):
        source(shorter, CLASSES)
    floats = Cached(**{**vars(cached), "images": np.zeros((11, 6, 6), dtype=np.float32)})
    with pytest.raises(DataError, match="expected uint8"):
        source(floats, CLASSES)
    with pytest.raises(DataError, match="'covid'"):
        source(cached, ("normal", "pneumonia"))


def test_class_numbers_follow_the_classes_and_the_row_order():
    labels = pd.array(["b", "a", pd.NA, "b"], dtype="string")
    table = pd.DataFrame({"label": labels}, index=[5, 3, 9, 0])
    assert class_numbers(table, ("a", "b")).tolist() == [1, 0, -1, 1]
    nothing = pd.DataFrame({"label": pd.array([pd.NA, pd.NA], dtype="string")})
    assert class_numbers(nothing, ("a", "b")).tolist() == [-1, -1]


# --- order --------------------------------------------------------------------------------------


@pytest.mark.parametrize("n, batch", [(10, 3), (12, 4), (7, 7), (5, 8), (1000, 32)])
def test_an_epoch_sees_every_image_once(n, batch):
    order = epoch_order(n, batch, seed=0, epoch=0, drop_last=False)
    assert sorted(torch.cat(order).tolist()) == list(range(n))
    assert [len(step) for step in order[:-1]] == [batch] * (len(order) - 1)


def test_dropping_the_last_leaves_whole_batches_and_no_repeats():
    order = epoch_order(103, 10, seed=0, epoch=0, drop_last=True)
    seen = torch.cat(order).tolist()
    assert [len(step) for step in order] == [10] * 10
    assert len(set(seen)) == 100


def test_order_depends_on_seed_and_epoch_alone():
    first = torch.cat(epoch_order(50, 5, seed=1, epoch=2, drop_last=True))
    torch.manual_seed(5)
    torch.rand(3)
    assert torch.equal(first, torch.cat(epoch_order(50, 5, seed=1, epoch=2, drop_last=True)))
    for seed, epoch in ((1, 3), (2, 2), (2, 1)):
        other = torch.cat(epoch_order(50, 5, seed=seed, epoch=epoch, drop_last=True))
        assert not torch.equal(first, other)


def test_epochs_put_every_image_anywhere():
    """Uniform places: each image's mean place over many epochs is the middle."""
    places = torch.zeros(20)
    for epoch in range(600):
        places[torch.cat(epoch_order(20, 4, seed=0, epoch=epoch, drop_last=True))] += torch.arange(
            20
        )
    mean, error = 9.5, (20**2 - 1) ** 0.5 / 12**0.5 / 600**0.5
    assert ((places / 600 - mean).abs() < 4 * error).all()


@pytest.mark.parametrize("world", [2, 3, 4])
@pytest.mark.parametrize("drop_last", [True, False])
def test_processes_share_the_batches_of_one(world, drop_last):
    whole = epoch_order(103, 12, seed=0, epoch=4, drop_last=drop_last)
    parts = [
        epoch_order(103, 12, seed=0, epoch=4, drop_last=drop_last, rank=rank, world=world)
        for rank in range(world)
    ]
    assert {len(part) for part in parts} == {len(whole)}
    for step, pieces in zip(whole, zip(*parts, strict=True), strict=True):
        assert torch.equal(torch.cat(pieces), step)
        assert max(map(len, pieces)) - min(map(len, pieces)) <= 1


@pytest.mark.parametrize("count, world", [(7, 3), (2, 2), (1, 4), (0, 2), (64, 8)])
def test_shares_tile_the_batch(count, world):
    parts = [range(count)[share(count, rank, world)] for rank in range(world)]
    assert [place for part in parts for place in part] == list(range(count))


@pytest.mark.parametrize(
    "arguments",
    [
        {"n": 0, "batch": 4, "drop_last": False},
        {"n": 3, "batch": 4, "drop_last": True},
        {"n": 9, "batch": 4, "drop_last": False, "world": 2},
        {"n": 9, "batch": 1, "drop_last": True, "world": 2},
    ],
)
def test_an_epoch_without_work_for_everyone_is_refused(arguments):
    """By an error of the library, which the command line shows as a sentence."""
    message = r"images (do not fill one batch of 4: take a smaller|in batches of \d leave 1 for)"
    with pytest.raises(DataError, match=message):
        epoch_order(seed=0, epoch=0, **arguments)


@pytest.mark.parametrize("wrong", [{"rank": 2, "world": 2}, {"rank": -1}, {"batch": 0}])
def test_a_batch_or_a_process_that_cannot_be_is_a_mistake_of_the_caller(wrong):
    with pytest.raises(ValueError, match="impossible"):
        epoch_order(**{"n": 9, "batch": 4, "seed": 0, "epoch": 0, "drop_last": True, **wrong})


def test_a_device_may_be_named(cached):
    assert isinstance(images_on(cached, CLASSES, "cpu"), DeviceImages)
