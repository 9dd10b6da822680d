"""Learning from labels, and class probabilities afterwards."""

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from sklearn.metrics import roc_auc_score
from sklearn.utils.class_weight import compute_class_weight
from torch import LongTensor, Tensor, nn

from covidlib.data.batches import Batch, DeviceImages
from covidlib.evaluation.metrics import METRICS, score
from covidlib.training.method import Inputs, Method, prepare
from covidlib.training.modes import evaluating
from covidlib.training.precision import autocast


class Supervised(Method):
    """Cross-entropy on labelled images (msatl sec. 4 and 6.2)."""

    def __init__(self, network, settings, data, seed: int) -> None:
        super().__init__(network, settings, data, seed)
        weights = None
        if settings.class_weights == "balanced":
            weights = balanced(data.table["label"].iloc[self.train_rows.numpy()], data.classes)
        # Not part of the state: it follows from the images.
        self.register_buffer("class_weights", weights, persistent=False)

    def batch_loss(self, batch: Batch, step: int) -> Tensor:
        """Return the mean cross-entropy of the augmented images."""
        outputs = logits(self.network, self.augmented(batch, step)).float()
        return cross_entropy(outputs, batch.label, self.image_weights(batch.label))

    def image_weights(self, labels: LongTensor) -> Tensor | None:
        """Return what each image of a batch counts, (N,); None where all count the same."""
        return None if self.class_weights is None else self.class_weights[labels]

    def look(self) -> dict[str, float]:
        """Return the loss of the validation images, and what else they show."""
        rows = self.data.rows("val")
        if not len(rows):
            return {}
        probabilities = self.probabilities(rows, self.images)
        labels = self.images.labels[rows.to(self.images.labels.device)].cpu()
        loss = float(F.nll_loss(probabilities.clamp_min(1e-12).log(), labels))
        return {"val_loss": loss} | self.seen(probabilities, labels)

    def seen(self, probabilities: Tensor, labels: LongTensor) -> dict[str, float]:
        """Return columns of the curve, from probabilities (n, K) and labels (n,)."""
        return accuracy_and_auc(probabilities, labels, "val")

    def probabilities(self, rows: LongTensor, images: DeviceImages) -> Tensor:
        """Return softmax outputs for centre crops, float64 on the CPU, (len(rows), K)."""
        return probabilities(self.network, self.settings, rows, images)

    def predictions(self, images: DeviceImages) -> pd.DataFrame:
        """Return one row per validation and test image with ``p_<class>`` columns."""
        parts = []
        for split in ("val", "test"):
            rows = self.data.rows(split)
            table = self.data.table.iloc[rows.numpy()]
            part = table[["sample", "patient", "split", "label"]].reset_index(drop=True)
            columns = [f"p_{name}" for name in self.data.classes]
            values = pd.DataFrame(self.probabilities(rows, images).numpy(), columns=columns)
            parts.append(pd.concat([part, values], axis=1))
        return pd.concat(parts, ignore_index=True)

    def metrics(self, predictions: pd.DataFrame) -> dict[str, float]:
        """Return every metric that the test images can decide."""
        values = {name: score(predictions, name).value for name in METRICS}
        return {name: value for name, value in values.items() if value == value}


def accuracy_and_auc(values: Tensor, labels: LongTensor, name: str) -> dict[str, float]:
    """Return accuracy and, for two classes, AUC of scores (n, K) on labels (n,), if any."""
    if not len(labels):
        return {}
    found = {f"{name}_accuracy": float((values.argmax(1) == labels).double().mean())}
    if values.shape[1] == 2 and len(labels.unique()) == 2:
        found[f"{name}_auc"] = float(roc_auc_score(labels, values[:, 1]))
    return found


def balanced(labels: pd.Series, classes: tuple[str, ...]) -> Tensor:
    """Return a weight per class, mean 1 over the images: the mean class size over the class's own.

    >>> balanced(pd.Series(["a", "a", "a", "b"]), ("a", "b")).tolist()
    [0.6666666865348816, 2.0]
    """
    weights = compute_class_weight("balanced", classes=np.array(classes), y=labels.to_numpy(str))
    return torch.from_numpy(weights).float()


def cross_entropy(outputs: Tensor, labels: LongTensor, weights: Tensor | None = None) -> Tensor:
    """Return the mean cross-entropy over images, each times its weight.

    The sum is divided by the number of images, not by the sum of their weights: over an epoch each
    class then has the same share, whatever a batch happens to hold, and the shares that several
    processes have of a batch add up.

    Args:
        outputs: logits. Shape: (N, K).
        labels: class numbers. Shape: (N,).
        weights: of the images; None counts all the same. Shape: (N,).
    """
    if weights is None:
        return F.cross_entropy(outputs, labels)
    return (F.cross_entropy(outputs, labels, reduction="none") * weights).mean()


def logits(network: nn.Module, inputs: Inputs) -> Tensor:
    """Return a network's outputs, (N, K); one that needs lungs is given their masks."""
    if getattr(network, "needs_lungs", False):
        return network(inputs.images, inputs.lungs)
    return network(inputs.images)


def probabilities(network, settings, rows: LongTensor, images: DeviceImages) -> Tensor:
    """Return a network's softmax outputs for centre crops.

    Args:
        network: any module that returns logits; its mode is restored afterwards.
        settings: size, normalisation, precision and batch.
        rows: which images.
        images: where they are.

    Returns:
        float64 on the CPU, (len(rows), K).
    """
    device = next(network.parameters()).device
    outputs = []
    with evaluating(network), autocast(device, settings.precision):
        for batch in images.iterate(list(rows.split(settings.batch))):
            inputs = prepare(batch.image, settings, lungs=batch.lung)
            outputs.append(logits(network, inputs).double().softmax(1).cpu())
    return torch.cat(outputs)  # no rows are one batch of none
