"""One protocol for networks of different papers (ours; no paper compares them so)."""

import math
from dataclasses import dataclass

from covidlib.data.augmentation import MSATL_CXR, Augmentation
from covidlib.settings.magsd import MAGSDSettings
from covidlib.settings.training import SupervisedSettings


def cosine(rate: float, epoch: int, epochs: int) -> float:
    """Return a rate that falls from its start to 0 along a cosine."""
    return rate * (1 + math.cos(math.pi * epoch / epochs)) / 2


@dataclass(frozen=True)
class ProtocolSettings(SupervisedSettings):
    """Cross-entropy and AdamW, the same for every network.

    The papers' own SGD and rates belong to ResNets, AdamW to ConvNeXt's recipe. The steps
    of AdamW do not depend on the scale of a network's gradients, so that one rate serves all.
    ``momentum`` is its first coefficient.
    """

    augmentation: Augmentation = MSATL_CXR  # the mildest of the three papers': nobody is mirrored
    # upside down, and no lung leaves the picture
    epochs: int = 100
    batch: int = 32
    lr: float = 5e-4
    weight_decay: float = 0.05
    milestones: tuple[float, ...] = ()
    drop_last: bool = True  # the last batch may hold one image, of which batch norm has no variance

    def lr_at(self, epoch: int) -> float:
        """Return the rate of one epoch.

        >>> [round(1e4 * ProtocolSettings(epochs=4).lr_at(epoch), 2) for epoch in range(4)]
        [5.0, 4.27, 2.5, 0.73]
        """
        return cosine(self.lr, epoch, self.epochs)


_SHARED = ProtocolSettings()


@dataclass(frozen=True)
class ProtocolMAGSDSettings(MAGSDSettings):
    """MAG-SD's views and soft distance, all else as in ``ProtocolSettings``."""

    augmentation: Augmentation = _SHARED.augmentation
    epochs: int = _SHARED.epochs
    batch: int = _SHARED.batch
    lr: float = _SHARED.lr
    momentum: float = _SHARED.momentum
    weight_decay: float = _SHARED.weight_decay
    milestones: tuple[float, ...] = _SHARED.milestones
    drop_last: bool = _SHARED.drop_last

    def lr_at(self, epoch: int) -> float:
        """Return the rate of one epoch, the same as for the other networks."""
        return cosine(self.lr, epoch, self.epochs)
