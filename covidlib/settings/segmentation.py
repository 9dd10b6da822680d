"""Learning where the lungs are (manet sec. 2.2 and 4.1)."""

from dataclasses import dataclass, field

from covidlib.data.augmentation import MANET_SEGMENTATION, Augmentation
from covidlib.postprocessing import CleaningSettings
from covidlib.settings.training import TrainingSettings


@dataclass(frozen=True)
class SegmentationSettings(TrainingSettings):
    """Training of the ResUNet; the optimiser is Adam (manet sec. 4.1), which has no momentum.

    Args:
        smoothing: added to both sides of the Dice ratio, so that an empty mask has a loss; ours.
        threshold: probability from which a pixel is lung; ours, the paper gives none.
        cleaning: what happens to a predicted mask.
    """

    size: int = 512  # manet sec. 2.2
    augmentation: Augmentation = MANET_SEGMENTATION  # manet sec. 2.2
    normalisation: str = "unit"  # manet sec. 2.2: "to a range [0, 1]"
    epochs: int = 50  # manet sec. 4.1
    batch: int = 64  # manet sec. 4.1
    lr: float = 2e-4  # manet sec. 4.1, constant
    weight_decay: float = 1e-5  # manet sec. 4.1
    milestones: tuple[float, ...] = ()
    channels: int = 1
    smoothing: float = 1.0
    threshold: float = 0.5
    cleaning: CleaningSettings = field(default_factory=CleaningSettings)
