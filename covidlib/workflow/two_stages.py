"""Both stages of manet as one object, saved, loaded and applied (sec. 3.1)."""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from covidlib.data.decoding import Problem
from covidlib.data.layouts.common import images_in
from covidlib.errors import DataError, RunError
from covidlib.evaluation.predictions import PREFIX, classes_of
from covidlib.explain import grad_cam, stretch
from covidlib.own_images.modality import Look, look_at_all
from covidlib.postprocessing import clean
from covidlib.runs.record import PREDICTIONS, RECORD, WEIGHTS, Record
from covidlib.runs.spec import RunSpec
from covidlib.runs.store import Store, place
from covidlib.training.lungs import resized, show
from covidlib.training.method import Inputs, prepare
from covidlib.training.precision import autocast
from covidlib.training.segmentation import evaluate, lung_masks
from covidlib.training.supervised import logits
from covidlib.workflow.reading import Read
from covidlib.workflow.stage import Stage

STAGES = ("segmentation", "classification")


def _paths(images: str | Path | Sequence[Path]) -> list[Path]:
    """Return the images of a folder, one image, or the paths that were given."""
    if not isinstance(images, str | Path):
        paths = [Path(path) for path in images]
    elif Path(images).is_file():
        paths = [Path(images)]
    elif Path(images).is_dir():
        paths = images_in(Path(images))
    else:
        raise DataError(f"{images} is neither a folder nor an image")
    if not paths:
        raise DataError(f"{images} holds no image")
    return paths


@dataclass(frozen=True)
class Workflow:
    """Both stages of manet, ready for a folder of X-rays.

    >>> Workflow.load("no-such-folder")
    Traceback (most recent call last):
    ...
    covidlib.errors.RunError: no-such-folder holds no workflow: segmentation/record.json is missing
    """

    segmentation: Stage
    classification: Stage

    @classmethod
    def of(cls, spec: RunSpec, store: Store) -> "Workflow":
        """Take the two trained networks of a classifier's specification from a store.

        Raises:
            RunError: the specification has no segmentation, or a run is not in the store.
        """
        if spec.data.lungs is None:
            raise RunError(f"{spec.key} finds no lungs: it has one stage only")
        found = {part.key: store.get(part) for part in (spec.data.lungs, spec)}
        if missing := [key for key, record in found.items() if record is None]:
            raise RunError(f"not in the store: {', '.join(missing)}")
        return cls(*(Stage.of(record) for record in found.values()))

    @classmethod
    def load(cls, folder: str | Path) -> "Workflow":
        """Read what ``save`` wrote.

        Raises:
            RunError: something is missing, damaged, or made by another version.
        """
        for name in STAGES:
            if not (Path(folder) / name / RECORD).is_file():
                raise RunError(f"{folder} holds no workflow: {name}/{RECORD} is missing")
        first, second = (Stage.of(Record(Path(folder) / name)) for name in STAGES)
        if second.spec.data.lungs != first.spec:
            raise RunError(f"{folder}: the classifier was trained with another segmentation")
        return cls(first, second)

    def save(self, folder: str | Path) -> Path:
        """Write both stages into a new folder, whole or not at all.

        Raises:
            RunError: the folder exists.
        """

        def fill(draft: Path) -> None:
            for name in STAGES:
                (draft / name).mkdir()
                for file in (RECORD, PREDICTIONS, WEIGHTS):
                    shutil.copyfile(getattr(self, name).record.folder / file, draft / name / file)

        place(Path(folder), fill)
        return Path(folder)

    @property
    def classes(self) -> tuple[str, ...]:
        """What the second stage tells apart."""
        return classes_of(self.classification.record.predictions)

    def apply(self, images: str | Path | Sequence[Path], *, explain: bool = False) -> Read:
        """Segment, clean, mask and classify; with ``explain`` also say where the label comes from.

        Every image gets a label, whatever it shows, and a warning where it does not look like a
        chest X-ray, where no lungs were found, or where the networks know drawn images only or
        learnt for seconds.

        Args:
            images: a folder of X-rays, or their paths.
            explain: whether to compute Grad-CAM.

        Raises:
            DataError: no image, or some that cannot be decoded, which the message names.
        """
        return Read.joined(list(self.readings(images, explain=explain)))

    def readings(
        self, images: str | Path | Sequence[Path], *, explain: bool = False, at_once: int = 64
    ) -> Iterator[Read]:
        """Return what ``apply`` does, some images at a time; only those lie in memory.

        All images are looked at before the first reading.

        Args:
            images, explain: as for ``apply``.
            at_once: images per reading.

        Raises:
            DataError: as for ``apply``.
        """
        paths = _paths(images)
        window = self.classification.spec.data.preprocessing.window
        looks = look_at_all(map(str, paths), window=window)
        if refused := [look for look in looks if isinstance(look, Problem)]:
            names = "; ".join(f"{one.path}: {one.reason}" for one in refused)
            raise DataError(f"{len(refused)} of {len(looks)} images cannot be decoded: {names}")
        for start in range(0, len(paths), at_once):
            rows = slice(start, start + at_once)
            yield self._read(paths[rows], looks[rows], start, explain)

    def _read(self, paths: list[Path], looks: list[Look], first: int, explain: bool) -> Read:
        """Return what is said of images whose numbers begin with ``first``."""
        predicted, lungs = self.lungs(paths)
        shown = self.classification.images(paths)
        inputs = self._inputs(shown, lungs)
        probabilities = self._probabilities(inputs)
        names = np.array(self.classes)
        table = pd.DataFrame({"path": [str(p) for p in paths]})
        table.index += first
        table["label"] = names[probabilities.argmax(1)]
        table[[PREFIX + name for name in names]] = probabilities
        table["lung_share"] = lungs.mean((1, 2))
        table["warning"] = [
            self._warning(look, bool(mask.any())) for look, mask in zip(looks, lungs, strict=True)
        ]
        heat = self._heat(inputs, probabilities.argmax(1)) if explain else None
        return Read(table, shown, predicted, lungs, heat)

    def _warning(self, look: Look, found: bool) -> str:
        records = [self.segmentation.record, self.classification.record]
        drawn = any(record.phantom for record in records)
        short = any(record.provenance["profile"] == "smoke" for record in records)
        warnings = {
            "it does not look like a chest X-ray": look.excludes("cxr"),
            "no lungs were found": not found,
            "the networks learnt from drawn images": drawn,
            "the networks learnt for seconds": short and not drawn,
        }
        return "; ".join(text for text, holds in warnings.items() if holds)

    def lungs(self, paths: Sequence[Path]) -> tuple[np.ndarray, np.ndarray]:
        """Return lungs as predicted (N, T, T), and cleaned at the classifier's size (N, S, S)."""
        stage, settings = self.segmentation, self.segmentation.spec.training
        decoded = torch.from_numpy(stage.images(paths))[:, None]
        parts = [
            lung_masks(evaluate(stage.network, prepare(part, settings).images, settings), settings)
            for part in decoded.split(settings.batch)
        ]
        predicted = np.concatenate(parts)
        cleaned = np.stack([clean(mask, settings.cleaning) for mask in predicted])
        size = self.classification.spec.data.preprocessing.size
        return predicted, resized(cleaned, size).numpy().astype(bool)

    def _inputs(self, images: np.ndarray, lungs: np.ndarray) -> Inputs:
        spec = self.classification.spec
        shown = torch.from_numpy(show(images, lungs, spec.data.view))[:, None]
        return prepare(shown, spec.training, lungs=torch.from_numpy(lungs)[:, None])

    @torch.no_grad()
    def _probabilities(self, inputs: Inputs) -> np.ndarray:
        stage, parts = self.classification, []
        for rows in torch.arange(len(inputs.images)).split(stage.spec.training.batch):
            part = Inputs(inputs.images[rows], inputs.lungs[rows])
            with autocast(part.images.device, stage.spec.training.precision):
                parts.append(logits(stage.network, part).double().softmax(1))
        return torch.cat(parts).numpy()

    def _heat(self, inputs: Inputs, wanted: np.ndarray) -> np.ndarray:
        targets = torch.from_numpy(wanted)
        maps = grad_cam(self.classification.network, inputs.images, targets, inputs.lungs)
        return stretch(maps, tuple(inputs.images.shape[2:])).numpy()
