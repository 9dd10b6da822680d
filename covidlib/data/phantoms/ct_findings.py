"""What disease adds to a CT slice, and where exactly it is."""

from collections.abc import Callable

import numpy as np

from covidlib.data.phantoms.ct import MUSCLE, Slices
from covidlib.data.phantoms.fields import (
    ellipse,
    grid,
    noise,
    patches,
    patient_uniform,
    ramp,
    smooth,
)

# Share of each finding among slices that are not COVID-19; the second half are its imitators.
OTHER = {
    "none": 0.30, "nodule": 0.16, "lobar": 0.16, "effusion": 0.10, "emphysema": 0.08,
    "cavity": 0.08, "edema": 0.06, "fibrosis": 0.06,
}  # fmt: skip
Draw = Callable[..., tuple[np.ndarray, np.ndarray]]


def choose(labels: np.ndarray, patients: np.ndarray, seed: int) -> np.ndarray:
    """Return the finding of each slice: "covid" for class 1, else the patient's in ``OTHER``."""
    share = np.cumsum(list(OTHER.values()))
    luck = (patient_uniform(seed, patients, 1, 3)[:, 0] + 1) / 2 * share[-1]
    others = np.array(list(OTHER))[np.searchsorted(share, luck).clip(max=len(share) - 1)]
    return np.where(labels == 1, "covid", others)


def add(rng: np.random.Generator, slices: Slices, found: np.ndarray, difficulty: float):
    """Draw the findings into the slices' Hounsfield units, in place.

    Every random number is drawn alike for each difficulty, so that the same disease fades.

    Returns:
        The lesions: boolean, inside the lungs. Shape: (N, H, W).
    """
    lesions = np.zeros(slices.hu.shape, bool)
    contrast, extent = 1 - 0.65 * difficulty, 1 - 0.35 * difficulty
    for name, draw in FINDINGS.items():
        rows = np.flatnonzero(found == name)
        if not len(rows):
            continue
        part = Slices(*(getattr(slices, field)[rows] for field in slices.__dataclass_fields__))
        cover, value = draw(rng, part, extent)
        cover = cover.astype(np.float32, copy=False) * ramp(part.lung, 1.3 * 2 / part.lung.shape[1])
        slices.hu[rows] += cover * contrast * np.maximum(value - part.hu, np.minimum(value, -960.0))
        lesions[rows] = (cover > 0.35) & (part.lung > 0) & (value > -900)
    return lesions


def _rim(rng, part: Slices, count: int, depth, posterior: float):
    """Centres near the pleura: x, y, and the angle of the pleura there. Shape: (N, count)."""
    n, (cx, _, rx, ry) = len(part.hu), part.cage.T[:, :, None]
    side = np.where(np.arange(count) % 2, 1, -1) * rng.choice((-1, 1), (n, 1))
    theta = rng.normal(posterior, 0.62, (n, count)).clip(-1.25, 1.25)
    inset = 1 - rng.uniform(*depth, (n, count))
    x = cx + side * inset * rx * np.cos(theta)
    y = inset * ry * np.sin(theta)
    turn = np.arctan2(side * ry * np.cos(theta), -rx * np.sin(theta))
    return x, y, turn


def _covid(rng, part: Slices, extent: float):
    """Ground glass in several peripheral, mostly posterior patches, both sides, partly dense."""
    n, size, (x, y) = len(part.hu), part.hu.shape[1], grid(part.hu.shape[1])
    count = 7
    cx, cy, turn = _rim(rng, part, count, (0.06, 0.30), 0.45)
    radii = rng.uniform((0.07, 0.035), (0.17, 0.085), (n, count, 2))
    present = np.arange(count) < rng.integers(2, count + 1, (n, 1))
    strength = np.where(present, rng.uniform(0.7, 1.1, (n, count)), 0)
    field = patches(x, y, np.stack([cx, cy], -1), radii * extent * 1.25, turn, strength)
    field += 0.17 * noise(rng, n, size, 0.14) + 0.10 * noise(rng, n, size, 0.05)
    cover = smooth((field - 0.20) / 0.45)
    severe = rng.uniform(0, 1, (n, 1, 1)).astype(np.float32)
    dense = smooth((field - 1.0 + 0.40 * severe) / 0.45)
    glass = -560 + 90 * severe + 55 * noise(rng, n, size, 0.06)
    mesh = smooth(1 - np.abs(noise(rng, n, size, 0.07)) * 5) * (severe > 0.4)
    return cover, glass + 130 * mesh * (1 - dense) + (MUSCLE - 120 - glass) * dense * 0.8


def _nodule(rng, part: Slices, extent: float):
    """One round or lobulated solid mass, now and then two."""
    n, size, (x, y) = len(part.hu), part.hu.shape[1], grid(part.hu.shape[1])
    cx, cy, turn = _rim(rng, part, 2, (0.15, 0.55), 0.0)
    radius = rng.uniform(0.05, 0.15, (n, 2)) * (1, 0.5)
    strength = np.stack([np.ones(n), rng.random(n) > 0.7], -1)
    radii = np.stack([radius, radius * rng.uniform(0.75, 1, (n, 2))], -1) * extent
    field = patches(x, y, np.stack([cx, cy], -1), radii, turn, strength)
    field += 0.05 * noise(rng, n, size, 0.10)
    return smooth((field - 0.62) / 0.18), np.full_like(part.hu, MUSCLE - 20)


def _lobar(rng, part: Slices, extent: float):
    """Dense consolidation of most of one lobe, sharp at the fissure, with open bronchi."""
    n, size = len(part.hu), part.hu.shape[1]
    lobe = (part.regions == rng.choice((1, 2, 3, 4, 5), (n, 1, 1))).astype(np.float32)
    field = 0.75 + 0.35 * noise(rng, n, size, 0.45) + 0.12 * noise(rng, n, size, 0.08)
    cover = lobe * smooth((field - 0.55 * (1 - extent)) / 0.35)
    bronchi = smooth((noise(rng, n, size, 0.09) - 1.6) * 3)
    return cover * 0.95, MUSCLE - 60 - 700 * bronchi + 40 * noise(rng, n, size, 0.06)


def _effusion(rng, part: Slices, extent: float):
    """Fluid behind one lung, with a concave border."""
    n, (x, y) = len(part.hu), grid(part.hu.shape[1])
    cx, _, _, ry = part.cage.T[:, :, None, None]
    side = rng.choice((-1, 1), (n, 1, 1))
    level = ry * (0.72 - 0.30 * rng.random((n, 1, 1)) * extent)
    off = x - cx - side * 0.36
    behind = y - level + 0.9 * (off**2).clip(0, 0.16)
    return smooth(behind / 0.03 + 0.5) * (side * x > 0), np.full_like(part.hu, 15.0)


def _emphysema(rng, part: Slices, extent: float):
    """Holes of air: darker than lung, so there is no lesion to mark."""
    n, size = len(part.hu), part.hu.shape[1]
    holes = smooth((noise(rng, n, size, 0.085) + 0.7 * noise(rng, n, size, 0.4) - 0.9) * 1.2)
    return holes * smooth(part.lung / 0.05) * extent, np.full_like(part.hu, -990.0)


def _cavity(rng, part: Slices, extent: float):
    """A thick-walled cavity in front, with small nodules around it (tuberculosis)."""
    n, size, (x, y) = len(part.hu), part.hu.shape[1], grid(part.hu.shape[1])
    cx, cy, _ = _rim(rng, part, 1, (0.28, 0.50), -0.4)
    radius = (rng.uniform(0.08, 0.14, (n, 1)) * extent)[..., None]
    hole = ellipse(x, y, cx[..., None], cy[..., None], radius, 0.9 * radius)
    hole = hole + 0.012 * noise(rng, n, size, 0.12)
    wall = smooth((0.028 - np.abs(hole)) / 0.02)
    buds = smooth((noise(rng, n, size, 0.045) - 1.1) * 3) * smooth(1 + hole / 0.22)
    return np.maximum(wall, buds * 0.9), np.full_like(part.hu, MUSCLE - 40)


def _edema(rng, part: Slices, extent: float):
    """Central ground glass on both sides that spares the rim: what COVID-19 is not."""
    n, size, (x, y) = len(part.hu), part.hu.shape[1], grid(part.hu.shape[1])
    reach = 0.27 + 0.05 * noise(rng, n, size, 0.3)
    near = ellipse(np.abs(x), y, 0.26, 0.05, reach * extent, 1.25 * reach * extent)
    cover = smooth((near + 0.03) / 0.12) * smooth((part.depth - 0.10) / 0.06)
    return cover * 0.9, -570 + 60 * noise(rng, n, size, 0.08)


def _fibrosis(rng, part: Slices, extent: float):
    """A net of thick lines under the pleura, honeycombs at the back."""
    n, size, (_, y) = len(part.hu), part.hu.shape[1], grid(part.hu.shape[1])
    rim = smooth((0.13 * extent - part.depth + 0.03 * noise(rng, n, size, 0.3)) / 0.06)
    net = smooth(1.25 - np.abs(noise(rng, n, size, 0.075)) * 3.2)
    return rim * smooth((y + 0.35) / 0.3) * net, np.full_like(part.hu, -180.0)


FINDINGS: dict[str, Draw] = {
    "covid": _covid, "nodule": _nodule, "lobar": _lobar, "effusion": _effusion,
    "emphysema": _emphysema, "cavity": _cavity, "edema": _edema, "fibrosis": _fibrosis,
}  # fmt: skip
