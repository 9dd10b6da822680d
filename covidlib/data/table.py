"""The one table that every data set becomes."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd

from covidlib.errors import DataError
from covidlib.files import digest_file

COLUMNS = ("sample", "path", "label", "patient", "source", "split", "lung_mask", "lesion_mask")
SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Dataset:
    """One data set, one row per image.

    Args:
        name: the card's name, which is the folder's name under the data root.
        table: the columns of ``COLUMNS`` first, then the data set's own; strings, unknown is <NA>.
        classes: fixed order, the index is the class number; the last one is positive when binary.
        phantom: whether the images were drawn rather than acquired.

    Raises:
        DataError: a column is missing, a sample is named twice, a label or split is a stranger.
    """

    name: str
    table: pd.DataFrame
    classes: tuple[str, ...]
    phantom: bool = False

    def __post_init__(self) -> None:
        check_table(self.table, self.classes, self.name)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over samples, labels, splits and the bytes of every image and mask."""
        columns = ["sample", "label", "split", "path", "lung_mask", "lesion_mask"]
        digest = hashlib.sha256()
        for row in self.table.sort_values("sample")[columns].itertuples(index=False):
            digest.update(repr([None if pd.isna(v) else v for v in row[:3]]).encode())
            for path in row[3:]:
                digest.update(b"-" if pd.isna(path) else bytes.fromhex(digest_file(Path(path))))
        return digest.hexdigest()


def check_table(table: pd.DataFrame, classes: tuple[str, ...], name: str) -> None:
    """Raise DataError unless the table keeps the contract of ``Dataset``."""
    missing = [column for column in COLUMNS if column not in table]
    if missing:
        raise DataError(f"{name}: the table lacks the columns {missing}")
    if twice := sorted(table.loc[table["sample"].duplicated(), "sample"].unique()):
        raise DataError(f"{name}: {len(twice)} samples are named twice, the first is {twice[0]!r}")
    for column, allowed in (("label", classes), ("split", SPLITS)):
        if strangers := set(table[column].dropna()) - set(allowed):
            raise DataError(f"{name}: unknown {column} {sorted(strangers)}, expected {allowed}")
