"""What each class of MANet adds to a chest X-ray, and where exactly it is."""

from dataclasses import fields

import numpy as np
from scipy import ndimage

from covidlib.data.phantoms.cxr import Chests
from covidlib.data.phantoms.fields import ellipse, noise, patches, ramp, smooth
from covidlib.data.phantoms.settings import CXR_CLASSES
from covidlib.data.phantoms.vessels import grow, rasterise


def add(rng: np.random.Generator, chests: Chests, labels: np.ndarray, difficulty: float):
    """Draw the findings into the chests' grey, in place.

    Every random number is drawn alike for each difficulty, so that the same disease fades.

    Returns:
        The lesions: boolean, inside the lungs. Shape: (N, H, W).
    """
    lesions = np.zeros(chests.grey.shape, bool)
    contrast, extent = 1 - 0.65 * difficulty, 1 - 0.35 * difficulty
    for name, draw in FINDINGS.items():
        rows = np.flatnonzero(labels == CXR_CLASSES.index(name))
        if not len(rows):
            continue
        part = Chests(*(getattr(chests, field.name)[rows] for field in fields(Chests)))
        cover, density = draw(rng, part, extent)
        cover = cover.astype(np.float32, copy=False) * ramp(part.lung, 2.5 * 2 / part.lung.shape[1])
        chests.grey[rows] += contrast * cover * density
        lesions[rows] = (cover > 0.30) & (part.lung > 0)
    return lesions


def _place(part: Chests, side: np.ndarray, out: np.ndarray, down: np.ndarray) -> np.ndarray:
    """Turn shares of the rib cage (0 spine to 1 rim, 0 top to 1 base) into points (N, K, 2)."""
    width, top, base = part.box.T[:, :, None]
    return np.stack([side * out * width, top + down * (base - top)], -1)


def _covid(rng, part: Chests, extent: float):
    """Hazy patches along both rims, in the middle and lower zones more than above."""
    n, size, count = len(part.x), part.x.shape[1], 8
    side = np.where(np.arange(count) % 2, 1, -1) * rng.choice((-1, 1), (n, 1))
    centres = _place(
        part, side, rng.uniform(0.62, 0.92, (n, count)), rng.beta(3.2, 1.8, (n, count)) * 0.75 + 0.2
    )
    radii = rng.uniform(0.08, 0.17, (n, count, 2)) * (0.75, 1.15) * extent
    present = np.arange(count) < rng.integers(3, count + 1, (n, 1))
    strength = np.where(present, rng.uniform(0.7, 1.1, (n, count)), 0)
    field = patches(part.x, part.y, centres, radii, rng.normal(0, 0.3, (n, count)), strength)
    field += 0.16 * noise(rng, n, size, 0.16) + 0.06 * noise(rng, n, size, 0.06)
    cover = smooth((field - 0.15) / 0.75)
    severe = rng.uniform(0.7, 1.15, (n, 1, 1)).astype(np.float32)
    return cover, severe * (0.24 + 0.03 * noise(rng, n, size, 0.07))


def _tb(rng, part: Chests, extent: float):
    """Apical infiltrate, often with a cavity and small nodules, one side more than the other."""
    n, size, count = len(part.x), part.x.shape[1], 9
    main = rng.choice((-1, 1), (n, 1))
    side = np.where(rng.random((n, count)) < 0.75, main, -main)
    side[:, :3] = main
    centres = _place(
        part, side, rng.uniform(0.30, 0.66, (n, count)), rng.uniform(0.10, 0.36, (n, count))
    )
    small = np.arange(count) >= 3
    radii = rng.uniform(np.where(small, 0.02, 0.07), np.where(small, 0.045, 0.13), (n, count))
    radii = np.stack([radii, radii * rng.uniform(0.7, 1.1, (n, count))], -1) * extent
    strength = rng.uniform(0.75, 1.1, (n, count))
    field = patches(part.x, part.y, centres, radii, rng.normal(0, 0.6, (n, count)), strength)
    field += 0.20 * noise(rng, n, size, 0.09)
    cover = smooth((field - 0.30) / 0.45)
    at = centres[:, 0, :, None, None]
    radius = rng.uniform(0.055, 0.095, (n, 1, 1)) * extent
    radius = np.where(rng.random((n, 1, 1)) < 0.6, radius, 1e-3)  # no cavity: nothing to see
    ring = ellipse(part.x, part.y, at[:, 0], at[:, 1], radius, 1.1 * radius)
    wall = smooth((0.020 - np.abs(ring)) / 0.016)
    return np.maximum(cover * (1 - 0.75 * smooth(ring / 0.02 + 0.3)), wall), 0.23


def _bp(rng, part: Chests, extent: float):
    """Dense, even consolidation of one lobe that ends at its fissure; open bronchi stay dark."""
    n, size = len(part.x), part.x.shape[1]
    choice = rng.choice((1, 2, 3, 4, 5), (n, 1, 1), p=(0.2, 0.2, 0.2, 0.15, 0.25))
    lobe = (part.regions == choice).astype(np.float32)
    field = 0.80 + 0.30 * noise(rng, n, size, 0.5) + 0.10 * noise(rng, n, size, 0.10)
    # A fissure is seldom hit edge-on, so its border is soft.
    lobe = ndimage.gaussian_filter(lobe, (0, 0.012 * size, 0.012 * size))
    cover = lobe * smooth((field - 0.60 * (1 - extent)) / 0.45)
    bronchi = smooth((noise(rng, n, size, 0.06) - 1.7) * 2)
    return cover, 0.29 - 0.08 * bronchi + 0.015 * noise(rng, n, size, 0.2)


def _vp(rng, part: Chests, extent: float):
    """Streaks that leave both lung roots and a fine net around them, no dense patch."""
    n, size = len(part.x), part.x.shape[1]
    fan = np.linspace(-1.5, 1.5, 10)
    origin = part.x[:, size // 2, size // 2], part.y[:, size // 2, size // 2]
    trees = []
    for side in (-1, 1):
        roots = np.empty((n, len(fan), 2))
        roots[..., 0] = side * 0.20 - origin[0][:, None]
        roots[..., 1] = rng.normal(0.02, 0.10, (n, len(fan))) - origin[1][:, None]
        heading = fan + rng.normal(0, 0.15, (n, len(fan)))
        heading = heading if side > 0 else np.pi - heading
        trees.append(grow(rng, roots, heading, length=0.17, width=0.030, levels=4, spread=0.5))
    streaks = rasterise(np.concatenate(trees, 1), size)
    reach = 0.36 * extent + 0.05 * noise(rng, n, size, 0.35)
    zone = smooth((reach - np.hypot(np.abs(part.x) - 0.24, 0.62 * (part.y - 0.04)) + 0.06) / 0.22)
    net = smooth(1.3 - np.abs(noise(rng, n, size, 0.10)) * 2.4)
    return zone * (0.32 + 0.40 * streaks + 0.38 * net), 0.23


FINDINGS = {"covid19": _covid, "tb": _tb, "bp": _bp, "vp": _vp}
