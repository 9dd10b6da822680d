"""Radiographs under the attention of a trained MAG-SD, for the pages on its method."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from matplotlib.axes import Axes
from torch import Tensor

from covidlib.book import Page
from covidlib.figures import overlay
from covidlib.models.ma_net import MANetSettings
from covidlib.plans.magsd import PROPOSED
from covidlib.plans.magsd_runs import images, proposed, run_of
from covidlib.runs.record import Record
from covidlib.runs.recorded import recorded
from covidlib.runs.running import load, run
from covidlib.runs.spec import RunSpec
from covidlib.runs.store import Store
from covidlib.training.attention_augmentation import rescale, upsample
from covidlib.training.data import training_data
from covidlib.training.magsd import MAGSD
from covidlib.training.method import prepare

SIZE = 224  # magsd sec. 4.1; the grid of the maps is then 7×7, as in the paper


@dataclass(frozen=True)
class Chest:
    """One radiograph at the paper's size, and what MA-Net makes of it.

    Args:
        image: grey in [0, 1], after CLAHE. Shape: (S, S).
        inputs: normalised. Shape: (1, 3, S, S).
        maps: attention of the whole network. Shape: (1, M, 7, 7).
        scales: what each scale adds to the maps, the finest first, each (1, M, 7, 7).
        features: what is pooled. Shape: (1, C, 7, 7).
        label, sample: class and name.
    """

    image: np.ndarray
    inputs: Tensor
    maps: Tensor
    scales: tuple[Tensor, ...]
    features: Tensor
    label: str
    sample: str

    def attention(self, number: int | None = None) -> np.ndarray:
        """Return one map, or their mean, in [0, 1] at the size of the image: (S, S)."""
        chosen = self.maps.mean(1, keepdim=True) if number is None else self.maps[:, [number]]
        return upsample(rescale(chosen), len(self.image))[0, 0].numpy()

    @property
    def liveliest(self) -> list[int]:
        """Numbers of the maps, the one with the largest spread first."""
        spread = self.maps[0].amax((1, 2)) - self.maps[0].amin((1, 2))
        return spread.argsort(descending=True).tolist()


def trained(page: Page) -> tuple[RunSpec, Record, MAGSD]:
    """Return MAG-SD on the first fold of data set A, from the page's store or trained now.

    The pages on the method and those on results share this run.
    """
    spec = run_of(MANetSettings(), "A", page.profile, page.phantom, fold=0)
    record = run(spec, Store(page.store), page.root, profile=page.profile)
    return spec, record, load(record, spec, training_data(spec.data, page.root))


def recorded_runs(page: Page) -> list[Record]:
    """Return the recorded folds of MAG-SD on data set A."""
    return recorded("magsd/architectures", page.recorded)[f"A: {PROPOSED}"]


def learnt(record: Record) -> dict[str, str]:
    """Return for how long a network learnt, and its AUC on test images, as text."""
    epochs = len(record.curve)
    return {
        "epochs": f"{epochs} epoch{'s' * (epochs > 1)}",
        "learnt_auc": f"{record.metrics['auc']:.2f}",
    }


def chests(page: Page, method: MAGSD, per_class: int = 2) -> list[Chest]:
    """Return test images of both classes of data set A as the network sees them at 224 pixels.

    The network is convolutional up to its classifier, so a profile that trained on smaller images
    still gives maps of 7×7 here.
    """
    settings = images("A", page.profile, page.phantom, fold=0, size=SIZE)
    if settings.phantom:
        settings = replace(settings, phantom=replace(settings.phantom, size=SIZE // 2))
    data = training_data(settings, page.root)
    tested, table = data.rows("test"), data.table
    found = []
    for label in data.classes[::-1]:
        of_class = tested[(table["label"].iloc[tested.numpy()] == label).to_numpy(dtype=bool)]
        for row in of_class[:per_class].tolist():
            found.append(_look(method, data, row))
    return found


@torch.no_grad()
def _look(method: MAGSD, data, row: int) -> Chest:
    network = method.network.eval().cpu()
    pixels = torch.from_numpy(np.array(data.cached.images[row]))[None, None]
    inputs = prepare(pixels, replace(proposed("paper", "A"), size=SIZE)).images
    scales = network.backbone(inputs)
    grid = scales[-1].shape[2:]
    parts = tuple(
        torch.nn.functional.adaptive_avg_pool2d(branch(x), grid)
        for branch, x in zip(network.attention.scales, scales, strict=True)
    )
    return Chest(
        image=pixels[0, 0].numpy() / 255,
        inputs=inputs,
        maps=network.attention(scales),
        scales=parts,
        features=scales[-1],
        label=data.table["label"].iloc[row],
        sample=data.table["sample"].iloc[row],
    )


def draw(ax: Axes, chest: Chest, heat: np.ndarray, title: str) -> None:
    """Draw a map over its radiograph, from 0 to the map's own largest value."""
    overlay(ax, chest.image, heat, limits=(0, max(float(heat.max()), 1e-12)))
    ax.set_title(title, fontsize=9)


def draw_image(ax: Axes, image: np.ndarray, title: str, limits: Sequence[float] = (0, 1)) -> None:
    """Draw a grey picture under its title."""
    ax.imshow(image, cmap="gray", vmin=limits[0], vmax=limits[1])
    ax.set_title(title, fontsize=9)
    ax.set_axis_off()
