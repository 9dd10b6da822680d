"""Batches of decoded images, on the device from the start or streamed to it."""

import os
from collections.abc import Iterable, Iterator
from typing import NamedTuple, Protocol

import numpy as np
import pandas as pd
import torch
from torch import LongTensor, Tensor
from torch.utils.data import DataLoader, Dataset

from covidlib.data.cache import Cached, by_file, opened
from covidlib.data.seeds import generator
from covidlib.errors import DataError

UNKNOWN = -1  # label of an image whose class nobody knows


class Batch(NamedTuple):
    """Some rows of a data set, on the device.

    Args:
        index: rows of the cache. Shape: (N,), int64.
        image: uint8. Shape: (N, C, S, S).
        label: class numbers, ``UNKNOWN`` where there is none. Shape: (N,), int64.
        lung: lung masks, None if the cache has none. Shape: (N, 1, S, S), bool.
        has_lung: which lung masks are known; the others mean nothing. Shape: (N,), bool.
    """

    index: LongTensor
    image: Tensor
    label: LongTensor
    lung: Tensor | None = None
    has_lung: Tensor | None = None


class Images(Protocol):
    """What training sees of a data set, wherever its pixels lie."""

    labels: LongTensor

    def __len__(self) -> int: ...

    def iterate(self, index_batches: Iterable[LongTensor]) -> Iterator[Batch]:
        """Yield one batch for every tensor of rows, in their order."""
        ...


class DeviceImages:
    """All images on the device: a batch is one indexing there, no worker, no copy.

    Args:
        cached: decoded images, uint8.
        classes: class names, the index is the class number.
        device: where the images go; 6,000 of 256 x 256 take 0.4 GB.
    """

    def __init__(
        self, cached: Cached, classes: tuple[str, ...], device: torch.device | str = "cpu"
    ) -> None:
        arrays = _arrays(cached)
        rows = np.arange(len(cached.table))
        self.images, *masks = (tensor.to(device) for tensor in _take(arrays, rows))
        self.lungs, self.has_lung = masks or (None, None)
        self.labels = class_numbers(cached.table, classes).to(device)

    def __len__(self) -> int:
        return len(self.images)

    def iterate(self, index_batches: Iterable[LongTensor]) -> Iterator[Batch]:
        """Yield one batch for every tensor of rows, in their order."""
        batches = list(index_batches)
        if not batches:
            return
        # One copy of all rows, not one per step for which a GPU would wait.
        rows = torch.cat(batches).to(self.images.device)
        for index in rows.split([len(batch) for batch in batches]):
            lung = known = None
            if self.lungs is not None:
                lung, known = self.lungs[index], self.has_lung[index]
            yield Batch(index, self.images[index], self.labels[index], lung, known)


class StreamingImages:
    """Images that stay on disk and are read as they are needed, through a DataLoader.

    For sets larger than memory; the batches are those of ``DeviceImages``.

    Args:
        cached: decoded images, uint8, memory-mapped.
        classes: class names, the index is the class number.
        device: where each batch goes.
        workers: processes that read ahead; 0 reads in this one, which is enough when the disk's
            cache holds what is read.
    """

    def __init__(
        self,
        cached: Cached,
        classes: tuple[str, ...],
        device: torch.device | str = "cpu",
        workers: int = 0,
    ) -> None:
        self.rows = _Rows(_arrays(cached))
        self.device = torch.device(device)
        self.labels = class_numbers(cached.table, classes)
        self.workers = workers

    def __len__(self) -> int:
        return len(self.labels)

    def iterate(self, index_batches: Iterable[LongTensor]) -> Iterator[Batch]:
        """Yield one batch for every tensor of rows, in their order."""
        batches = list(index_batches)
        loader = DataLoader(
            self.rows,
            batch_size=None,  # a tensor of rows is already a batch
            sampler=batches,
            num_workers=self.workers,
            pin_memory=self.device.type == "cuda",
        )
        for rows, tensors in zip(batches, loader, strict=True):
            parts = [rows, tensors[0], self.labels[rows], *tensors[1:]]
            yield Batch(*(part.to(self.device, non_blocking=True) for part in parts))


def images_on(
    cached: Cached, classes: tuple[str, ...], device: torch.device | str, share: float = 0.5
) -> Images:
    """Return images that lie on the device if they fill no more than a share of its memory.

    Others, such as ImageNet's, stay on disk and are read as they are needed; batches are the same.
    """
    if cached.images.nbytes <= share * _memory(torch.device(device)):
        return DeviceImages(cached, classes, device)
    return StreamingImages(cached, classes, device, workers=min(8, os.cpu_count() or 1))


def _memory(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def epoch_order(
    n: int, batch: int, seed: int, epoch: int, *, drop_last: bool, rank: int = 0, world: int = 1
) -> list[LongTensor]:
    """Return which of n images each step of an epoch sees, a function of its arguments alone.

    Args:
        n: images.
        batch: images per step, of all processes together, so that their number changes nothing.
        seed, epoch: together they fix the permutation.
        drop_last: leave out the images that do not fill a last batch.
        rank, world: this process and how many there are; each gets its ``share`` of every batch.

    Returns:
        One tensor per step, the same number of steps in every process.

    Raises:
        ValueError: a batch of nothing, or a process that there is not.
        DataError: no batch at all, or a batch that leaves a process without an image.

    >>> [step.tolist() for step in epoch_order(5, 2, seed=0, epoch=0, drop_last=False)]
    [[3, 0], [2, 1], [4]]
    """
    if not (batch >= 1 and 0 <= rank < world):
        raise ValueError(f"impossible: batch {batch}, rank {rank} of {world}")
    order = torch.randperm(n, generator=generator("order", seed, epoch))
    steps = [step for step in order.split(batch) if not drop_last or len(step) == batch]
    if not steps or not n:
        raise DataError(
            f"{n} training images do not fill one batch of {batch}: take a smaller batch, or more "
            "images"
        )
    if len(steps[-1]) < world:
        raise DataError(
            f"{n} images in batches of {batch} leave {len(steps[-1])} for the last step of {world} "
            "processes: drop the last batch or change the batch"
        )
    return [step[share(len(step), rank, world)] for step in steps]


def share(count: int, rank: int, world: int) -> slice:
    """Return which part of a batch (or of its draws) belongs to one of several processes.

    >>> [share(7, rank, 3) for rank in range(3)]
    [slice(0, 2, None), slice(2, 4, None), slice(4, 7, None)]
    """
    return slice(count * rank // world, count * (rank + 1) // world)


def class_numbers(table: pd.DataFrame, classes: tuple[str, ...]) -> LongTensor:
    """Return the class number of every row, ``UNKNOWN`` where the label is <NA>.

    Raises:
        DataError: a label that is none of the classes; it must not pass for an unknown one.
    """
    labels = table["label"]
    if strangers := sorted(set(labels.dropna()) - set(classes)):
        raise DataError(f"labels {strangers} are none of the classes {classes}")
    numbers = labels.map({name: number for number, name in enumerate(classes)})
    return torch.from_numpy(numbers.fillna(UNKNOWN).to_numpy(dtype=np.int64, copy=True))


class _Rows(Dataset):
    """Rows of memory maps; a worker opens the files again instead of receiving their pixels."""

    def __init__(self, arrays: list[np.ndarray]) -> None:
        self.arrays = arrays

    def __getitem__(self, rows: LongTensor) -> list[Tensor]:
        return _take(self.arrays, rows.numpy())

    def __getstate__(self) -> list:
        return [by_file(array) for array in self.arrays]

    def __setstate__(self, state: list) -> None:
        self.arrays = [opened(array) for array in state]


def _arrays(cached: Cached) -> list[np.ndarray]:
    """Return images and, where there are any, lungs and which are known; raise if they misfit."""
    arrays = [cached.images]
    if cached.lungs is not None:
        arrays += [cached.lungs, cached.has_lung]
    if cached.images.dtype != np.uint8:
        raise DataError(f"expected uint8 images, got {cached.images.dtype}")
    lengths = {len(array) for array in arrays} | {len(cached.table)}
    if len(lengths) != 1:
        raise DataError(f"images, masks and table differ in length: {sorted(lengths)}")
    return arrays


def _take(arrays: list[np.ndarray], rows: np.ndarray) -> list[Tensor]:
    """Read rows into tensors of their own: images (N, C, S, S), lungs bool, known bool."""
    tensors = [torch.from_numpy(np.asarray(array[rows])) for array in arrays]
    tensors[0] = tensors[0] if tensors[0].ndim == 4 else tensors[0][:, None]
    if len(tensors) > 1:
        tensors[1] = tensors[1].bool()[:, None]
    return tensors
