"""Lungs of images that nobody has drawn, and what of an image a network is shown."""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from covidlib.data.batches import DeviceImages
from covidlib.data.cache import Cached, build_cache
from covidlib.errors import DataError
from covidlib.files import once
from covidlib.paths import cache_root
from covidlib.postprocessing import clean
from covidlib.settings import DataSettings, SegmentationSettings
from covidlib.training.data import TrainingData
from covidlib.training.method import prepare
from covidlib.training.segmentation import evaluate, lung_masks

FRAME = 1 / 8  # of the side: how wide the frame of the view "frame" is


def with_lungs(
    data: TrainingData, segmenter: torch.nn.Module, settings: DataSettings, digest: str
) -> TrainingData:
    """Return the images with the lungs that a trained segmentation finds in them.

    As in manet, every image gets predicted lungs, those with drawn ones too (sec. 4.1). The masks
    are found at the size the network was trained at, cleaned, and kept in the cache.

    Args:
        data: decoded images; whatever masks they have are replaced.
        segmenter: the trained network, on the device that is to be used.
        settings: of the data; ``settings.lungs`` is the run that trained the network.
        digest: of its weights.

    Raises:
        DataError: the two stages decode images to different geometries.
    """
    trained = settings.lungs
    if trained.data.preprocessing.fit != settings.preprocessing.fit:
        raise DataError("segmentation and classification need the same fit of their images")
    small = build_cache(data.dataset, trained.data.preprocessing)
    if small.table["sample"].tolist() != data.cached.table["sample"].tolist():
        raise DataError(f"{data.dataset.name}: the two stages could read different images")
    name = f"{data.cached.folder.name}-{_short(small.folder.name, trained.key, digest)}"

    def fill(folder: Path) -> None:
        masks = predicted_lungs(small, data.classes, segmenter, trained.training)
        np.save(folder / "lungs.npy", resized(masks, settings.preprocessing.size).numpy())

    folder = once(cache_root() / "lungs" / name, fill)
    lungs = np.load(folder / "lungs.npy", mmap_mode="r")
    known = np.ones(len(lungs), dtype=bool)
    return replace(data, cached=replace(data.cached, lungs=lungs, has_lung=known))


def _short(*parts: str) -> str:
    return hashlib.sha256("/".join(parts).encode()).hexdigest()[:20]


def predicted_lungs(
    cached: Cached,
    classes: tuple[str, ...],
    segmenter: torch.nn.Module,
    settings: SegmentationSettings,
    cleaned: bool = True,
) -> np.ndarray:
    """Return the lungs that a network finds in decoded images, (N, S, S), bool."""
    images = DeviceImages(replace(cached, lungs=None), classes, next(segmenter.parameters()).device)
    found = []
    for batch in images.iterate(torch.arange(len(images)).split(settings.batch)):
        logits = evaluate(segmenter, prepare(batch.image, settings).images, settings)
        masks = lung_masks(logits, settings)
        found += [clean(mask, settings.cleaning) if cleaned else mask for mask in masks]
    return np.stack(found)


def resized(masks: np.ndarray, size: int) -> Tensor:
    """Bring masks (N, S, S) to another side: 1 where half a pixel or more is covered, uint8."""
    whole = torch.from_numpy(masks)[:, None].to(torch.uint8)
    if masks.shape[-1] == size:
        return whole[:, 0]
    parts = [
        F.interpolate(part.float(), (size, size), mode="bilinear", antialias=True) >= 0.5
        for part in whole.split(64)  # float32 of all at once would be four times the images
    ]
    return torch.cat(parts)[:, 0].to(torch.uint8)


def seen(data: TrainingData, view: str) -> TrainingData:
    """Return what a network is shown of each image.

    Args:
        data: images, and lungs where the view needs them.
        view: "image", or "lungs": black outside them (manet sec. 2.3); "outside": black inside;
            "shape": the lungs in white on black, no image at all; "frame": the outermost eighth on
            each side. The last three are what a shortcut could use.

    Raises:
        DataError: lungs are needed and not known of every image.
    """
    if view == "image":
        return data
    cached = data.cached
    if view != "frame" and (cached.lungs is None or not cached.has_lung.all()):
        raise DataError(f"{data.dataset.name}: the view {view!r} needs the lungs of every image")
    lungs = None if view == "frame" else np.asarray(cached.lungs)
    return replace(data, cached=replace(cached, images=show(cached.images, lungs, view)))


def show(images: np.ndarray, lungs: np.ndarray | None, view: str) -> np.ndarray:
    """Return what a view leaves of images (N, S, S), uint8; lungs (N, S, S), see ``seen``."""
    shown = np.array(images)
    if view == "frame":
        edge = round(shown.shape[-1] * FRAME)
        shown[..., edge:-edge, edge:-edge] = 0
    elif view == "shape":
        shown = lungs.astype(np.uint8) * np.uint8(255)
    elif view != "image":
        shown[lungs.astype(bool) != (view == "lungs")] = 0
    return shown
