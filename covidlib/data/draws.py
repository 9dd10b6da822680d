"""What happens to each sample, drawn apart from doing it."""

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from covidlib.data.augmentation_settings import OPERATIONS, Augmentation
from covidlib.data.seeds import generator
from covidlib.data.warping import crop_window, flip, motion

# Each drawn number: its operation, and its value where the operation does not happen.
# A new one goes last, or every recorded run would draw others.
VALUES = {
    "left": ("crop", 0.5),
    "top": ("crop", 0.5),
    "crop": ("crop", 1.0),
    "shift_x": ("shift", 0.0),
    "shift_y": ("shift", 0.0),
    "zoom": ("zoom", 1.0),
    "angle": ("angle", 0.0),
    "brightness": ("brightness", 1.0),
    "contrast": ("contrast", 1.0),
    "offset": ("offset", 0.0),
}
FLAGS = ("flip_x", "flip_y", "grey")


@dataclass(frozen=True)
class Draws:
    """What happens to each sample of a batch: CPU tensors of shape (N,), sliced like a list.

    ``left`` and ``top`` place the crop, 0 at one edge and 1 at the other. The rest means what it
    means in ``Augmentation``; an operation that does not happen stands at its neutral value.
    """

    left: Tensor
    top: Tensor
    crop: Tensor
    shift_x: Tensor
    shift_y: Tensor
    zoom: Tensor
    angle: Tensor
    brightness: Tensor
    contrast: Tensor
    offset: Tensor
    flip_x: Tensor
    flip_y: Tensor
    grey: Tensor

    def __len__(self) -> int:
        return len(self.left)

    def __getitem__(self, places: slice | Tensor) -> "Draws":
        return Draws(**{f.name: getattr(self, f.name)[places] for f in fields(self)})

    def matrix(self, size_in: int, size_out: int) -> Tensor:
        """Return the whole geometry of each sample, output to input: float64, (N, 3, 3)."""
        shift = torch.stack([self.shift_x, self.shift_y], 1)
        window = crop_window(self.crop, self.left, self.top, size_in, size_out)
        return window @ motion(self.angle, self.zoom, shift) @ flip(self.flip_x, self.flip_y)


def identity(count: int) -> Draws:
    """Return draws that leave every sample as it is."""
    never = torch.zeros(count, dtype=torch.bool)
    values = {
        name: torch.full((count,), neutral, dtype=torch.float64)
        for name, (_, neutral) in VALUES.items()
    }
    return Draws(**values, **dict.fromkeys(FLAGS, never))


def draw(augmentation: Augmentation, count: int, key: tuple[int, ...]) -> Draws:
    """Draw what happens to each sample of a batch.

    With several processes each draws for the whole batch and takes its own slice
    (``covidlib.data.batches.share``), so their number changes nothing.

    Args:
        augmentation: ranges and probabilities.
        count: images in the whole batch.
        key: seed, epoch and step; one more number for a second view of the same images.
    """
    columns = [len(OPERATIONS), 1, len(VALUES)]
    uniform = torch.rand(
        count, sum(columns), generator=generator("augmentation", *key), dtype=torch.float64
    )
    gates, number, shares = uniform.split(columns, dim=1)
    happens = dict(zip(OPERATIONS, _happens(augmentation, gates, number).unbind(1), strict=True))
    values = {}
    for (name, (operation, neutral)), share in zip(VALUES.items(), shares.unbind(1), strict=True):
        where = happens[operation]
        if name in ("left", "top"):
            where = where & (not augmentation.centred)
        elif chosen := getattr(augmentation, operation):
            share = chosen.low + share * (chosen.high - chosen.low)
        values[name] = share.masked_fill(~where, neutral)
    return Draws(**values, **{name: happens[name] for name in FLAGS})


def _happens(augmentation: Augmentation, gates: Tensor, number: Tensor) -> Tensor:
    """Return which operations happen to which sample: booleans, (N, operations)."""
    probabilities = torch.tensor(augmentation.probabilities(), dtype=torch.float64)
    if not augmentation.random_number:
        return gates < probabilities
    named = probabilities > 0
    how_many = (number * (named.sum() + 1)).floor()
    rank = gates.masked_fill(~named, 2).argsort(1).argsort(1)
    return (rank < how_many) & named
