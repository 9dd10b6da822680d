"""Learning lung masks by Dice, and masks of validation and test images afterwards."""

import numpy as np
import pandas as pd
import torch
from torch import LongTensor, Tensor, nn

from covidlib.data.batches import Batch, DeviceImages
from covidlib.errors import DataError
from covidlib.evaluation.overlap import LUNGS, dice, iou, overlap
from covidlib.postprocessing import clean
from covidlib.settings.segmentation import SegmentationSettings
from covidlib.training.method import Method, prepare
from covidlib.training.modes import evaluating
from covidlib.training.precision import autocast

CLEANED = "_clean"  # at the end of a column: after post-processing


def dice_loss(logits: Tensor, lungs: Tensor, smoothing: float = 1.0) -> Tensor:
    """Return 1 − Dice of probabilities, a mean over images (manet sec. 4.1).

    Args:
        logits: of lung. Shape: (N, 1, S, S).
        lungs: drawn masks. Shape: (N, 1, S, S), bool.
        smoothing: added to numerator and denominator.

    >>> lungs = torch.ones(1, 1, 2, 2, dtype=torch.bool)
    >>> float(dice_loss(torch.full((1, 1, 2, 2), 50.0), lungs))
    0.0
    """
    probabilities, truth = logits.float().sigmoid().flatten(1), lungs.flatten(1).float()
    shared = (probabilities * truth).sum(1)
    both = probabilities.sum(1) + truth.sum(1)
    return (1 - (2 * shared + smoothing) / (both + smoothing)).mean()


class Segmentation(Method):
    """Dice loss and Adam; image and mask are augmented together (manet sec. 2.2 and 4.1).

    Raises:
        DataError: an image that is learnt from or tested on has no lung mask.
    """

    settings: SegmentationSettings

    def __init__(self, network, settings, data, seed) -> None:
        super().__init__(network, settings, data, seed)
        used = torch.cat([data.rows(split) for split in ("train", "val", "test")]).numpy()
        known = data.cached.lungs is not None and data.cached.has_lung[used].all()
        if not known:
            raise DataError(
                f"{data.dataset.name}: images without lung mask, or masks not asked for"
            )

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return Adam (manet sec. 4.1)."""
        chosen = self.settings
        return torch.optim.Adam(
            self.network.parameters(), lr=chosen.lr, weight_decay=chosen.weight_decay
        )

    def batch_loss(self, batch: Batch, step: int) -> Tensor:
        """Return the Dice loss of the augmented images."""
        inputs = self.augmented(batch, step)
        return dice_loss(self.network(inputs.images), inputs.lungs, self.settings.smoothing)

    def look(self) -> dict[str, float]:
        """Return loss, and mean IoU and Dice before post-processing, of the validation images."""
        rows = self.data.rows("val")
        if not len(rows):
            return {}
        scores, losses = [], []
        for batch, logits, truth in self._outputs(rows, self.images):
            losses.append(len(batch.index) * dice_loss(logits, truth, self.settings.smoothing))
            pairs = zip(self._masks(logits), truth[:, 0].cpu().numpy(), strict=True)
            scores += [((one & two).sum(), (one | two).sum()) for one, two in pairs]
        return {
            "val_loss": float(torch.stack(losses).sum()) / len(rows),
            "val_iou": float(np.mean([iou(*pair) for pair in scores])),
            "val_dice": float(np.mean([dice(*pair) for pair in scores])),
        }

    def predictions(self, images: DeviceImages) -> pd.DataFrame:
        """Return one row per validation and test image.

        The columns are those of ``covidlib.evaluation.overlap.overlap``, and the same with
        ``_clean`` at the end, after post-processing.
        """
        parts = []
        for split in ("val", "test"):
            rows, found = self.data.rows(split), []
            for _, logits, truth in self._outputs(rows, images):
                for mask, lungs in zip(self._masks(logits), truth[:, 0].cpu().numpy(), strict=True):
                    cleaned = overlap(clean(mask, self.settings.cleaning), lungs)
                    found.append(
                        overlap(mask, lungs) | {k + CLEANED: v for k, v in cleaned.items()}
                    )
            table = self.data.table.iloc[rows.numpy()]
            part = table[["sample", "patient", "split", "label"]].reset_index(drop=True)
            parts.append(pd.concat([part, pd.DataFrame(found)], axis=1))
        return pd.concat(parts, ignore_index=True)

    def metrics(self, predictions: pd.DataFrame) -> dict[str, float]:
        """Return IoU and Dice of the test images; see ``summary``."""
        return summary(predictions[predictions["split"] == "test"])

    @torch.no_grad()
    def _outputs(self, rows: LongTensor, images: DeviceImages):
        """Yield batch, logits and drawn masks of unaugmented images, (N, 1, S, S)."""
        batches = images.iterate(list(rows.split(self.settings.batch)))
        for batch in batches:
            inputs = prepare(batch.image, self.settings, lungs=batch.lung)
            yield batch, evaluate(self.network, inputs.images, self.settings), inputs.lungs

    def _masks(self, logits: Tensor) -> np.ndarray:
        return lung_masks(logits, self.settings)


def evaluate(network: nn.Module, images: Tensor, settings: SegmentationSettings) -> Tensor:
    """Return the logits of prepared images in evaluation, float32; the mode is restored."""
    with evaluating(network), autocast(images.device, settings.precision):
        return network(images).float()


def lung_masks(logits: Tensor, settings: SegmentationSettings) -> np.ndarray:
    """Return predicted masks before post-processing, (N, S, S), bool."""
    return (logits[:, 0].sigmoid() >= settings.threshold).cpu().numpy()


def summary(rows: pd.DataFrame) -> dict[str, float]:
    """Return IoU and Dice of some images: the mean over images, and of all pixels together.

    Keys: ``iou``, ``dice``, each lung's ``iou_right`` …, ``pooled_iou``, ``pooled_dice``, the mean
    IoU of each class, ``iou_<class>``; and all of them with ``_clean``. What no image decides is
    left out.
    """
    found = {}
    for end in ("", CLEANED):
        names = ["iou", "dice", *(f"{m}_{side}" for m in ("iou", "dice") for side in LUNGS)]
        found |= {name + end: rows[name + end].mean() for name in names}
        pixels = rows["shared" + end], rows["either" + end]
        found |= {f"pooled_iou{end}": iou(*pixels), f"pooled_dice{end}": dice(*pixels)}
        for label, part in rows.groupby("label"):
            found[f"iou_{label}{end}"] = part["iou" + end].mean()
    return {name: float(value) for name, value in found.items() if value == value}
