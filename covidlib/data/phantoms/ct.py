"""Axial CT slices, drawn in Hounsfield units before a window turns them into grey."""

from dataclasses import dataclass

import numpy as np

from covidlib.data.phantoms.fields import (
    Traits,
    capsule,
    draw_traits,
    ellipse,
    grid,
    noise,
    paint,
    patient_uniform,
    ramp,
    smooth,
)
from covidlib.data.phantoms.vessels import grow, rasterise

AIR, LUNG, FAT, MUSCLE, BLOOD, BONE = -1000.0, -850.0, -100.0, 45.0, 60.0, 420.0  # HU

_PATIENT = {  # centre and spread of what belongs to a patient
    "width": (0.92, 0.03), "depth": (0.69, 0.05), "power": (2.5, 0.3), "fat": (0.07, 0.04),
    "cage": (0.85, 0.03), "tilt": (0.0, 0.05), "heart": (0.34, 0.05), "spine": (0.125, 0.012),
    "lung": (-850.0, 25.0), "fissure_r": (0.10, 0.06), "fissure_m": (-0.14, 0.04),
    "fissure_l": (0.04, 0.06), "contrast": (60.0, 60.0), "shift": (0.0, 0.02), "table": (0.0, 1.0),
}  # fmt: skip
_SLICE = {"level": (0.60, 0.32), "turn": (0.0, 0.04), "dome": (0.0, 1.0), "rib": (0.0, 3.1)}


@dataclass(frozen=True)
class Slices:
    """A chunk of slices without findings.

    Args:
        hu: Hounsfield units. Shape: (N, H, W).
        lung: signed distance to the lungs, positive inside. Shape: (N, H, W).
        regions: uint8, 1 + index in ``LOBES`` of the lobe that would be there. Shape: (N, H, W).
        depth: distance from the chest wall, positive inside it. Shape: (N, H, W).
        vessels: coverage by vessels. Shape: (N, H, W).
        cage: centre and half-axes of the chest cavity. Shape: (N, 4) = x, y, rx, ry.
    """

    hu: np.ndarray
    lung: np.ndarray
    regions: np.ndarray
    depth: np.ndarray
    vessels: np.ndarray
    cage: np.ndarray


def draw_slices(rng: np.random.Generator, patients: np.ndarray, size: int, seed: int) -> Slices:
    """Draw healthy slices at levels between the aortic arch and the liver dome.

    Every slice shows all five lobes, as the fixed regions of the self-attention paper assume
    (sec. 5.3); in a real slice that is the exception.
    """
    n, (x, y), pixel = len(patients), grid(size), 2 / size
    t = draw_traits(patient_uniform(seed, patients, len(_PATIENT), 1), _PATIENT)
    t |= draw_traits(rng.uniform(-1, 1, (n, len(_SLICE))).astype(np.float32), _SLICE)
    angle = t["tilt"] + t["turn"]
    cos, sin = np.cos(angle), np.sin(angle)
    x, y = x * cos + y * sin - t["shift"], y * cos - x * sin
    wobble = noise(rng, n, size, 0.5)
    low = smooth((t["level"] - 0.25) / 0.6)  # 0 at the arch, 1 at the base
    body = ellipse(x, y, 0, 0.02, t["width"], t["depth"], power=t["power"]) + 0.008 * wobble
    rx = t["cage"] * t["width"] * (0.80 + 0.20 * low)
    ry = t["depth"] * (0.71 + 0.10 * low)
    cage = ellipse(x, y, 0, 0.0, rx, ry, power=2.3) + 0.010 * wobble
    organs = _mediastinum(x, y, t, low, rx, ry)
    lung = np.minimum(cage, -organs + 0.012 * noise(rng, n, size, 0.2))
    regions, fissure = _regions(x, y, t)
    vessels = _vessels(rng, size, rx, ry)
    hu = np.full(body.shape, AIR, np.float32)
    _paint_wall(hu, x, y, t, rng, body, cage, low, pixel)
    _paint_mediastinum(hu, x, y, t, low, ry, noise(rng, n, size, 0.3), pixel)
    inside = ramp(lung, 1.3 * pixel)
    air = t["lung"] + 130 * np.clip(y + 0.1, -0.4, 0.6) + 16 * noise(rng, n, size, 0.35)
    air = air + 14 * noise(rng, n, size, 0.06)
    air += (MUSCLE - air) * np.clip(vessels, 0, 1) * 0.85 + 170 * fissure
    paint(hu, inside, air)
    _paint_airways(hu, x, y, t, pixel)
    box = np.concatenate([0 * rx + t["shift"], 0 * rx, rx, ry], -1)[:, 0]
    return Slices(hu, lung, regions, cage, vessels * inside, box)


def _mediastinum(x, y, t: Traits, low, rx, ry) -> np.ndarray:
    """Signed distance to everything between the lungs, positive inside."""
    middle = ellipse(x, y, 0.01, -0.12, 0.13 + 0.03 * (1 - low), 0.92 * ry, power=2.0)
    scale = t["heart"] * (0.35 + 0.65 * low)
    heart = ellipse(x, y, 0.13 * low + 0.02, -0.30 * ry, 1.15 * scale, 0.80 * scale, 0.5)
    spine = ellipse(x, y, 0, 0.90 * ry, 0.175, 0.30 * ry)
    aorta = ellipse(x, y, 0.13, 0.46 * ry, 0.072, 0.072)
    root = ellipse(np.abs(x), y, 0.13, 0.07, 0.085, 0.075 - 0.045 * low)
    liver = ellipse(x, y, -0.52 * rx / 0.74, 0.02, 0.30, 0.26) - 0.30 * (
        1 - smooth((t["level"] - 0.80) / 0.12) * smooth(t["dome"] + 0.5)
    )
    return np.max(np.broadcast_arrays(middle, heart, spine, aorta, root, liver), axis=0)


def _regions(x, y, t: Traits) -> tuple[np.ndarray, np.ndarray]:
    """Return the lobe of each pixel and the faint line between lobes."""
    drop = 0.25 * (t["level"] - 0.6)
    oblique_r = y - (t["fissure_r"] - drop + 0.35 * (np.abs(x) - 0.4))
    middle_r = y - (t["fissure_m"] - drop - 0.25 * (np.abs(x) - 0.4))
    oblique_l = y - (t["fissure_l"] - drop + 0.45 * (np.abs(x) - 0.4))
    right = np.where(oblique_r > 0, 3, np.where(middle_r > 0, 2, 1))
    left = np.where(oblique_l > 0, 5, 4)
    nearest = np.where(x < 0, np.minimum(np.abs(oblique_r), np.abs(middle_r)), np.abs(oblique_l))
    return np.where(x < 0, right, left).astype(np.uint8), ramp(0.004 - nearest, 0.02)


def _vessels(rng, size, rx, ry) -> np.ndarray:
    """Vessels that fan out from both lung roots, and the ones cut across as dots."""
    n, fan = len(rx), np.linspace(-2.2, 2.2, 8)
    sides = []
    for side in (-1, 1):
        roots = np.empty((n, len(fan), 2))
        roots[..., 0] = side * (0.17 + 0.04 * rng.random((n, len(fan))))
        roots[..., 1] = 0.06 + rng.normal(0, 0.05, (n, len(fan)))
        heading = fan + rng.normal(0, 0.15, (n, len(fan)))
        sides.append(grow(
            rng, roots, heading if side > 0 else np.pi - heading,
            length=0.20, width=0.019, levels=4, spread=0.45,
        ))  # fmt: skip
    dots = np.stack([
        rng.choice((-1, 1), (n, 44)) * rng.uniform(0.22, 0.95, (n, 44)) * rx[:, 0],
        rng.uniform(-0.85, 0.85, (n, 44)) * ry[:, 0],
        rng.uniform(0.003, 0.012, (n, 44)),
    ], -1)  # fmt: skip
    return rasterise(np.concatenate(sides, 1), size, dots)


def _paint_wall(hu, x, y, t: Traits, rng, body, cage, low, pixel) -> None:
    """Skin, fat, muscle, ribs, shoulder blades, breast bone."""
    grain = noise(rng, len(hu), hu.shape[1], 0.12)
    table = 0.012 - np.abs(y - 0.02 - t["depth"] - 0.05 + 0.10 * x * x)
    paint(hu, ramp(table, 1.5 * pixel) * (t["table"] > -0.3), -650.0)
    paint(hu, ramp(body, 1.5 * pixel), FAT + 12 * grain)
    paint(hu, ramp(body, 1.5 * pixel) * ramp(0.016 - body, 0.01), 10.0)
    muscle = ramp(np.minimum(body - t["fat"], 0.17 + 0.03 * grain + cage), 0.03)
    paint(hu, muscle, MUSCLE + 14 * grain)
    around = np.arctan2(y, x)
    arcs = np.cos(9 * around + 3 * np.sin(around) + t["rib"])
    ribs = ramp(0.026 - np.abs(cage + 0.055), 0.02) * smooth((arcs - 0.1) * 3)
    paint(hu, ribs, BONE)
    paint(hu, ribs * ramp(0.010 - np.abs(cage + 0.055), 0.015), 210.0)
    sternum = ellipse(x, y, 0, -0.97 * t["depth"] * (0.80 + 0.06 * low), 0.10, 0.035)
    paint(hu, ramp(sternum, 0.02), 300.0)
    for side in (-1, 1):
        blade = capsule(x, y, side * 0.42, 0.56, side * 0.68, 0.36, 0.022)
        paint(hu, ramp(np.minimum(blade, -cage - 0.04), 0.02) * (1 - low), BONE)


def _paint_mediastinum(hu, x, y, t: Traits, low, ry, grain, pixel) -> None:
    """Fat between the lungs, heart, great vessels, spine, liver is muscle-like."""
    middle = ellipse(x, y, 0.01, -0.12, 0.36, 0.95 * ry)
    paint(hu, ramp(middle, 0.06), 10 + 30 * grain)
    scale = t["heart"] * (0.35 + 0.65 * low)
    heart = ellipse(x, y, 0.13 * low + 0.02, -0.30 * ry, 1.08 * scale, 0.73 * scale, 0.5)
    blood = BLOOD + t["contrast"]
    paint(hu, ramp(heart, 0.03), blood + 10 * grain)
    for cx, cy, r, shown in (
        (0.13, 0.46, 0.062, 1.0), (-0.05, -0.38, 0.085, 1 - low), (0.10, -0.20, 0.07, 1 - low)
    ):  # fmt: skip
        paint(hu, shown * ramp(ellipse(x, y, cx, cy * ry, r, r), 1.5 * pixel), blood + 20)
    bone_y = 0.86 * ry
    body = ellipse(x, y, 0, bone_y, t["spine"], 0.9 * t["spine"], power=2.4)
    paint(hu, ramp(body, 0.02), 260 + 60 * grain)
    paint(hu, ramp(0.016 - np.abs(body - 0.012), 0.015), 500.0)
    canal_y = bone_y + 1.30 * t["spine"]
    ring = ellipse(x, y, 0, canal_y, 0.085, 0.075)
    paint(hu, ramp(ring, 0.02), BONE)
    paint(hu, ramp(ring - 0.026, 0.015), 20.0)
    process = capsule(x, y, 0, canal_y + 0.06, 0, canal_y + 0.11, 0.016)
    wings = capsule(np.abs(x), y, 0.06, canal_y - 0.01, 0.20, canal_y + 0.05, 0.022)
    paint(hu, ramp(np.maximum(process, wings), 0.02), 380.0)


def _paint_airways(hu, x, y, t: Traits, pixel) -> None:
    """The windpipe high up, the two main bronchi at mid level, neither at the base."""
    apart = 0.13 * smooth((t["level"] - 0.38) / 0.15)
    radius = 0.055 - 0.016 * smooth(apart * 8)
    for side in (-1, 1):
        tube = ellipse(x, y, side * apart - 0.01, 0.04, radius * 1.1, radius)
        shown = 1 - smooth((t["level"] - 0.68) / 0.08)
        paint(hu, ramp(tube + 0.012, 1.5 * pixel) * shown, 0.0)
        paint(hu, ramp(tube, 1.5 * pixel) * shown, -960.0)
