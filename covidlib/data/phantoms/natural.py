"""Colour pictures of shapes and textures: a stand-in for natural images."""

import numpy as np

from covidlib.data.phantoms.fields import capsule, ellipse, grid, noise, ramp, smooth
from covidlib.data.phantoms.settings import check_drawing, check_labels

NATURAL_CLASSES = (
    "bark", "checks", "cross", "disk", "dots", "rays", "ring", "rings", "square", "stripes",
    "triangle", "waves",
)  # fmt: skip


def draw_natural(
    n: int,
    size: int = 64,
    labels: np.ndarray | None = None,
    seed: int = 0,
    difficulty: float = 0.3,
) -> tuple[np.ndarray, np.ndarray]:
    """Draw shapes and textures in random colours, places, sizes and directions.

    Args:
        n: number of pictures.
        size: pixels of a side.
        labels: class numbers in the order of ``NATURAL_CLASSES``; None is balanced.
        seed: equal arguments give equal bytes.
        difficulty: 0 to 1; less contrast between the two colours, more grain.

    Returns:
        Pictures, uint8, shape (N, H, W, 3), and labels, shape (N,).

    Raises:
        DataError: an argument is out of range.
    """
    check_drawing(size, difficulty, 0.0, seed)
    labels = check_labels(n, labels, NATURAL_CLASSES, seed)
    rng = np.random.default_rng([seed, 15])
    shape = np.zeros((n, size, size), np.float32)
    for k, name in enumerate(NATURAL_CLASSES):
        if len(rows := np.flatnonzero(labels == k)):
            shape[rows] = _shape(name, rng, len(rows), size)
    ground = rng.uniform(0, 1, (n, 1, 1, 3))
    away = np.where(ground > 0.5, -1, 1) * rng.uniform(0.35, 0.5, (n, 1, 1, 3))
    colour = ground + away * (1 - 0.6 * difficulty)
    light = (
        1 + 0.12 * noise(rng, n, size, 0.9) + (0.05 + 0.12 * difficulty) * noise(rng, n, size, 0.08)
    )
    picture = (ground + shape[..., None] * (colour - ground)) * light[..., None]
    return np.clip(picture * 255, 0, 255).astype(np.uint8), labels


def _shape(name: str, rng: np.random.Generator, n: int, size: int) -> np.ndarray:
    """Return how much of the second colour is where. Shape: (N, H, W), range [0, 1]."""
    x, y = grid(size)
    cx, cy, spin = rng.uniform((-0.3, -0.3, 0), (0.3, 0.3, 2 * np.pi), (n, 3)).T[:, :, None, None]
    r = rng.uniform(0.35, 0.65, (n, 1, 1))
    u = (x - cx) * np.cos(spin) + (y - cy) * np.sin(spin)
    v = (y - cy) * np.cos(spin) - (x - cx) * np.sin(spin)
    edge, beat = 3 / size, rng.uniform(8, 16, (n, 1, 1))
    if name in ("stripes", "waves"):
        bend = 0.18 * np.sin(7 * v) if name == "waves" else 0
        return smooth(1.5 * np.sin(beat * (u + bend)) + 0.5)
    if name in ("checks", "dots"):
        cells = np.sin(beat * u) * np.sin(beat * v)
        return smooth(4 * cells + 0.5) if name == "checks" else smooth(6 * (cells - 0.45))
    if name in ("rings", "rays"):
        wave = 1.4 * beat * np.hypot(u, v) if name == "rings" else 9 * np.arctan2(v, u)
        return smooth(2 * np.sin(wave) + 0.5)
    if name == "bark":
        return smooth(0.5 + 0.5 * noise(rng, n, size, 0.16) + 0.4 * noise(rng, n, size, 0.05))
    if name == "disk":
        return ramp(ellipse(u, v, 0, 0, r, r * rng.uniform(0.75, 1, (n, 1, 1))), edge)
    if name == "ring":
        return ramp(0.11 - np.abs(ellipse(u, v, 0, 0, r, r)), edge)
    if name == "square":
        return ramp(0.8 * r - np.maximum(np.abs(u), np.abs(v)), edge)
    if name == "triangle":
        return ramp(np.minimum(r / 2 - v, v / 2 + r / 2 - 0.87 * np.abs(u)), edge)
    arms = np.maximum(capsule(u, v, -r, 0, r, 0, 0.12), capsule(u, v, 0, -r, 0, r, 0.12))
    return ramp(arms, edge)
