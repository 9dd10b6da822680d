"""What all methods of training share, and learning from labels."""

from dataclasses import dataclass
from math import inf
from typing import ClassVar

from covidlib.data.augmentation import NONE, Augmentation
from covidlib.data.normalisation import NORMALISATIONS

CLASS_WEIGHTS = ("none", "balanced")


@dataclass(frozen=True)
class TrainingSettings:
    """Hyper-parameters that every method has.

    The defaults are msatl's for COVID19-CT. A method derives a class of its own; its name is part
    of every key, so a default that is different belongs into the derived class.

    Args:
        size: side of the square that enters the network, pixels.
        augmentation: what happens to every training image.
        normalisation: how grey values reach the network, a name of
            ``covidlib.data.normalisation.to_model_input``.
        epochs, batch: length of training and images per step.
        lr, momentum, weight_decay: of SGD.
        milestones: epochs, as shares of the whole, at which the rate is multiplied by ``gamma``.
        precision: Lightning's name; bfloat16 where weights stay in float32.
        drop_last: leave out the images that do not fill an epoch's last batch.
        validate_every: epochs between looks at the validation images.
        channels: of the network's input; grey images are repeated.

    Raises:
        ValueError: a number outside its range, or an unknown normalisation.
    """

    size: int = 224  # msatl sec. 6.2
    augmentation: Augmentation = NONE
    normalisation: str = "zscore"
    epochs: int = 200  # msatl sec. 6.2
    batch: int = 256  # msatl sec. 6.2
    lr: float = 0.3  # msatl sec. 6.2
    momentum: float = 0.9  # msatl sec. 6.2
    weight_decay: float = 1e-4  # msatl sec. 6.2
    milestones: tuple[float, ...] = (0.6, 0.8)  # msatl sec. 6.2: epochs 120 and 160 of 200
    gamma: float = 0.1  # msatl sec. 6.2
    precision: str = "bf16-mixed"
    drop_last: bool = False
    validate_every: int = 5
    channels: int = 3

    LEAST_EPOCHS: ClassVar[int] = 1

    def __post_init__(self) -> None:
        for name in ("size", "batch", "validate_every", "channels"):
            if not getattr(self, name) >= 1:
                raise ValueError(f"{name} is at least 1, not {getattr(self, name)}")
        if not self.epochs >= self.LEAST_EPOCHS:
            raise ValueError(f"epochs is at least {self.LEAST_EPOCHS}, not {self.epochs}")
        for name in ("lr", "momentum", "weight_decay"):
            if not 0 <= getattr(self, name) < inf:
                raise ValueError(f"{name} is a number from 0 on, not {getattr(self, name)}")
        if not all(0 < share <= 1 for share in self.milestones):
            raise ValueError(f"milestones are shares in (0, 1], not {self.milestones}")
        if self.normalisation not in NORMALISATIONS:
            raise ValueError(
                f"normalisation is one of {NORMALISATIONS}, not {self.normalisation!r}"
            )

    @property
    def slug(self) -> str:
        """Short name of the method, for keys: "supervised" for SupervisedSettings."""
        return type(self).__name__.removesuffix("Settings").lower()

    def lr_at(self, epoch: int) -> float:
        """Return the learning rate of one epoch, a function of the epoch alone.

        >>> [TrainingSettings(epochs=10, lr=1.0).lr_at(e) for e in (0, 5, 6, 8)]
        [1.0, 1.0, 0.1, 0.010000000000000002]
        """
        return self.lr * self.gamma ** sum(epoch >= drop for drop in self.drops)

    @property
    def drops(self) -> tuple[int, ...]:
        """The epochs, counted from 0, from which on the rate is lower.

        >>> TrainingSettings(epochs=10).drops
        (6, 8)
        """
        return tuple(round(share * self.epochs) for share in self.milestones)


@dataclass(frozen=True)
class SupervisedSettings(TrainingSettings):
    """Training with labels: fine-tuning on COVID19-CT, STL-N and STL-M (msatl sec. 6.2).

    The defaults are msatl's for COVID19-CT ("the same optimizer and hyperparameters as in the
    SSTL-M").

    Args:
        class_weights: "none", every image counts the same, as in all three papers; "balanced",
            every class does: an image counts as the mean class size over that of its own class.

    Raises:
        ValueError: another word, or what ``TrainingSettings`` refuses.
    """

    class_weights: str = "none"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_class_weights(self.class_weights)

    @property
    def slug(self) -> str:
        """Short name of the method, for keys: "supervised", "supervised-balanced"."""
        return super().slug + ("" if self.class_weights == "none" else f"-{self.class_weights}")


def check_class_weights(name: str) -> None:
    """Raise ValueError unless the name is one of ``CLASS_WEIGHTS``."""
    if name not in CLASS_WEIGHTS:
        raise ValueError(f"class_weights is one of {CLASS_WEIGHTS}, not {name!r}")
