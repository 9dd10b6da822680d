"""What a phantom data set is asked to be, and what a drawn batch holds."""

from dataclasses import dataclass

import numpy as np

from covidlib.errors import DataError

CT_CLASSES = ("NonCOVID", "COVID")
CXR_CLASSES = ("normal", "covid19", "tb", "bp", "vp")  # MANet sec. 2.1
LOBES = ("ru", "rm", "rl", "lu", "ll")  # eq. 4 of the self-attention paper; mask value is index + 1


@dataclass(frozen=True)
class PhantomSettings:
    """A phantom data set; equal settings give equal files.

    Args:
        images: number of images in the data set, at least 20.
        size: longer side in pixels, 32 to 1024.
        difficulty: 0 (bold lesions, little noise) to 1 (faint, small, noisy).
        shortcut: phi coefficient between a corner marker and the positive label, 0 to 1;
            0 draws no marker at all.
        seed: not negative.

    Raises:
        DataError: a value is out of its range.
    """

    images: int = 160
    size: int = 96
    difficulty: float = 0.3
    shortcut: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.images < 20:
            raise DataError(f"a phantom data set needs at least 20 images, not {self.images}")
        check_drawing(self.size, self.difficulty, self.shortcut, self.seed)


@dataclass(frozen=True)
class PhantomBatch:
    """Drawn images and everything that is known about them.

    Args:
        images: uint8. Shape: (N, H, W).
        labels: class numbers in the order of ``classes``. Shape: (N,).
        lungs: boolean, both lungs. Shape: (N, H, W).
        lobes: uint8, 0 outside the lungs, else 1 + index in ``LOBES``. Shape: (N, H, W).
        lesions: boolean, ground glass, consolidation and nodules. Shape: (N, H, W).
        source: name of the acquisition style. Shape: (N,).
        patient: number of the patient. Shape: (N,).
        finding: what was drawn, such as "covid" or "effusion". Shape: (N,).
        marker: whether the shortcut marker was stamped. Shape: (N,).
        classes: names of the labels.
    """

    images: np.ndarray
    labels: np.ndarray
    lungs: np.ndarray
    lobes: np.ndarray
    lesions: np.ndarray
    source: np.ndarray
    patient: np.ndarray
    finding: np.ndarray
    marker: np.ndarray
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.images)


def check_drawing(size: int, difficulty: float, shortcut: float, seed: int) -> None:
    """Raise DataError unless a drawing's arguments are in range."""
    if not 32 <= size <= 1024:
        raise DataError(f"phantoms are drawn with 32 to 1024 pixels, not {size}")
    for name, value in (("difficulty", difficulty), ("shortcut", shortcut)):
        if not 0 <= value <= 1:
            raise DataError(f"{name} must lie in [0, 1], not {value}")
    if seed < 0:
        raise DataError(f"the seed must not be negative, got {seed}")


def check_labels(
    n: int, labels: np.ndarray | None, classes: tuple[str, ...], seed: int
) -> np.ndarray:
    """Return class numbers: those given, or balanced ones in random order."""
    if labels is None:
        return np.random.default_rng([seed, 11]).permutation(np.arange(n) % len(classes))
    labels = np.asarray(labels)
    if labels.shape != (n,) or not np.issubdtype(labels.dtype, np.integer):
        raise DataError(f"{n} integer labels are needed, got {labels.dtype} {labels.shape}")
    if n and not (labels.min() >= 0 and labels.max() < len(classes)):
        raise DataError(f"labels must be 0 to {len(classes) - 1} ({', '.join(classes)})")
    return labels.astype(np.int64)
