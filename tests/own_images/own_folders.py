"""Small folders of images: drawn X-rays and CT slices, photographs, a run of a second."""

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from covidlib.data.phantoms import PhantomSettings
from covidlib.data.phantoms.writing import write


def xrays(folder: Path, images: int = 80, seed: int = 0) -> Path:
    """Write drawn X-rays in two class folders, without the truth beside them."""
    write("chestxray8-subset", folder, PhantomSettings(images=images, size=48, seed=seed))
    return folder


def slices(folder: Path, images: int = 40) -> Path:
    """Write drawn CT slices in two class folders and return the folder that holds those."""
    write("covid-ct", folder, PhantomSettings(images=images, size=48))
    return folder / "Images-processed"


def photographs(folder: Path, images: int = 24) -> Path:
    """Write blobs of every colour in two class folders."""
    rng = np.random.default_rng(0)
    for number in range(images):
        target = folder / ("cats", "dogs")[number % 2] / f"{number}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        blobs = rng.integers(0, 256, (6, 6, 3), dtype=np.uint8)
        Image.fromarray(blobs).resize((48, 48), Image.Resampling.BICUBIC).save(target)
    return folder


def listed(target: Path, images: Path, **columns) -> Path:
    """Write a CSV of a folder's images with further columns, one value per path."""
    paths = sorted(path for path in images.rglob("*.png") if "phantom_masks" not in path.parts)
    rows = pd.DataFrame({"path": map(str, paths), "label": [path.parent.name for path in paths]})
    for name, function in columns.items():
        rows[name] = [function(path) for path in paths]
    rows.to_csv(target, index=False)
    return target
