"""What the Generator cuts out, step by step (``notebooks/msatl/self_supervised_transfer.py``)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from torch import Tensor

from covidlib.book import Page
from covidlib.data.phantoms import draw_ct
from covidlib.data_page import PlainTable
from covidlib.figures import image_grid
from covidlib.figures.style import PALETTE
from covidlib.lobe_findings import NAME, SIDE, LobeFindings, box_areas, train_slices
from covidlib.models.lobes import LOBES, NAMES, crop_and_resize, cut, location_tuples
from covidlib.models.lung_boxes import WAYS, WHOLE, Located, boundary_map, extent, locate, otsu
from covidlib.settings.contrastive import LOBE_BOXES

MOST = 200  # slices located on a page in the "smoke" profile


@dataclass(frozen=True)
class Slices:
    """Training slices with their lungs located.

    Args:
        images: uint8. Shape: (N, 1, S, S).
        found: where the lungs are.
        names: of the images.
    """

    images: Tensor
    found: Located
    names: list[str]

    def regions(self, number: int) -> np.ndarray:
        """Return the five regions of one slice, in [0, 1], (5, S, S)."""
        return cut(self.images[number : number + 1], self.tuples(number)[None])[0, :, 0].numpy()

    def tuples(self, number: int) -> Tensor:
        """Return centre x, centre y, width, height of the five regions, shares of the side."""
        return location_tuples(self.found.box[number : number + 1], LOBE_BOXES)[0]


def slices(page: Page) -> Slices:
    """Locate the lungs in the page's training slices; no test slice is looked at."""
    images, names = train_slices(page.dataset(NAME, images=60, size=SIDE))
    every = -(-len(names) // MOST) if page.profile == "smoke" else 1
    return Slices(images[::every], locate(images[::every]), names[::every])


def examples(chosen: Slices, number: int) -> list[int]:
    """Return slices of every way in which lungs were found, the usual way first and most often."""
    ways = [(chosen.found.way == way).nonzero()[:, 0].tolist() for way in range(len(WAYS))]
    picked = [places[len(places) // 2] for places in ways if places]
    more = [place for place in ways[0] if place not in picked]
    picked += more[:: max(1, len(more) // number)]
    return sorted(picked[:number], key=lambda place: int(chosen.found.way[place]))


def ways_table(chosen: Slices, known: LobeFindings | None) -> PlainTable:
    """Count how the lungs were found, with the share of the slice that their box takes.

    Args:
        chosen: of this run.
        known: of all real training slices, as far as they are recorded.
    """
    sides = {"this run": (chosen.found.way.numpy(), box_areas(chosen.found.box))}
    if known is not None:
        sides = {"recorded": (known.way, known.area)} | sides
    rows: dict[str, dict[str, object]] = {name: {} for name in WAYS}
    for side, (way, area) in sides.items():
        for number, name in enumerate(WAYS):
            here = area[way == number]
            rows[name][f"slices, {side}"] = len(here)
            rows[name][f"share, {side}"] = f"{len(here) / len(way):.0%}"
            rows[name][f"box, {side}"] = f"{np.median(here):.0%}" if len(here) else None
    note = (
        "Box: median share of the slice that the lungs' box takes. Recorded: all training slices."
    )
    return PlainTable(pd.DataFrame(rows).T.rename_axis("found by"), note)


def whole_share(way: np.ndarray) -> float:
    """Return the share of slices whose box is the whole image; ``way`` as in ``Located``."""
    return float((way == WHOLE).mean())


def draw_steps(axes: Sequence[Axes], image: Tensor) -> None:
    """Draw the locate operator on one slice: dark pixels, boundary, lungs, regions.

    Args:
        axes: five of them.
        image: uint8. Shape: (S, S).
    """
    side, middle = image.shape[-1], otsu(image[None])
    found = locate(image[None, None])
    tried = (middle, otsu(image[None], high=middle), otsu(image[None], low=middle), middle)
    level = tried[int(found.way)]  # of the way that found the lungs
    dark = image[None] <= level[:, None, None]
    titles = ("slice", f"at most {int(level)}", "boundary map", "lungs and their box", "regions")
    pictures = [image, dark[0], boundary_map(dark)[0], found.lungs[0], image]
    for ax, title, picture in zip(axes, titles, pictures, strict=True):
        limits = (0, 255) if picture.dtype == torch.uint8 else (0, 1)
        ax.imshow(picture.float().numpy(), cmap="gray", vmin=limits[0], vmax=limits[1])
        ax.set_title(title, fontsize=9)
        ax.set_axis_off()
    left, top, right, bottom = (found.box[0] * side).tolist()
    _rectangle(axes[3], left, top, right - left, bottom - top, PALETTE[1])
    for (x, y, width, height), name, colour in zip(
        (location_tuples(found.box, LOBE_BOXES)[0] * side).tolist(), LOBES, PALETTE, strict=False
    ):
        _rectangle(axes[4], x - width / 2, y - height / 2, width, height, colour)
        look = {"facecolor": colour, "edgecolor": "none", "pad": 1.5}
        axes[4].text(x, y, name, color="white", ha="center", va="center", fontsize=8, bbox=look)


def _rectangle(ax: Axes, x: float, y: float, width: float, height: float, colour) -> None:
    # Between pixels: imshow puts the middle of the first one at 0.
    ax.add_patch(Rectangle((x - 0.5, y - 0.5), width, height, fill=False, ec=colour, lw=1.6))


def draw_regions(ax: Axes, chosen: Slices, places: Sequence[int]) -> Axes:
    """Draw some slices, each with its five regions beside it."""
    pictures, titles = [], []
    for place in places:
        whole = chosen.images[place, 0].numpy() / 255
        pictures += [_framed(whole, chosen.found.box[place]), *chosen.regions(place)]
        titles += [WAYS[int(chosen.found.way[place])], *LOBES]
    return image_grid(ax, pictures, titles, columns=1 + len(LOBES), limits=(0, 1))


def _framed(image: np.ndarray, box: Tensor) -> np.ndarray:
    """Draw a box into a picture, in colour."""
    side = len(image)
    colour = np.repeat(image[..., None], 3, 2)
    left, top, right, bottom = (box * side).round().long().clamp(0, side).tolist()
    for rows, columns in (
        (slice(top, bottom), [left, right - 1]),
        ([top, bottom - 1], slice(left, right)),
    ):
        colour[rows, columns] = (0.9, 0.6, 0.0)
    return colour


def held(number: int = 40, seed: int = 0) -> pd.DataFrame:
    """Return what each region holds on drawn slices: share of every lobe and of what is no lung.

    Drawn slices know their lobes; of acquired ones nobody has marked them here.
    """
    drawn = draw_ct(number, size=SIDE, seed=seed)
    kinds = torch.from_numpy(drawn.lobes.astype(np.int64))
    masks = torch.stack([kinds == kind for kind in (1, 2, 3, 4, 5, 0)], 1).float()
    boxes = locate(torch.from_numpy(drawn.images)[:, None]).box
    shares = crop_and_resize(masks, location_tuples(boxes, LOBE_BOXES), 64).mean((0, 3, 4))
    columns = [*LOBES, "no lung"]
    index = [f"{name}: {NAMES[name]}" for name in LOBES]
    return pd.DataFrame(shares.numpy(), index=index, columns=columns)


def box_error(number: int = 40, seed: int = 0) -> float:
    """Return the median distance of a found box from the true one on drawn slices, pixels."""
    drawn = draw_ct(number, size=SIDE, seed=seed)
    found = locate(torch.from_numpy(drawn.images)[:, None]).box * SIDE
    return float((found - extent(torch.from_numpy(drawn.lungs))).abs().amax(1).median())
