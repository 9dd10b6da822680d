"""Readers of the original published layouts: one function a layout, one table for all.

A reader gets the data set's folder and returns the table of ``covidlib.data.table``. What it left
out (files that are listed but absent, other views, …) is in ``left_out(table)``.
"""

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from covidlib.data.card_types import Card
from covidlib.data.layouts import covidx, ct, folders, lungs, xray
from covidlib.data.layouts.common import left_out
from covidlib.errors import DatasetMissing

__all__ = ["READERS", "left_out", "read"]

READERS: dict[str, Callable[[Path], pd.DataFrame]] = {
    "covid_ct": ct.covid_ct,
    "cohen": xray.cohen,
    "cxnet": xray.cxnet,
    "chestxray8": xray.chestxray8,
    "chestxray8_subset": xray.chestxray8_subset,
    "kermany": xray.kermany,
    "rsna": xray.rsna,
    "covidx": covidx.covidx,
    "montgomery": lungs.montgomery,
    "shenzhen": lungs.shenzhen,
    "segmentations": lungs.segmentations,
    "image_folder": folders.image_folder,
}


def read(card: Card, folder: str | Path) -> pd.DataFrame:
    """Read one data set's folder into the table.

    Args:
        card: says which layout the folder has.
        folder: the data set's own folder.

    Returns:
        One row per image, sorted by sample; unknown values are <NA>.

    Raises:
        DatasetMissing: the folder, or a file the layout cannot do without, is not there.
        DataError: the files contradict each other.
    """
    folder = Path(folder).resolve()
    if not folder.is_dir():
        raise DatasetMissing(f"{card.name}: {folder} is not a folder")
    return READERS[card.layout](folder)
