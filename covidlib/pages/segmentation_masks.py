"""Test images with their lung masks, found and cleaned (``notebooks/manet/segmentation.py``)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from covidlib.book import Page
from covidlib.data.batches import DeviceImages
from covidlib.pages.results import Results
from covidlib.postprocessing import clean
from covidlib.runs.running import load
from covidlib.training.data import training_data
from covidlib.training.method import prepare
from covidlib.training.segmentation import CLEANED, evaluate, lung_masks


@dataclass(frozen=True)
class Shown:
    """One test image with its masks.

    Args:
        name: of the sample.
        image: grey, uint8. Shape: (S, S).
        truth, predicted, cleaned: masks. Shape: (S, S), bool.
        iou, iou_clean: before and after post-processing.
    """

    name: str
    image: np.ndarray
    truth: np.ndarray
    predicted: np.ndarray
    cleaned: np.ndarray
    iou: float
    iou_clean: float

    @property
    def segmented(self) -> np.ndarray:
        """What the second stage sees: the image, black outside the cleaned mask."""
        return self.image * self.cleaned


def test_images(page: Page, results: Results) -> list[Shown]:
    """Return the test images of this run's first fold with their masks, best IoU first."""
    spec = results.chosen.specs[0]
    record = next(r for runs in results.done.values() for r in runs if r.key == spec.key)
    data = training_data(spec.data, page.root)
    network = load(record, spec, data).network
    images = DeviceImages(data.cached, data.classes)
    scores = record.test.set_index("sample")
    found = []
    for batch in images.iterate([data.rows("test")]):
        inputs = prepare(batch.image, spec.training, lungs=batch.lung)
        masks = lung_masks(evaluate(network, inputs.images, spec.training), spec.training)
        for place, row in enumerate(batch.index.tolist()):
            name = data.table["sample"].iloc[row]
            found.append(
                Shown(
                    name,
                    batch.image[place, 0].numpy(),
                    batch.lung[place, 0].numpy(),
                    masks[place],
                    clean(masks[place], spec.training.cleaning),
                    *scores.loc[name, ["iou", "iou" + CLEANED]],
                )
            )
    return sorted(found, key=lambda shown: -shown.iou)


def draw_masks(axes: np.ndarray, shown: Sequence[Shown]) -> None:
    """Draw image, prediction, drawn mask and segmentation, a row per image (manet figure 8)."""
    titles = ("image", "predicted", "drawn", "segmentation")
    for number, (line, one) in enumerate(zip(axes, shown, strict=True)):
        pictures = (one.image, one.predicted, one.truth, one.segmented)
        for ax, picture, title in zip(line, pictures, titles, strict=True):
            ax.imshow(picture, cmap="gray", vmin=0, vmax=255 if picture.dtype == np.uint8 else 1)
            ax.set_axis_off()
            if number == 0:
                ax.set_title(title, fontsize=10)
        line[0].text(-0.04, 0.5, f"IoU {one.iou:.2f}", rotation=90, ha="right", va="center",
                     transform=line[0].transAxes, fontsize=9)  # fmt: skip


def draw_cleaning(axes: np.ndarray, shown: Sequence[Shown]) -> None:
    """Draw masks before and after post-processing where it changed most (manet figure 3)."""
    changed = sorted(shown, key=lambda one: -(one.predicted != one.cleaned).mean())
    for line, one in zip(axes, changed, strict=False):
        gone, filled = one.predicted & ~one.cleaned, one.cleaned & ~one.predicted
        colours = np.zeros((*one.truth.shape, 3))
        colours[one.cleaned & one.predicted] = 0.75
        colours[gone], colours[filled] = (0.84, 0.37, 0), (0, 0.45, 0.7)
        titles = (f"predicted, IoU {one.iou:.3f}", f"cleaned, IoU {one.iou_clean:.3f}", "change")
        for ax, picture, title in zip(
            line, (one.predicted, one.cleaned, colours), titles, strict=True
        ):
            ax.imshow(picture, cmap="gray", vmin=0, vmax=1)
            ax.set_title(title, fontsize=9)
            ax.set_axis_off()
