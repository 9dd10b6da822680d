"""Hyper-parameters, each written once, typed, with its source.

A value with no source is ours. Papers: msatl, magsd, manet (see ``book/references.md``).
"""

from dataclasses import dataclass, field

from covidlib.data.augmentation import NONE, Augmentation
from covidlib.data.cache import Preprocessing
from covidlib.data.phantoms import PhantomSettings
from covidlib.data.splits import SCHEMES
from covidlib.models.attention_resnet import AttentionResNetSettings

PROFILES = ("smoke", "laptop", "paper")


@dataclass(frozen=True)
class DataSettings:
    """Which images a run sees, and how they are split and decoded.

    Args:
        dataset: a card's name.
        split: "official", "holdout" or "kfold".
        fold: number of the held-out fold, for "kfold".
        folds: how many folds there are, for "kfold".
        split_seed: seed of "holdout" and "kfold"; official splits have none.
        preprocessing: what happens once, before the uint8 cache.
        phantom: settings of the drawn images; None means acquired ones.
    """

    dataset: str
    split: str = "official"
    fold: int | None = None
    folds: int = 5
    split_seed: int = 0
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    phantom: PhantomSettings | None = None

    def __post_init__(self) -> None:
        if self.split not in SCHEMES:
            raise ValueError(f"split is one of {SCHEMES}, not {self.split!r}")

    @property
    def slug(self) -> str:
        """Short name for keys: "covid-ct", "phantom-covid-ct", "kermany-fold2"."""
        fold = "" if self.fold is None else f"-fold{self.fold}"
        return ("phantom-" if self.phantom else "") + self.dataset + fold


@dataclass(frozen=True)
class SupervisedSettings:
    """Training with labels: fine-tuning on COVID19-CT, STL-N and STL-M (msatl sec. 6.2).

    The defaults are msatl's for COVID19-CT ("the same optimizer and hyperparameters as in the
    SSTL-M").

    Args:
        size: side of the square that enters the network, pixels.
        augmentation: what happens to every training image.
        normalisation: how grey values reach the network ("unit", "signed", "zscore", "imagenet").
        epochs, batch: length of training and images per step.
        lr, momentum, weight_decay: of SGD.
        milestones: epochs, as shares of the whole, at which the rate is multiplied by ``gamma``.
        drop_last: leave out the images that do not fill an epoch's last batch.
        precision: Lightning's name; bfloat16 where weights stay in float32.
        validate_every: epochs between looks at the validation images.
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

    @property
    def slug(self) -> str:
        """Short name of the method, for keys."""
        return "supervised"

    def lr_at(self, epoch: int) -> float:
        """Return the learning rate of one epoch, a function of the epoch alone.

        >>> [SupervisedSettings(epochs=10, lr=1.0).lr_at(e) for e in (0, 5, 6, 8)]
        [1.0, 1.0, 0.1, 0.010000000000000002]
        """
        passed = sum(epoch >= round(share * self.epochs) for share in self.milestones)
        return self.lr * self.gamma**passed


NetworkSettings = AttentionResNetSettings
TrainingSettings = SupervisedSettings
