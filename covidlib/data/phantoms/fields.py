"""Shapes and textures as fields over a batch: every function works on (N, H, W) float32."""

import numpy as np
from scipy import ndimage

Traits = dict[str, np.ndarray]  # each (N, 1, 1)


def grid(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return pixel centres x (1, 1, W), y (1, H, 1): -1 is left or top, 1 right or bottom."""
    line = ((np.arange(size, dtype=np.float32) + 0.5) * (2 / size) - 1).astype(np.float32)
    return line[None, None, :], line[None, :, None]


def draw_traits(uniform: np.ndarray, ranges: dict[str, tuple[float, float]]) -> Traits:
    """Turn uniform numbers in [-1, 1] into named traits, centre + spread · u.

    Shape: uniform (N, len(ranges)) -> each trait (N, 1, 1).
    """
    return {
        name: (centre + spread * uniform[:, k])[:, None, None].astype(np.float32)
        for k, (name, (centre, spread)) in enumerate(ranges.items())
    }


def patient_uniform(seed: int, patients: np.ndarray, count: int, tag: int) -> np.ndarray:
    """Draw numbers in [-1, 1] that are equal for equal patients. Shape: (N, count)."""
    known, rows = np.unique(patients, return_inverse=True)
    draws = [np.random.default_rng([seed, tag, int(p)]).uniform(-1, 1, count) for p in known]
    return np.array(draws, dtype=np.float32).reshape(len(known), count)[rows]


def ellipse(x, y, cx, cy, rx, ry, angle=0.0, power=2.0) -> np.ndarray:
    """Approximate signed distance to a super-ellipse, positive inside."""
    dx, dy = x - cx, y - cy
    if np.any(angle):
        cos, sin = np.cos(np.float32(angle)), np.sin(np.float32(angle))
        dx, dy = dx * cos + dy * sin, dy * cos - dx * sin
    if np.ndim(power) == 0 and power == 2:
        radius = np.sqrt((dx / rx) ** 2 + (dy / ry) ** 2)
    else:
        radius = (np.abs(dx / rx) ** power + np.abs(dy / ry) ** power) ** (1 / power)
    return (1 - radius) * np.minimum(rx, ry).astype(np.float32)


def capsule(x, y, x0, y0, x1, y1, radius) -> np.ndarray:
    """Signed distance to a thick line, positive inside."""
    dx, dy = x1 - x0, y1 - y0
    along = np.clip(((x - x0) * dx + (y - y0) * dy) / (dx * dx + dy * dy), 0, 1)
    return radius - np.hypot(x - x0 - along * dx, y - y0 - along * dy)


def ramp(distance, width) -> np.ndarray:
    """Turn a signed distance into coverage: 0 outside, 1 inside, linear over ``width``."""
    return np.clip(distance / width + 0.5, 0, 1)


def smooth(value) -> np.ndarray:
    """Clip to [0, 1] and ease in and out (the cubic 3t² − 2t³)."""
    value = np.clip(value, 0, 1)
    return value * value * (3 - 2 * value)


def bell(x, y, cx, cy, rx, ry) -> np.ndarray:
    """A Gaussian bump of height 1."""
    return np.exp(-0.5 * (((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2))


def paint(canvas: np.ndarray, coverage: np.ndarray, value) -> None:
    """Blend a value into the canvas where the coverage says so, in place."""
    canvas += coverage * (value - canvas)


def noise(rng: np.random.Generator, n: int, size: int, scale: float) -> np.ndarray:
    """Smooth noise of mean 0 and standard deviation about 1 whose grains are ``scale`` wide.

    Args:
        rng: where the numbers come from.
        n: number of images.
        size: pixels of a side.
        scale: width of a grain; the image is 2 wide.
    """
    cells = max(2, min(size, round(2 * 2 / scale)))
    coarse = rng.standard_normal((n, cells + 2, cells + 2), dtype=np.float32)
    coarse = ndimage.gaussian_filter(coarse, (0, 0.7, 0.7), mode="nearest")
    coarse -= coarse.mean((1, 2), keepdims=True)
    coarse *= 1.12 / np.maximum(coarse.std((1, 2), keepdims=True), 0.1)  # 1.12: lost between knots
    at = np.linspace(0.5, cells + 0.5, size, dtype=np.float32)
    low = np.minimum(at.astype(int), cells)
    part = smooth(at - low)
    rows = coarse[:, low]
    rows += (coarse[:, low + 1] - rows) * part[:, None]
    # The last axis is gathered by take, which is several times faster than fancy indexing there.
    field = rows.take(low, axis=2)
    field += (rows.take(low + 1, axis=2) - field) * part
    return field


def patches(x, y, centres, radii, angles, strengths) -> np.ndarray:
    """The largest of several rotated bumps, each from 1 in its centre to 0 at twice its radius.

    Shape: centres and radii (N, K, 2), angles and strengths (N, K) -> (N, H, W).
    """
    total = np.zeros((len(centres), y.shape[1], x.shape[2]), np.float32)
    for k in range(centres.shape[1]):
        cos = np.cos(angles[:, k])[:, None, None]
        sin = np.sin(angles[:, k])[:, None, None]
        dx, dy = x - centres[:, k, 0, None, None], y - centres[:, k, 1, None, None]
        across = (dx * cos + dy * sin) / radii[:, k, 0, None, None]
        down = (dy * cos - dx * sin) / radii[:, k, 1, None, None]
        bump = strengths[:, k, None, None] * (1 - 0.25 * (across**2 + down**2))
        np.maximum(total, bump, out=total)
    return total
