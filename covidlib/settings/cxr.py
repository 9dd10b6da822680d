"""Training of manet's classifiers (sec. 2.3 and 4.2)."""

import math
from dataclasses import dataclass

from covidlib.data.augmentation import MANET, Augmentation
from covidlib.settings.training import SupervisedSettings


@dataclass(frozen=True)
class CxrSettings(SupervisedSettings):
    """Cross-entropy and SGD, the rate annealed to 0 along a cosine (manet sec. 4.2).

    Weight decay is 0: the paper names none for this stage, and names one for the other.
    """

    size: int = 512  # what fits the FLOPs of manet Table 3
    augmentation: Augmentation = MANET  # manet sec. 2.3
    normalisation: str = "signed"  # manet sec. 2.3: "a common scale [-1, 1]"
    epochs: int = 200  # manet sec. 4.2
    batch: int = 64  # manet sec. 4.2
    lr: float = 0.01  # manet sec. 4.2
    weight_decay: float = 0.0
    milestones: tuple[float, ...] = ()
    validate_every: int = 1  # manet figure 10
    channels: int = 1

    def lr_at(self, epoch: int) -> float:
        """Return the rate of one epoch; the paper does not say whether it changes within one.

        >>> [round(CxrSettings(epochs=4).lr_at(epoch), 4) for epoch in range(4)]
        [0.01, 0.0085, 0.005, 0.0015]
        """
        return self.lr * (1 + math.cos(math.pi * epoch / self.epochs)) / 2
