"""What the workflow says about images."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from covidlib.errors import DataError
from covidlib.files import once


@dataclass(frozen=True)
class Read:
    """What the workflow says about some images; row i of each belongs to row i of ``table``.

    Args:
        table: path, label, ``p_<class>``, ``lung_share`` (of the picture) and ``warning``: what
            speaks against taking the label seriously, see ``Workflow.apply``. Its numbers go on
            from one reading to the next.
        images: as decoded for the classifier. Shape: (N, S, S), uint8.
        predicted: lungs before post-processing, at the segmentation's size. Shape: (N, T, T), bool.
        lungs: after it. Shape: (N, S, S), bool.
        heat: Grad-CAM of the label that was given, if asked for. Shape: (N, S, S).
    """

    table: pd.DataFrame
    images: np.ndarray
    predicted: np.ndarray
    lungs: np.ndarray
    heat: np.ndarray | None = None

    @classmethod
    def joined(cls, parts: Sequence["Read"]) -> "Read":
        """Return several readings as one."""
        table = pd.concat([part.table for part in parts])
        arrays = zip(*((p.images, p.predicted, p.lungs, p.heat) for p in parts), strict=True)
        return cls(table, *(None if own[0] is None else np.concatenate(own) for own in arrays))


def write(readings: Iterable[Read], folder: str | Path) -> pd.DataFrame:
    """Write ``results.csv``, and the lungs and heat of every image as pictures: all or nothing.

    Args:
        readings: one after another, none is kept.
        folder: to be made.

    Returns:
        What ``results.csv`` holds.

    Raises:
        DataError: the folder exists.
    """
    target = Path(folder)
    if target.exists():
        raise DataError(f"{target} exists; name a new folder")
    tables = []

    def fill(draft: Path) -> None:
        for read in readings:
            tables.append(read.table)
            _draw(read, draft)
        pd.concat(tables).to_csv(draft / "results.csv", index=False)

    once(target, fill)
    return pd.concat(tables)


def _draw(read: Read, folder: Path) -> None:
    for row, (number, path) in enumerate(read.table["path"].items()):
        name = f"{number:04d}-{Path(path).stem}"
        _save(read.lungs[row] * 255.0, folder / f"{name}-lungs.png")
        if read.heat is not None:
            peak = max(read.heat[row].max(), 1e-12)
            _save(read.heat[row] / peak * 255, folder / f"{name}-heat.png")


def _save(values: np.ndarray, path: Path) -> None:
    Image.fromarray(values.round().astype(np.uint8)).save(path)
