"""Frontal chest X-rays of adults and children: absorption adds up to grey, bone is bright."""

from dataclasses import dataclass

import numpy as np

from covidlib.data.phantoms.fields import (
    Traits,
    bell,
    capsule,
    draw_traits,
    ellipse,
    grid,
    noise,
    patient_uniform,
    ramp,
    smooth,
)
from covidlib.data.phantoms.vessels import grow, rasterise

_ADULT = {  # centre and spread; x from -1 (left edge) to 1, y from -1 (top) to 1
    "width": (0.80, 0.05), "top": (-0.74, 0.05), "base": (0.46, 0.08), "gap": (0.155, 0.015),
    "heart": (0.40, 0.05), "heart_y": (-0.17, 0.03), "knob": (0.09, 0.015), "slope": (0.36, 0.06),
    "spacing": (0.150, 0.010), "clavicle": (-0.60, 0.05), "shoulder": (-0.72, 0.05),
    "trunk": (1.10, 0.08), "soft": (0.46, 0.05), "rib": (0.115, 0.025), "bubble": (0.0, 1.0),
    "breast": (0.0, 1.0), "power": (2.5, 0.25), "dome": (0.10, 0.02), "vessel": (0.105, 0.025),
}  # fmt: skip
_CHILD = _ADULT | {
    "width": (0.70, 0.05), "top": (-0.68, 0.04), "base": (0.36, 0.08), "gap": (0.16, 0.02),
    "heart": (0.40, 0.05), "slope": (0.20, 0.05), "spacing": (0.125, 0.008), "knob": (0.03, 0.01),
    "clavicle": (-0.66, 0.04), "shoulder": (-0.80, 0.05), "trunk": (0.88, 0.06),
    "breast": (-1.0, 0.0), "power": (2.2, 0.2), "rib": (0.12, 0.02),
}  # fmt: skip
_EXPOSURE = {"turn": (0.0, 0.045), "lift": (0.0, 0.04), "shift": (0.0, 0.03), "rotate": (0.0, 0.02),
             "breath": (0.0, 0.05), "level": (0.0, 0.05)}  # fmt: skip


@dataclass(frozen=True)
class Chests:
    """A chunk of X-rays without findings.

    Args:
        grey: ideal grey, dense is bright, about [0, 1]. Shape: (N, H, W).
        lung: signed distance to the visible lungs, positive inside. Shape: (N, H, W).
        regions: uint8, 1 + index in ``LOBES`` of the lobe that would be there. Shape: (N, H, W).
        x: across the patient, negative is the right lung; 0 is the spine. Shape: (N, H, W).
        y: down the patient. Shape: (N, H, W).
        box: half width, top and base of the rib cage. Shape: (N, 3).
    """

    grey: np.ndarray
    lung: np.ndarray
    regions: np.ndarray
    x: np.ndarray
    y: np.ndarray
    box: np.ndarray


def draw_chests(
    rng: np.random.Generator, patients: np.ndarray, child: np.ndarray, size: int, seed: int
) -> Chests:
    """Draw healthy chests; the patient's right side is on the left, as on a light box.

    Lobes overlap in projection; here every lung pixel belongs to the one that covers most of it
    in front view: horizontal and oblique fissures become lines.
    """
    n, (x, y), pixel = len(patients), grid(size), 2 / size
    uniform = patient_uniform(seed, patients, len(_ADULT), 2)
    adult, young = draw_traits(uniform, _ADULT), draw_traits(uniform, _CHILD)
    t = {k: np.where(child[:, None, None], young[k], adult[k]) for k in _ADULT}
    t |= draw_traits(rng.uniform(-1, 1, (n, len(_EXPOSURE))).astype(np.float32), _EXPOSURE)
    cos, sin = np.cos(t["turn"]), np.sin(t["turn"])
    x, y = x * cos + y * sin - t["shift"], y * cos - x * sin - t["lift"]
    base = t["base"] + t["breath"]
    cage, lung = _lungs(rng, x, y, t, base, size)
    inside = ramp(lung, 2.5 * pixel)
    chest = ramp(cage, 0.03)
    grey = _body(x, y, t, base, noise(rng, n, size, 0.6))
    grey += _middle(x, y, t, base)
    grey -= inside * (0.34 - 0.05 * (np.abs(x) / t["width"]) ** 2 - 0.03 * y)
    grey += chest * _ribs(x, y, t) * (0.25 + 0.75 * inside)
    grey += _shoulders(x, y, t, child[:, None, None].astype(np.float32))
    grey += inside * t["vessel"] * _vessels(rng, x, t, size)
    grey += inside * 0.012 * noise(rng, n, size, 0.10) + t["level"]
    bubble = ellipse(x, y, 0.34, base + 0.22, 0.13, 0.07) * (t["bubble"] > 0.1)
    grey -= 0.16 * ramp(bubble, 0.04)
    box = np.concatenate([t["width"], t["top"], base], -1)[:, 0]
    return Chests(grey, lung, _regions(x, y, t, base), x, y, box)


def _lungs(rng, x, y, t: Traits, base, size) -> tuple[np.ndarray, np.ndarray]:
    """Signed distances to the rib cage and to the lungs that show beside heart and diaphragm."""
    n = len(base)
    height = base + 0.16 - t["top"]
    cage = ellipse(x, y, 0, base + 0.16, t["width"], height, power=t["power"])
    cage = cage + 0.006 * noise(rng, n, size, 0.5)
    across = (np.abs(x) - 0.46 * t["width"] - 0.08) / 0.42
    right_higher = np.where(x < 0, np.float32(-0.03), np.float32(0.02))
    dome = base + right_higher + t["dome"] * (across**2 * 1.5 - 0.5) * 1.2
    below = y - dome
    neck = 0.05 * smooth((t["top"] + 0.35 - y) / 0.3)
    middle = t["gap"] + t["rotate"] * np.sign(x) - neck - np.abs(x)
    middle = np.maximum(middle, _knob(x, y, t))
    middle = np.maximum(middle, 0.8 * _heart(x, y, t, base))
    lung = np.minimum(np.minimum(cage, -below), -middle)
    return cage, lung + 0.004 * noise(rng, n, size, 0.12)


def _knob(x, y, t: Traits) -> np.ndarray:
    return ellipse(x, y, t["gap"] - 0.02, -0.28, t["knob"], 1.1 * t["knob"])


def _heart(x, y, t: Traits, base) -> np.ndarray:
    """Left border with the apex on the diaphragm, right border beside the spine."""
    centre = base + t["heart_y"]
    left = ellipse(x, y, 0.10, centre, 1.12 * t["heart"], 0.66 * t["heart"], 0.55)
    right = ellipse(x, y, -0.05, centre - 0.02, 0.36 * t["heart"] + 0.04, 0.30)
    trunk = ellipse(x, y, 0.09, centre - 0.22, 0.17, 0.20)
    return np.maximum(np.maximum(left, right), trunk)


def _body(x, y, t: Traits, base, cloud) -> np.ndarray:
    """Soft tissue from nothing at the edge to its full thickness, brighter below the lungs."""
    trunk = ellipse(x, y, 0, 0.75, t["trunk"], 0.75 - t["shoulder"], power=3.6)
    neck = np.minimum(0.24 + 0.30 * smooth((y + 0.98) / 0.35) - np.abs(x), 0.2 - y)
    edge = np.maximum(trunk, neck) + 0.006 * cloud
    tissue = ramp(edge, 0.025) * (0.22 + (t["soft"] - 0.22) * smooth(edge / 0.22))
    belly = smooth((y - base + 0.02) / 0.22) * 0.13
    breast = ellipse(np.abs(x), y, 0.46, 0.26, 0.27, 0.25) * (t["breast"] > 0.2)
    return tissue + ramp(edge, 0.05) * (belly + 0.012 * cloud) + 0.05 * smooth(breast / 0.08)


def _middle(x, y, t: Traits, base) -> np.ndarray:
    """Mediastinum, heart, lung roots, spine with its discs, windpipe."""
    column = np.exp(-0.5 * np.square(np.square(x / 0.17)))
    shade = 0.11 * column * smooth((y + 0.95) / 0.5) + 0.04 * np.exp(-0.5 * (x / 0.30) ** 2)
    shade += 0.13 * ramp(_heart(x, y, t, base), 0.07) * smooth((base + 0.25 - y) / 0.2)
    shade += 0.08 * ramp(_knob(x, y, t), 0.04)
    for side, low in ((-1, 0.03), (1, -0.02)):
        shade += 0.07 * bell(x, y, side * (t["gap"] + 0.06), -0.02 + low, 0.055, 0.10)
    vertebra = 0.5 + 0.5 * np.cos(2 * np.pi * (y / (0.85 * t["spacing"])))
    shade += 0.05 * ramp(0.085 - np.abs(x), 0.03) * (0.45 + 0.55 * smooth(vertebra * 2))
    tube = ramp(0.042 - np.abs(x + 0.01), 0.025) * smooth((-0.22 - y) / 0.08)
    fork = capsule(np.abs(x), y, 0.0, -0.24, 0.13, -0.12, 0.020)
    return shade - 0.11 * np.maximum(tube, 0.7 * ramp(fork, 0.025))


def _ribs(x, y, t: Traits) -> np.ndarray:
    """Ribs as two families of curves: the back halves fall outwards, the front halves inwards."""
    out = np.abs(x) / t["width"]
    back = y - t["slope"] * (out**2.2 - 0.35 * np.sqrt(out))
    front = y + 0.75 * t["slope"] * np.maximum(1.15 - out, 0) ** 1.5 - 0.62 * t["slope"] * out**3
    grey = np.zeros_like(back)
    for curve, share, shown in (
        (back, 1.0, smooth((out - 0.10) / 0.1)),
        (front, 0.55, smooth((out - 0.42) / 0.25) * smooth((y + 0.50) / 0.2)),
    ):
        phase = (curve - t["top"] + 0.03) / t["spacing"]
        off = np.abs(phase - np.floor(phase) - 0.5) * t["spacing"]
        thick = 0.24 * t["spacing"]
        body = ramp(thick - off, 0.018)
        cortex = np.exp(-0.5 * ((off - 0.85 * thick) / 0.010) ** 2)
        grey += t["rib"] * share * shown * (0.65 * body + 0.5 * cortex)
    return grey * smooth((t["top"] + 0.10 - y) / -0.12)


def _shoulders(x, y, t: Traits, child) -> np.ndarray:
    """Collar bones, edges of the shoulder blades, heads of the upper arms."""
    side, top = np.abs(x), t["clavicle"]
    inner = capsule(side, y, 0.09, top + 0.10, 0.38, top + 0.015, 0.026)
    outer = capsule(side, y, 0.38, top + 0.015, 0.80 * t["trunk"], top - 0.07, 0.022)
    bone = np.maximum(inner, outer)
    grey = 0.10 * ramp(bone, 0.022) + 0.04 * np.exp(-0.5 * (bone / 0.010) ** 2)
    edge = 0.92 * t["width"]
    blade = capsule(side, y, edge - 0.10, -0.02, edge + 0.10, -0.52, 0.016)
    grey += 0.045 * ramp(blade, 0.03) * (1 - child)
    arm = ellipse(side, y, 0.93 * t["trunk"], top + 0.04, 0.13, 0.13)
    return grey + 0.09 * ramp(arm, 0.03) * smooth((y + 1.02) / 0.1)


def _vessels(rng, x, t: Traits, size) -> np.ndarray:
    """Vessels that fan out of both lung roots, moved along with the patient."""
    n, fan = len(x), np.array([-1.3, -0.75, -0.2, 0.35, 0.85, 1.3])
    sides = []
    for side in (-1, 1):
        roots = np.empty((n, len(fan), 2))
        roots[..., 0] = side * (t["gap"][:, 0] + 0.03) + t["shift"][:, 0]
        roots[..., 1] = rng.normal(0.0, 0.06, (n, len(fan))) + t["lift"][:, 0]
        heading = fan + rng.normal(0, 0.12, (n, len(fan)))
        heading = heading if side > 0 else np.pi - heading
        trees = grow(rng, roots, heading, length=0.19, width=0.034, levels=4, spread=0.34)
        sides.append(trees)
    return rasterise(np.concatenate(sides, 1), size)


def _regions(x, y, t: Traits, base) -> np.ndarray:
    """Right: upper above the horizontal fissure, middle next to the heart, lower outside it."""
    height = base - t["top"]
    horizontal = y - (t["top"] + 0.54 * height)
    out = np.abs(x) - 0.50 * t["width"]
    oblique = out - 0.35 * (y - base + 0.25)
    right = np.where(horizontal < 0, 1, np.where(oblique < 0, 2, 3))
    left = np.where(y - (t["top"] + 0.62 * height) + 0.35 * out < 0, 4, 5)
    return np.where(x < 0, right, left).astype(np.uint8)
