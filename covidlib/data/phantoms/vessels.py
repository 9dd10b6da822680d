"""Branching vessels, grown for a whole batch and rasterised with antialiasing."""

import numpy as np
from PIL import Image, ImageDraw

OVERSAMPLING = 3


def grow(
    rng: np.random.Generator,
    roots: np.ndarray,
    headings: np.ndarray,
    *,
    length: float,
    width: float,
    levels: int = 4,
    spread: float = 0.55,
) -> np.ndarray:
    """Grow binary trees: every branch is shorter, thinner and turned from its parent.

    Args:
        rng: where the numbers come from.
        roots: where the trees start. Shape: (N, B, 2).
        headings: their directions in radians. Shape: (N, B).
        length: of the first branch; the image is 2 wide.
        width: of the first branch.
        levels: generations of branches.
        spread: standard deviation of a turn in radians.

    Returns:
        Segments x0, y0, x1, y1, width. Shape: (N, B · (2^levels − 1), 5).
    """
    starts, angles, grown = roots, headings, []
    for level in range(levels):
        reach = length * 0.74**level * rng.uniform(0.65, 1.3, angles.shape)
        step = np.stack([np.cos(angles), np.sin(angles)], -1) * reach[..., None]
        ends = starts + step
        thick = width * 0.68**level * rng.uniform(0.8, 1.2, angles.shape)
        grown.append(np.concatenate([starts, ends, thick[..., None]], -1))
        starts = np.repeat(ends, 2, axis=1)
        turn = np.abs(rng.normal(0, spread, (*angles.shape, 2))) * (-1, 1)
        angles = (angles[..., None] + turn).reshape(len(angles), -1)
    return np.concatenate(grown, axis=1).astype(np.float32)


def rasterise(segments: np.ndarray, size: int, dots: np.ndarray | None = None) -> np.ndarray:
    """Draw segments and round dots as coverage in [0, 1].

    Shape: segments (N, S, 5) as from ``grow``, dots (N, D, 3) = x, y, radius -> (N, size, size).
    """
    large = size * OVERSAMPLING
    drawn = np.empty((len(segments), size, size), np.float32)
    scaled = segments * (large / 2)
    scaled[..., :4] += large / 2
    for k, lines in enumerate(scaled.tolist()):
        sheet = Image.new("L", (large, large))
        pen = ImageDraw.Draw(sheet)
        for x0, y0, x1, y1, width in lines:
            pen.line((x0, y0, x1, y1), fill=min(255, int(255 * width)), width=max(1, round(width)))
        if dots is not None:
            for cx, cy, r in ((dots[k] * (1, 1, 1) + (1, 1, 0)) * (large / 2)).tolist():
                pen.ellipse((cx - r, cy - r, cx + r, cy + r), fill=255)
        drawn[k] = np.asarray(sheet.reduce(OVERSAMPLING), np.float32) / 255
    return drawn
