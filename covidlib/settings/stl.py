"""Supervised stages before the target: STL-N on natural images, STL-M on chest X-rays."""

from dataclasses import dataclass
from typing import ClassVar

from covidlib.data.augmentation import MSATL_CXR, MSATL_NATURAL, Augmentation
from covidlib.settings.training import SupervisedSettings, TrainingSettings

# msatl sec. 6.2 has "dropout with a rate of 0.8" here and "a keep rate of 0.5" eleven lines later;
# the first is read as a keep rate too, since dropping 0.8 would be far more than anyone does.
STLN_DROPOUT = 0.2
STLM_DROPOUT = 0.5  # msatl sec. 6.2

WEIGHTS = ("IMAGENET1K_V1", "IMAGENET1K_V2")


@dataclass(frozen=True)
class StlnSettings(SupervisedSettings):
    """STL-N: classes of natural images (msatl sec. 4 and 6.2).

    Colours are normalised by ImageNet's mean and deviation, the paper does not say how: ours, so
    that these weights and torchvision's expect the same.
    """

    augmentation: Augmentation = MSATL_NATURAL  # msatl sec. 6.2
    normalisation: str = "imagenet"
    epochs: int = 90  # msatl sec. 6.2
    batch: int = 512  # msatl sec. 6.2
    lr: float = 0.1  # msatl sec. 6.2
    milestones: tuple[float, ...] = (1 / 3, 2 / 3)  # msatl sec. 6.2: every 30 of 90 epochs

    @property
    def slug(self) -> str:
        """Short name of the method, for keys."""
        return "stl-n"

    @property
    def drops(self) -> tuple[int, ...]:
        """The epochs from which on the rate is lower: never before the first one is over.

        >>> StlnSettings().drops, StlnSettings(epochs=1).drops
        ((30, 60), (1, 1))
        """
        return tuple(max(1, epoch) for epoch in super().drops)


@dataclass(frozen=True)
class StlmSettings(SupervisedSettings):
    """STL-M: classes of chest X-rays (msatl sec. 4 and 6.2).

    The paper gives rate, epochs and batch. Momentum and weight decay are those of its other
    stages, and the rate does not fall: ours.
    """

    augmentation: Augmentation = MSATL_CXR  # msatl sec. 6.2
    epochs: int = 30  # msatl sec. 6.2
    batch: int = 64  # msatl sec. 6.2
    lr: float = 2e-4  # msatl sec. 6.2
    milestones: tuple[float, ...] = ()

    @property
    def slug(self) -> str:
        """Short name of the method, for keys."""
        return "stl-m"


@dataclass(frozen=True)
class GraftSettings(TrainingSettings):
    """STL-N by somebody else: torchvision's ImageNet weights under untrained attention.

    Nothing is trained. Attention layers start at zero output, so the network computes what
    torchvision's does. Unlike the paper's, its attention has then never seen ImageNet.

    Args:
        weights: torchvision's name of the weights; it fixes the file and its SHA-256.

    Raises:
        ValueError: no such name, or epochs.
    """

    normalisation: str = "imagenet"
    epochs: int = 0
    batch: int = 64
    weights: str = "IMAGENET1K_V1"

    LEAST_EPOCHS: ClassVar[int] = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.weights not in WEIGHTS:
            raise ValueError(f"weights is one of {WEIGHTS}, not {self.weights!r}")
        if self.epochs:
            raise ValueError(f"grafted weights are not trained, got {self.epochs} epochs")

    @property
    def slug(self) -> str:
        """Short name of the method, for keys."""
        return f"torchvision-{self.weights.lower().replace('_', '-')}"
