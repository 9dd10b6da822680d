"""Which images a run sees."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from covidlib.data.phantoms import PhantomSettings
from covidlib.data.preprocessing import Preprocessing
from covidlib.data.splits import SCHEMES

if TYPE_CHECKING:
    from covidlib.runs.spec import RunSpec

VIEWS = ("image", "lungs", "outside", "shape", "frame")


@dataclass(frozen=True)
class DataSettings:
    """Which images a run sees, and how they are split and decoded.

    Args:
        dataset: a card's name.
        split: "official", "holdout", "kfold" or another of ``SCHEMES``.
        fold: number of the held-out fold, for "kfold" and "kfold-images".
        folds: how many folds there are, for these two.
        split_seed: of what is drawn: sets that are not published, and the images of ``limit``.
        preprocessing: what happens once, before the uint8 cache.
        phantom: settings of the drawn images; None means acquired ones.
        masks: whether lung and lesion masks travel with the images.
        limit: most images of each class in each split, for quick looks at large sets; None is all.
        view: what a network is shown of each image, one of ``VIEWS``; see
            ``covidlib.training.lungs.seen``.
        lungs: the run whose segmentation finds the lungs of every image; None leaves those that
            the data set has.
        learn_from: a subset of a composition, whose images alone are learnt from and validated on;
            the test images stay those of all its parts, so that one run is tested on sources that
            it never saw. "" is no restriction.
    """

    dataset: str
    split: str = "official"
    fold: int | None = None
    folds: int = 5
    split_seed: int = 0
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    phantom: PhantomSettings | None = None
    masks: bool = False
    limit: int | None = None
    view: str = "image"
    lungs: "RunSpec | None" = None
    learn_from: str = ""

    def __post_init__(self) -> None:
        if self.split not in SCHEMES:
            raise ValueError(f"split is one of {SCHEMES}, not {self.split!r}")
        if self.view not in VIEWS:
            raise ValueError(f"view is one of {VIEWS}, not {self.view!r}")
        if self.limit is not None and self.limit < 1:
            raise ValueError(f"limit is 1 or more, got {self.limit}")

    @property
    def slug(self) -> str:
        """Short name for keys: "covid-ct", "phantom-covid-ct", "kermany-fold2", "…-imagefold2"."""
        subset = f"-{self.learn_from}" if self.learn_from else ""
        kind = "imagefold" if self.split == "kfold-images" else "fold"
        fold = "" if self.fold is None else f"-{kind}{self.fold}"
        view = "" if self.view == "image" else f"-{self.view}"
        return ("phantom-" if self.phantom else "") + self.dataset + subset + fold + view
