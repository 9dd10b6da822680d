"""Runs of a second: a few slices in the layout of COVID19-CT, a network of a few weights.

And of some seconds: X-rays whose lungs a small network finds for one with masks.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from covidlib.data.augmentation import MSATL_CT
from covidlib.data.phantoms import PhantomSettings
from covidlib.data.preprocessing import Preprocessing
from covidlib.models.cxr_classifiers import CxrClassifierSettings
from covidlib.models.res_unet import ResUNetSettings
from covidlib.runs.record import RECORD, Record
from covidlib.runs.spec import RunSpec
from covidlib.settings import CxrSettings, DataSettings, SegmentationSettings, SupervisedSettings

COUNTS = {"train": 11, "val": 3, "test": 5}  # per class: 22 images in batches of 8 leave 6


def written_at(record: Record) -> int:
    """Return when a record was written, in ns; two runs may start within one printed second."""
    return (record.folder / RECORD).stat().st_mtime_ns


def draw_covid_ct(root: Path, seed: int = 0) -> Path:
    """Write covid-ct under a data root and return the root; COVID slices have a bright corner."""
    folder, rng = root / "covid-ct", np.random.default_rng(seed)
    for label, meta, columns in (
        ("COVID", "COVID-CT-MetaInfo.csv", "File name,DOI,Patient ID"),
        ("NonCOVID", "NonCOVID-CT-MetaInfo.csv", "image name,patient id"),
    ):
        images, lists = folder / f"Images-processed/CT_{label}", folder / f"Data-split/{label}"
        images.mkdir(parents=True)
        lists.mkdir(parents=True)
        rows = [columns]
        for split, count in COUNTS.items():
            names = [f"{label}-{split}-{number}.png" for number in range(count)]
            (lists / f"{split}CT_{label}.txt").write_text("\n".join(names) + "\n")
            for name in names:
                pixels = rng.integers(0, 160, (40, 40), dtype=np.uint8)
                if label == "COVID":
                    pixels[4:20, 4:20] += 80
                Image.fromarray(pixels).save(images / name)
                patient = f"{name[:-4]}-patient"
                rows.append(f"{name},,{patient}" if label == "COVID" else f"{name},{patient}")
        (folder / meta).write_text("\n".join(rows) + "\n")
    return root


@dataclass(frozen=True)
class TinySettings:
    """A network that trains in milliseconds and still has what resuming could get wrong."""

    norm: bool = True
    dropout: float = 0.3
    width: int = 4

    @property
    def slug(self) -> str:
        return "tiny"

    def build(self, classes: int) -> "Tiny":
        return Tiny(self, classes)


class Tiny(nn.Module):
    def __init__(self, settings: TinySettings, classes: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, settings.width, 3, stride=4, padding=1),
            nn.BatchNorm2d(settings.width) if settings.norm else nn.Identity(),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
        )
        self.dropout = nn.Dropout(settings.dropout)
        self.classifier = nn.Linear(4 * settings.width, classes)

    def forward(self, images: Tensor) -> Tensor:
        return self.classifier(self.dropout(self.body(images)))


DATA = DataSettings("covid-ct", preprocessing=Preprocessing(size=40))
TRAINING = SupervisedSettings(
    size=35, augmentation=MSATL_CT, epochs=3, batch=8, lr=0.05, validate_every=2
)


def tiny(seed: int = 0, network=None, data=DATA, init=None, stage="target", **training) -> RunSpec:
    """Return a spec of 3 epochs of 3 steps."""
    settings = replace(TRAINING, **training)
    return RunSpec(network or TinySettings(), data, settings, seed, init, stage)


DRAWN = PhantomSettings(images=40, size=64)
FINDER = RunSpec(
    ResUNetSettings((4, 8)),
    DataSettings(
        "manet-masks", "kfold", 0, preprocessing=Preprocessing(size=32), phantom=DRAWN, masks=True
    ),
    SegmentationSettings(size=32, epochs=1, batch=8, lr=1e-2),
    stage="lungs",
)


def masked(size: int) -> RunSpec:
    """Return a spec of one epoch with mask attention on lungs that ``FINDER`` finds."""
    data = DataSettings(
        "montgomery",
        "holdout",
        preprocessing=Preprocessing(size=size),
        phantom=DRAWN,
        lungs=FINDER,
        view="lungs",
    )
    training = CxrSettings(size=size, epochs=1, batch=16, precision="32-true")
    return RunSpec(CxrClassifierSettings("resnet34", "mask"), data, training)


def same(first, second) -> bool:
    """Whether two records have the same bits in weights, predictions and curve."""
    from safetensors.torch import load_file

    ours, theirs = load_file(first.weights), load_file(second.weights)
    return (
        ours.keys() == theirs.keys()
        and all(torch.equal(ours[name], theirs[name]) for name in ours)
        and first.predictions.equals(second.predictions)
        and (first.folder / "curve.csv").read_bytes() == (second.folder / "curve.csv").read_bytes()
        and first.metrics == second.metrics
    )
