"""What the workflow says about images."""

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
            speaks against taking the label seriously, see ``Workflow.apply``.
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

    def write(self, folder: str | Path) -> Path:
        """Write ``results.csv``, and the lungs and heat of every image as pictures: all or nothing.

        Raises:
            DataError: the folder exists.
        """
        target = Path(folder)
        if target.exists():
            raise DataError(f"{target} exists; name a new folder")
        return once(target, self._fill)

    def _fill(self, target: Path) -> None:
        self.table.to_csv(target / "results.csv", index=False)
        for number, path in enumerate(self.table["path"]):
            name = f"{number:04d}-{Path(path).stem}"
            _save(self.lungs[number] * 255.0, target / f"{name}-lungs.png")
            if self.heat is not None:
                peak = max(self.heat[number].max(), 1e-12)
                _save(self.heat[number] / peak * 255, target / f"{name}-heat.png")


def _save(values: np.ndarray, path: Path) -> None:
    Image.fromarray(values.round().astype(np.uint8)).save(path)
