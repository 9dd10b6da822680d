"""Random sources for the tests: posteriors and features with labels."""

import numpy as np
from scipy.special import softmax


def source(
    seed: int, images: int = 40, classes: int = 3, heads: int = 5, sharpness: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """Posteriors of shape (N, Z) and labels, every label present."""
    rng = np.random.default_rng(seed)
    labels = np.r_[np.arange(classes), rng.integers(0, classes, images - classes)]
    logits = rng.normal(size=(images, heads)) + rng.normal(size=(classes, heads))[labels]
    return softmax(sharpness * logits, axis=1), labels


def features(
    seed: int, images: int = 60, dimensions: int = 8, classes: int = 2, signal: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """Correlated features of shape (N, D) whose class means differ, and labels."""
    rng = np.random.default_rng(seed)
    labels = np.r_[np.arange(classes), rng.integers(0, classes, images - classes)]
    means = signal * rng.normal(size=(classes, dimensions))
    noise = rng.normal(size=(images, dimensions)) @ rng.normal(size=(dimensions, dimensions))
    return means[labels] + noise / np.sqrt(dimensions) + 1.0, labels
