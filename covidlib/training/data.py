"""The images of one run, ready to be put on a device."""

import hashlib
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import pandas as pd
import torch
from torch import LongTensor

from covidlib.data import Dataset, open_dataset
from covidlib.data.batches import Images, images_on
from covidlib.data.cache import Cached, build_cache
from covidlib.data.composing import groups_of
from covidlib.data.compositions import COMPOSITIONS
from covidlib.data.splits import limit_split, split_table
from covidlib.errors import DataError
from covidlib.settings import DataSettings


@dataclass(frozen=True)
class TrainingData:
    """Decoded images and the rows of each split.

    Args:
        dataset: where the images come from.
        cached: the uint8 cache; ``cached.table`` is aligned with its rows.
        table: ``cached.table`` with the split of this run.
    """

    dataset: Dataset
    cached: Cached
    table: pd.DataFrame

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names; the index is the class number."""
        return self.dataset.classes

    @cached_property
    def division(self) -> str:
        """SHA-256 over which image is in which split: patients decide it, and code that deals."""
        rows = self.table.sort_values("sample")[["sample", "split"]].astype(object)
        told = rows.where(rows.notna(), None).to_numpy().tolist()
        return hashlib.sha256(repr(told).encode()).hexdigest()

    def rows(self, split: str, labelled: bool = True) -> LongTensor:
        """Return the row numbers of one split, without unknown labels unless asked."""
        chosen = (self.table["split"] == split).fillna(False)
        if labelled:
            chosen &= self.table["label"].notna()
        return torch.from_numpy(chosen.to_numpy(dtype=bool).nonzero()[0])

    def on(self, device: torch.device | str) -> Images:
        """Return the images on a device, or, where there are too many, streamed to it."""
        return images_on(self.cached, self.classes, device)


@lru_cache(maxsize=4)
def training_data(settings: DataSettings, root: Path | None) -> TrainingData:
    """Open, decode and split the images of one run.

    Args:
        settings: which images.
        root: the data root; phantoms need none.

    Raises:
        DataError: a class has no training image, or the test split is empty.
    """
    dataset = open_dataset(settings.dataset, root, phantom=settings.phantom)
    cached = build_cache(dataset, settings.preprocessing, masks=settings.masks)
    table = split_table(
        cached.table,
        settings.split,
        seed=settings.split_seed,
        fold=settings.fold,
        folds=settings.folds,
    )
    if settings.learn_from:
        table = learnt_from(table, settings)
    if settings.limit is not None:
        table = limit_split(table, settings.limit, settings.split_seed)
    train = table.loc[table["split"] == "train", "label"].dropna()
    if absent := sorted(set(dataset.classes) - set(train)):
        raise DataError(
            f"{dataset.name}: no training image of {absent} with split {settings.split!r}"
        )
    if not (table["split"] == "test").any():
        raise DataError(f"{dataset.name}: {settings.split!r} leaves no test image")
    return TrainingData(dataset, cached, table.reset_index(drop=True))


def learnt_from(table: pd.DataFrame, settings: DataSettings) -> pd.DataFrame:
    """Return a composition's table whose training and validation images are of one subset.

    Test images stay, whatever their part: the split keeps people whole over all parts, so nobody
    who is tested was learnt from.

    Raises:
        DataError: the data set is no composition with such a subset.
    """
    composition = COMPOSITIONS.get(settings.dataset)
    subsets = {} if composition is None else composition.subsets
    if settings.learn_from not in subsets:
        known = ", ".join(subsets) or "none"
        raise DataError(f"{settings.dataset} has no subset {settings.learn_from!r}; it has {known}")
    stays = groups_of(composition, table).isin(subsets[settings.learn_from])
    return table.assign(split=table["split"].where(stays | (table["split"] == "test")))
