"""Source models whose worth is known, to see which scores find it.

A source is a feature space in which the two target classes are Gaussians of unit variance, apart by
a known distance along one direction. The area under the ROC curve of the best linear classifier
is then Phi(distance / sqrt 2), whatever else is done to the source.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.special import softmax
from scipy.stats import norm

from covidlib.transferability import FROM_FEATURES, bounds, weighted_tau

IMAGES = 200
SHARE = 349 / 746  # positives in COVID19-CT


@dataclass(frozen=True)
class Source:
    """One source model, as the scores see it.

    Args:
        distance: between the class means, in standard deviations.
        width: features, at least 3.
        heads: source classes Z.
        sharpness: factor on the logits of the head; large makes posteriors one-hot.
        sees: whether the head reads the direction in which the classes differ.
        scale: factor on all features; the head undoes it.
    """

    distance: float
    width: int = 24
    heads: int = 8
    sharpness: float = 2.0
    sees: bool = True
    scale: float = 1.0

    @property
    def auc(self) -> float:
        """Area under the ROC curve of the best classifier on these features."""
        return float(norm.cdf(self.distance / np.sqrt(2)))


def draw(
    source: Source, images: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw target images through a source: features, posteriors, labels.

    The prototypes of the source classes lie evenly on a circle in the plane that the head reads:
    with the first direction, which holds the signal, or without it.

    Args:
        source: what to draw from.
        images: N, at least 4.
        rng: source of randomness.

    Returns:
        Shapes: (N, D), (N, Z), (N,).
    """
    labels = np.zeros(images, dtype=int)
    labels[: round(SHARE * images)] = 1
    hidden = rng.normal(size=(images, source.width))
    hidden[:, 0] += source.distance * (labels - 0.5)
    angle = 2 * np.pi * (np.arange(source.heads) + rng.random()) / source.heads
    plane = hidden[:, :2] if source.sees else hidden[:, 1:3]
    logits = source.sharpness * plane @ np.stack([np.cos(angle), np.sin(angle)])
    turn, _ = np.linalg.qr(rng.normal(size=(source.width, source.width)))
    return source.scale * hidden @ turn, softmax(logits, axis=1), labels


def _family(**lists: list) -> list[Source]:
    """Return sources of rising worth; each list gives a setting from worst to best."""
    distances = np.linspace(0.2, 1.8, 6)
    return [
        Source(float(d), **{name: values[i] for name, values in lists.items()})
        for i, d in enumerate(distances)
    ]


# What differs between the six sources of a family, beside their worth.
FAMILIES: Mapping[str, Callable[[], list[Source]]] = {
    "nothing": _family,
    "head blind to the signal": lambda: _family(sees=[False] * 6),
    "better: fewer source classes": lambda: _family(
        heads=[1000, 300, 100, 30, 10, 3], sharpness=[40.0] * 6
    ),
    "better: softer head": lambda: _family(sharpness=[40.0, 12.0, 4.0, 1.2, 0.4, 0.12]),
    "better: fewer features": lambda: _family(width=[240, 160, 100, 60, 32, 16]),
    "better: smaller features": lambda: _family(scale=[30.0, 10.0, 3.0, 1.0, 0.3, 0.1]),
}


def score_all(features: np.ndarray, theta: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Return every score of one source, by name; more is better."""
    found = bounds(theta, labels)
    return {"LEEP": found.leep, "NCE": found.nce} | {
        name: float(score(features, labels)) for name, score in FROM_FEATURES.items()
    }


def agreement(family: str, repeats: int, seed: int, images: int = IMAGES) -> dict[str, np.ndarray]:
    """Return how well each score orders the sources of one family.

    Args:
        family: a name of ``FAMILIES``.
        repeats: how often the target images are drawn anew.
        seed: where the draws start.
        images: of the target.

    Returns:
        Weighted tau with the known order, by score. Shape of each: (repeats,).
    """
    sources = FAMILIES[family]()
    rng = np.random.default_rng([seed, sorted(FAMILIES).index(family)])
    truth = [source.auc for source in sources]
    found: dict[str, list[float]] = {}
    for _ in range(repeats):
        rows = [score_all(*draw(source, images, rng)) for source in sources]
        for name in rows[0]:
            # Scores that differ by rounding alone order nothing.
            values = np.round([row[name] for row in rows], 9)
            found.setdefault(name, []).append(weighted_tau(values, truth))
    return {name: np.array(values) for name, values in found.items()}
