"""The slices whose maps are looked at, and their lungs."""

from collections.abc import Mapping, Sized
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import BoolTensor, Tensor

from covidlib.errors import DataError
from covidlib.models.lung_boxes import WHOLE, locate
from covidlib.settings import DataSettings, TrainingSettings
from covidlib.training.data import training_data
from covidlib.training.method import prepare

# Side of the images that are explained. At 64 pixels a map of res5 has 2 x 2 cells, at 224 it has
# 7 x 7: maps are drawn at the paper's size whatever the size of training (ours).
SIZE: Mapping[str, int] = {"smoke": 96, "laptop": 224, "paper": 224}
CACHED = 256 / 224  # the centre crop is that of the paper's sizes (msatl sec. 6.2)
SHOWN = 4  # rows of Figure 4


@dataclass(frozen=True)
class Slices:
    """Positive test slices, ready for a network.

    Args:
        samples: their names. Length: N.
        patients: whose they are; the name of the slice where that is not known. Length: N.
        inputs: as a network takes them. Shape: (N, 3, S, S).
        lungs: drawn on phantoms, hulls of what a threshold finds on real slices; bool.
            Shape: (N, S, S).
        dice: how well the threshold finds the drawn lungs; NaN on real slices. Shape: (N,).
        left_out: positive slices on which the threshold finds no lungs.
        label: number of the positive class.
        fingerprint: of the data.
        phantom: whether the slices were drawn.
    """

    samples: tuple[str, ...]
    patients: tuple[str, ...]
    inputs: Tensor
    lungs: BoolTensor
    dice: np.ndarray
    left_out: int
    label: int
    fingerprint: str
    phantom: bool

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, rows: slice) -> "Slices":
        fields = ("samples", "patients", "inputs", "lungs", "dice")
        return replace(self, **{name: getattr(self, name)[rows] for name in fields})

    @property
    def targets(self) -> Tensor:
        """The positive class once per slice."""
        return torch.full((len(self),), self.label)

    def picture(self, row: int) -> np.ndarray:
        """Return a slice as grey values in [0, 1], (S, S)."""
        grey = self.inputs[row].mean(0).numpy()
        return (grey - grey.min()) / max(float(np.ptp(grey)), 1e-9)


def positive_slices(
    data: DataSettings,
    training: TrainingSettings,
    size: int,
    root: Path | None = None,
    split: str = "test",
) -> Slices:
    """Return the positive slices of a split at a size, in the order of the table.

    Lungs of real slices are the hulls of those that the Generator of msatl sec. 5.3 locates by
    thresholds; slices on which it gives up are left out and counted.

    Args:
        data: the target's settings; the last class is positive.
        training: normalisation of the networks to come.
        size: side of the inputs.
        root: the data root; phantoms need none.
        split: of which part.

    Raises:
        DataError: no slice is left.
    """
    phantom = data.phantom is not None
    cached = replace(data.preprocessing, size=round(size * CACHED))
    wanted = replace(data, preprocessing=cached, masks=phantom)
    found = training_data(wanted, root)
    label = len(found.classes) - 1
    rows = found.rows(split)
    rows = rows[(found.table["label"].iloc[rows.numpy()] == found.classes[label]).to_numpy(bool)]
    (batch,) = found.on(torch.device("cpu")).iterate([rows])
    located = locate(batch.image[:, :1])
    seen = located.way != WHOLE
    lungs = hulls(located.lungs, located.box)[:, None]
    dice = np.full(len(rows), np.nan)
    if phantom:
        seen = torch.ones_like(seen)
        lungs, dice = batch.lung, _dice(lungs, batch.lung)
    if not seen.any():
        raise DataError(f"no {split} slice of {found.dataset.name} has lungs to be found")
    ready = prepare(batch.image[seen], replace(training, size=size), lungs=lungs[seen])
    table = found.table.iloc[rows[seen].numpy()]
    return Slices(
        samples=tuple(table["sample"]),
        patients=tuple(table["patient"].fillna(table["sample"])),
        inputs=ready.images,
        lungs=ready.lungs[:, 0].bool(),
        dice=dice[seen.numpy()],
        left_out=int((~seen).sum()),
        label=label,
        fingerprint=found.dataset.fingerprint,
        phantom=phantom,
    )


def shown(slices: Sized) -> list[int]:
    """Return which slices a figure shows, evenly spaced: a rule, so that nobody picks."""
    count = len(slices)
    return np.unique(np.linspace(0, count - 1, min(SHOWN, count)).astype(int)).tolist()


def hulls(lungs: Tensor, boxes: Tensor) -> Tensor:
    """Return the convex hull of each lung, a side of the box's middle line each.

    A threshold leaves out what is light, consolidations first: the very regions that a map should
    mark. The hull has them in, at the price of some tissue beside the lung.

    Args:
        lungs: Shape: (N, S, S), bool.
        boxes: left, top, right, bottom as shares of the side. Shape: (N, 4).
    """
    from skimage.morphology import convex_hull_image

    found = torch.zeros_like(lungs)
    middles = (boxes[:, 0::2].mean(1) * lungs.shape[2]).round().long().tolist()
    for number, middle in enumerate(middles):
        for side in (slice(None, middle), slice(middle, None)):
            half = lungs[number, :, side]
            if half.any():
                found[number, :, side] = torch.from_numpy(convex_hull_image(half.numpy()))
    return found


def _dice(one: Tensor, two: Tensor) -> np.ndarray:
    both = (one & two).flatten(1).sum(1)
    return (2 * both / (one.flatten(1).sum(1) + two.flatten(1).sum(1)).clamp_min(1)).numpy()
