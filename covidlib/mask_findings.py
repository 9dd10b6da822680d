"""What the maps of mask attention do to real lungs: measured once and kept (manet, sec. 3.3)."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import BoolTensor, Tensor

from covidlib.data import Dataset, open_dataset
from covidlib.data.cache import build_cache
from covidlib.data.preprocessing import Preprocessing
from covidlib.errors import DataError
from covidlib.files import save
from covidlib.models.cxr_classifiers import CxrClassifierSettings
from covidlib.models.mask_attention import MaskAttention
from covidlib.models.mask_pooling import BORDERS, pool

STOPS = {
    "stem": "conv1", "pool": "maxpool", "layer 1": "layer1.2.add", "layer 2": "layer2.3.add",
    "layer 3": "layer3.5.add", "layer 4": "layer4.2.add",
}  # fmt: skip
FRAMES = ("contrast", "skips")


@dataclass(frozen=True)
class MapFindings:
    """Facts about the maps of ResNets on the lung masks of one data set.

    Args:
        contrast: mean map in and outside the lungs; see ``contrast``.
        skips: how far the two maps that meet at each sum differ; see ``skips``.
        images: number of masks.
        size: their side, pixels.
        provenance: data set, commit, versions, seconds, phantom.
    """

    contrast: pd.DataFrame
    skips: pd.DataFrame
    images: int
    size: int
    provenance: Mapping[str, object]


def lung_masks(dataset: Dataset, size: int) -> tuple[np.ndarray, BoolTensor]:
    """Return images (N, S, S), uint8, and lung masks (N, S, S) of those that have one.

    Raises:
        DataError: no image has a lung mask.
    """
    known = dataset.table[dataset.table["lung_mask"].notna()]
    if known.empty:
        raise DataError(f"{dataset.name} has no lung masks")
    cached = build_cache(dataset, Preprocessing(size=size), masks=True)
    rows = cached.has_lung
    return cached.images[rows], torch.from_numpy(cached.lungs[rows].astype(bool))


@cache
def masked(backbone: str, borders: str = "zeros") -> MaskAttention:
    """Return a network for its maps alone: its weights are not allocated."""
    with torch.device("meta"):
        return CxrClassifierSettings(backbone, "mask", borders).build(5)


def contrast(masks: BoolTensor, backbone: str = "resnet34") -> pd.DataFrame:
    """Return the mean map where most of a cell is lung, and where most is not.

    Args:
        masks: (N, H, W).
        backbone: "resnet34" or "resnet50".

    Returns:
        A row per stop of the network; columns (borders, "lung" or "elsewhere"). NaN where no cell
        is of that kind.
    """
    columns = {}
    for borders in BORDERS:
        maps = masked(backbone, borders).maps(masks)
        for stop, name in STOPS.items():
            values = maps[name]
            lung = F.adaptive_avg_pool2d(masks[:, None].float(), values.shape[2:]) > 0.5
            for kind, cells in (("lung", lung), ("elsewhere", ~lung)):
                columns.setdefault((borders, kind), {})[stop] = float(values[cells].mean())
    return pd.DataFrame(columns)


def skips(masks: BoolTensor, backbones: tuple[str, ...] = ("resnet34", "resnet50")) -> pd.DataFrame:
    """Return how far the maps of residual branch and shortcut differ where they are added.

    The paper calls this difference trivial (manet sec. 3.3, claim Q18).

    Returns:
        A row per residual block; columns backbone, block, mean, q95 and maximum of the absolute
        difference over all places that are not far from any lung (either map above 0).
    """
    rows = []
    for backbone in backbones:
        network = masked(backbone)
        maps = network.maps(masks)
        before = maps["maxpool"]
        for name in (n for n in maps if n.endswith(".add")):
            here = maps[name]
            shortcut = before[:, :, :: before.shape[2] // here.shape[2]]
            shortcut = shortcut[..., :: before.shape[3] // here.shape[3]]
            rows.append(_difference(here, shortcut) | {"backbone": backbone, "block": name[:-4]})
            before = here
    return pd.DataFrame(rows)[["backbone", "block", "mean", "q95", "maximum"]]


def _difference(first: Tensor, second: Tensor) -> dict[str, float]:
    apart = (first - second).abs()[(first > 0) | (second > 0)].numpy()
    return {
        "mean": float(apart.mean()),
        "q95": float(np.quantile(apart, 0.95)),
        "maximum": float(apart.max()),
    }


def last_ones(backbone: str, sizes: Sequence[int], borders: str = "zeros") -> pd.Series:
    """Return the mean of the last map of a mask of ones, by side of the image.

    Args:
        backbone: a network.
        sizes: sides of square images, pixels.
        borders: what lies outside; "visible" leaves 1.
    """
    *_, path = masked(backbone, borders).products.values()
    means = [float(pool(torch.ones(1, 1, size, size), path, borders).mean()) for size in sizes]
    return pd.Series(means, index=list(sizes), name=backbone)


def all_ones(size: int, borders: str) -> dict[str, np.ndarray]:
    """Return the maps of a mask of ones at every stop of ResNet34, (H', W')."""
    network = masked("resnet34", borders)
    ones = torch.ones(1, 1, size, size)
    paths = {stop: network.paths[name] for stop, name in STOPS.items()}
    return {stop: pool(ones, path, borders)[0, 0].numpy() for stop, path in paths.items()}


def find(dataset: Dataset, size: int) -> MapFindings:
    """Measure everything that is kept, on every lung mask of a data set."""
    from covidlib.runs.provenance import software

    start = time.monotonic()
    _, masks = lung_masks(dataset, size)
    frames = {"contrast": contrast(masks), "skips": skips(masks)}
    provenance = software() | {
        "data": dataset.name, "fingerprint": dataset.fingerprint, "phantom": dataset.phantom,
        "seconds": round(time.monotonic() - start, 1),
    }  # fmt: skip
    return MapFindings(**frames, images=len(masks), size=size, provenance=provenance)


def write(findings: MapFindings, folder: str | Path) -> Path:
    """Keep findings of real masks under ``book/results``.

    Raises:
        DataError: the masks were drawn, or the folder holds findings already.
    """
    target = _file(folder, findings.size)
    if findings.provenance.get("phantom") is not False:
        raise DataError("only findings of real masks are kept")
    if target.exists():
        raise DataError(f"{target} is there; remove it to measure again")
    tables = {name: getattr(findings, name).round(6) for name in FRAMES}
    body = {name: json.loads(f.to_json(orient="split")) for name, f in tables.items()}
    body |= {"images": findings.images, "size": findings.size}
    body["provenance"] = dict(findings.provenance)
    return save(target, json.dumps(body, indent=1) + "\n")


def read(folder: str | Path, size: int) -> MapFindings:
    """Read what ``write`` kept for images of a size.

    Raises:
        DataError: there is nothing.
    """
    source = _file(folder, size)
    if not source.is_file():
        raise DataError(f"{source} is missing")
    body = json.loads(source.read_text(encoding="utf-8"))
    for name in FRAMES:
        body[name] = pd.read_json(StringIO(json.dumps(body[name])), orient="split")
    columns = body["contrast"].columns
    body["contrast"].columns = pd.MultiIndex.from_tuples([tuple(pair) for pair in columns])
    return MapFindings(**body)


def _file(folder: str | Path, size: int) -> Path:
    return Path(folder) / f"maps-{size}.json"


def main(data: Path, folder: Path, name: str = "covid-cxr-segmentations", size: int = 512) -> None:
    """Measure the masks of a data set under the data root DATA; keep the findings in FOLDER."""
    write(find(open_dataset(name, data), size), folder)


if __name__ == "__main__":
    from covidlib.terminal import run_alone

    run_alone(main)
