"""Training with attention-guided views and the soft distance (magsd sec. 3.3, 3.4 and 4)."""

from dataclasses import dataclass
from numbers import Real
from typing import Any, ClassVar

from covidlib.data.augmentation import MAGSD_TABLE2, Augmentation
from covidlib.settings.training import TrainingSettings, check_class_weights
from covidlib.settings.variants import Variants

VIEWS = ("mixup", "dimming", "patching")  # the order in which magsd Table 7 adds them
REGULARISATIONS = ("soft", "l2", "none")


@dataclass(frozen=True)
class MAGSDSettings(Variants, TrainingSettings):
    """MAG-SD: one primary view, up to three made from its attention, and what ties them.

    The defaults follow the paper's text. Where the authors' released code differs, ``AUTHORS``
    holds the change under a name: ``replace(settings, **MAGSDSettings.AUTHORS["dimming"])`` makes
    one of them, ``MAGSDSettings.variant("authors")`` all.

    Args:
        views: which of ``VIEWS`` are made; their order changes nothing. None of them leaves
            cross-entropy, the paper's MAG-SD(0AUG).
        regularisation: "soft" (Algorithm 1); "l2", the rival of Table 8: squared distance of the
            views' probabilities from the label; "none": no distance, the views are ordinary
            training images, whose mean cross-entropy counts as the distance does.
        weight: of the regularisation beside the cross-entropy.
        confidence: θ of Algorithm 1.
        soft_label: which primary predictions replace the label: "confident" ones, or "agreeing"
            ones, which are also right.
        smoothing: share of the label that is spread over all classes where it stays the label.
        reduction: "mean" or "sum" over the views; over images and classes it is the mean.
        space: whether the distance compares "probabilities" or raw "logits".
        mixup_threshold, patching_threshold, dimming_threshold: θm (also of the patch, whose region
            follows the same rule, of a map of its own) and θd.
        mix: γ of equation 3, the share of the whole image.
        dimming_factor: of equation 4.
        joined: whether the views pass the network as one batch, with common batch statistics.
        nesterov: of SGD.
        class_weights: as in ``SupervisedSettings``, for the distances too; the paper speaks of
            imbalance (sec. 1) and names no weights.

    Raises:
        ValueError: another word, a view named twice, or a number outside its range.
    """

    augmentation: Augmentation = MAGSD_TABLE2  # magsd sec. 4.2
    epochs: int = 100  # magsd sec. 4.1
    batch: int = 32  # magsd sec. 4.1
    lr: float = 1e-3  # magsd sec. 4.1, "at beginning"
    momentum: float = 0.9  # magsd sec. 4.1
    weight_decay: float = 1e-6  # magsd sec. 4.1
    milestones: tuple[float, ...] = (1 / 2, 5 / 6)  # authors' code: epochs 75 and 125 of 150
    gamma: float = 0.1  # ours
    views: tuple[str, ...] = VIEWS  # magsd sec. 3.3
    regularisation: str = "soft"  # magsd sec. 3.4
    weight: float = 1.0  # magsd equation 7 has no factor
    confidence: float = 0.7  # magsd sec. 3.4
    soft_label: str = "confident"  # magsd Algorithm 1, line 3; of the largest class: ours
    smoothing: float = 0.0  # magsd Algorithm 1, line 6
    reduction: str = "mean"  # magsd equation 7
    space: str = "probabilities"  # ours: Algorithm 1 mixes the two
    mixup_threshold: float = 0.5  # ours; the paper says [0, 1]
    patching_threshold: float = 0.5  # ours; the paper patches the region of the mix-up
    dimming_threshold: float = 0.5  # ours; the paper says [0, 1]
    mix: float = 0.5  # ours; the paper says [0, 1]
    dimming_factor: float = 0.1  # magsd equation 4, printed "00.1"
    joined: bool = True  # ours
    nesterov: bool = False  # magsd sec. 4.1 names momentum only
    class_weights: str = "none"

    AUTHORS: ClassVar[dict[str, dict[str, Any]]] = {
        "optimiser": {"weight_decay": 5e-4, "nesterov": True},
        "length": {"epochs": 150, "batch": 16},
        "dimming": {"dimming_factor": 0.001},
        "soft label": {"soft_label": "agreeing", "smoothing": 0.01},
        "reduction": {"reduction": "sum"},
        "normalisation": {"normalisation": "zscore-columns"},
        "channels": {"channels": 1},  # goes with ``MANetSettings.AUTHORS["channels"]``
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, allowed in (
            ("regularisation", REGULARISATIONS),
            ("soft_label", ("confident", "agreeing")),
            ("reduction", ("mean", "sum")),
            ("space", ("probabilities", "logits")),
        ):
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} is one of {allowed}, not {getattr(self, name)!r}")
        views = self.views if isinstance(self.views, tuple) else ("",)  # a list has no hash
        if not set(views) <= set(VIEWS) or len(set(views)) != len(views):
            raise ValueError(f"views are a tuple, some of {VIEWS}, each once, not {self.views!r}")
        for name in (
            "confidence", "smoothing", "mixup_threshold", "patching_threshold",
            "dimming_threshold", "mix", "dimming_factor",
        ):  # fmt: skip
            value = getattr(self, name)
            if not isinstance(value, Real) or not 0 <= value <= 1:
                raise ValueError(f"{name} is a number in [0, 1], not {value!r}")
        if self.nesterov and self.momentum == 0:
            raise ValueError("nesterov needs a momentum above 0")
        check_class_weights(self.class_weights)
        if not self.weight >= 0:
            raise ValueError(f"weight is at least 0, not {self.weight}")

    @property
    def slug(self) -> str:
        """Short name for keys: "magsd", "magsd-1aug", "magsd-l2", "magsd-balanced"."""
        views = "" if len(self.views) == len(VIEWS) else f"-{len(self.views)}aug"
        kind = "" if self.regularisation == "soft" else f"-{self.regularisation}"
        weighted = "" if self.class_weights == "none" else f"-{self.class_weights}"
        return "magsd" + views + kind + weighted
