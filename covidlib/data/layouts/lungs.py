"""Sets with lung masks."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from covidlib.data.layouts.common import images_in, make_table, need
from covidlib.errors import DataError
from covidlib.paths import cache_root

_TB_LABELS = {"0": "normal", "1": "tuberculosis"}


def montgomery(folder: Path) -> pd.DataFrame:
    """Read the Montgomery set (Jaeger et al. 2014): name = MCUCXR_<patient>_<0 or 1>.

    The left and the right lung come as two masks. Their union is written once into the cache;
    the originals are the columns ``left_mask`` and ``right_mask``.
    """
    sides = {side: need(folder / f"ManualMask/{side}Mask") for side in ("left", "right")}
    rows = []
    for image in images_in(need(folder / "CXR_png")):
        masks = {f"{side}_mask": home / image.name for side, home in sides.items()}
        known = all(mask.is_file() for mask in masks.values())
        row = {"path": image, "source": "Montgomery", **_tuberculosis(image)}
        if known:
            row |= {side: str(mask) for side, mask in masks.items()}
            row["lung_mask"] = str(_union(image.name, list(masks.values())))
        rows.append(row)
    return make_table(folder, rows)


def shenzhen(folder: Path) -> pd.DataFrame:
    """Read the Shenzhen set (Jaeger et al. 2014), masks of Stirenko et al. 2018 where present."""
    rows = []
    for image in images_in(need(folder / "CXR_png")):
        mask = folder / "mask" / f"{image.stem}_mask.png"
        row = {"path": image, "source": "Shenzhen", **_tuberculosis(image)}
        rows.append(row | {"lung_mask": str(mask) if mask.is_file() else pd.NA})
    return make_table(folder, rows)


def segmentations(folder: Path) -> pd.DataFrame:
    """Read covid-cxr-segmentations: images with lung masks and, where drawn, lesion masks."""
    rows = []
    for image in images_in(need(folder / "images")):
        row = {"path": image, "source": "covid-chestxray-dataset"}
        for column, home in (("lung_mask", "lung_masks"), ("lesion_mask", "lesion_masks")):
            mask = folder / home / f"{image.stem}.png"
            row[column] = str(mask) if mask.is_file() else pd.NA
        rows.append(row)
    return make_table(folder, rows)


def _tuberculosis(image: Path) -> dict:
    patient, _, code = image.stem.rpartition("_")
    return {"patient": patient, "label": _TB_LABELS.get(code, pd.NA)}


def _union(name: str, masks: list[Path]) -> Path:
    """Write the union of masks into the cache, once, and return its path."""
    stats = [mask.stat() for mask in masks]
    version = "-".join(f"{s.st_size:x}.{s.st_mtime_ns:x}" for s in stats)
    target = cache_root() / "masks" / "montgomery" / f"{Path(name).stem}-{version}.png"
    if target.is_file():
        return target
    left, right = (np.asarray(Image.open(mask).convert("L")) > 0 for mask in masks)
    if left.shape != right.shape:
        raise DataError(f"{masks[0]} and {masks[1]} differ in size: {left.shape}, {right.shape}")
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f"{target.name}.{os.getpid()}")
    Image.fromarray(((left | right) * 255).astype(np.uint8)).save(partial, format="png")
    partial.replace(target)
    return target
