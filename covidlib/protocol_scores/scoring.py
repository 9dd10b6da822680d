"""A trained network on test images that are augmented and drawn again (magsd's released code)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import LongTensor, Tensor

from covidlib.data import augmentation
from covidlib.data.batches import Batch, epoch_order
from covidlib.evaluation import confusion
from covidlib.evaluation.metrics import score
from covidlib.runs.folds import fold_of
from covidlib.runs.provenance import of_images
from covidlib.runs.record import Record
from covidlib.runs.running import load
from covidlib.runs.spec import RunSpec
from covidlib.training.data import TrainingData
from covidlib.training.fit import Resources
from covidlib.training.method import prepare
from covidlib.training.precision import autocast
from covidlib.training.supervised import Supervised, logits

PLAN = "magsd/image_folds"
BATCH, BATCHES = 16, 100  # magsd's released code
REPEATS = 5  # ours: the released code has one
METRICS = ("accuracy", "f1_macro", "auc")


@dataclass(frozen=True)
class ProtocolScores:
    """What one run scores when its test images are augmented and drawn again.

    Args:
        key: of the run.
        fold: its number.
        samples: names of the test images. Length: N.
        draws: how often each was drawn, in all repeats. Shape: (N,).
        hits: how many of these draws were classified rightly. Shape: (N,).
        repeats: metrics of each repeat; "specificity" is what the released code calls so, see
            ``mean_negative_value``.
        provenance: commit, versions, data, phantom, profile.
    """

    key: str
    fold: int
    samples: tuple[str, ...]
    draws: np.ndarray
    hits: np.ndarray
    repeats: Sequence[Mapping[str, float]]
    provenance: Mapping[str, object]

    @property
    def shares(self) -> pd.Series:
        """The share of right answers by image, without images that were never drawn."""
        seen = self.draws > 0
        names = np.array(self.samples)[seen]
        return pd.Series(self.hits[seen] / self.draws[seen], names)

    def spread(self, metric: str = "accuracy") -> float:
        """Return how much a metric varies between repeats of the same test: its deviation."""
        return float(np.std([one[metric] for one in self.repeats], ddof=1))


def drawn_again(
    count: int, seed: int, repeat: int = 0, batch: int = BATCH, batches: int = BATCHES
) -> list[LongTensor]:
    """Return which test images the released code looks at, batch by batch.

    It takes a fixed number of batches from a loader that shuffles, leaves out what does not fill a
    last batch, and begins anew when it is exhausted.

    Args:
        count: test images; with fewer than ``batch`` the batch is as small.
        seed, repeat: of the shuffling.
        batch, batches: images per batch, and how many batches.
    """
    found: list[LongTensor] = []
    while len(found) < batches:
        number = 1_000_000 * (repeat + 1) + len(found)
        found += epoch_order(count, min(batch, count), seed, number, drop_last=True)
    return found[:batches]


def mean_negative_value(predictions: pd.DataFrame) -> float:
    """Return the mean over classes of TN / (TN + FN): "specificity" in the released code.

    NaN where every image was given to one class. With two classes it is the mean precision.
    """
    table = confusion(predictions).to_numpy(float)  # rows: actual, columns: chosen
    missed = table.sum(1) - np.diag(table)
    rejected = table.sum() - table.sum(0) - missed
    with np.errstate(invalid="ignore"):
        return float(np.mean(rejected / (rejected + missed)))


@torch.no_grad()
def _outputs(method: Supervised, batches: Sequence[LongTensor], key: tuple[int, ...]) -> Tensor:
    """Return softmax outputs of augmented images, float64 on the CPU: (draws, K)."""
    settings, network = method.settings, method.network.eval()
    device = next(network.parameters()).device
    found = []
    with autocast(device, settings.precision):
        for number, batch in enumerate(method.data.on(device).iterate(batches)):
            found.append(_augmented(method, batch, (*key, number)).double().softmax(1).cpu())
    return torch.cat(found)


def _augmented(method: Supervised, batch: Batch, key: tuple[int, ...]) -> Tensor:
    settings = method.settings
    draws = augmentation.draw(settings.augmentation, len(batch.index), key)
    return logits(method.network, prepare(batch.image, settings, draws, batch.lung))


def score_run(
    record: Record,
    spec: RunSpec,
    data: TrainingData,
    profile: str,
    *,
    repeats: int = REPEATS,
    batches: int = BATCHES,
) -> ProtocolScores:
    """Score the weights of a finished run as the released code does.

    Args:
        record: the run, with weights.
        spec: its settings, training's augmentation among them.
        data: its images; the test images are looked at.
        profile: written into the provenance.
        repeats: how often the whole test is done, each with draws of its own.
        batches: per test.
    """
    method, rows = load(record, spec, data), data.rows("test")
    method.to(Resources().device)
    table = data.table.iloc[rows.numpy()].reset_index(drop=True)
    draws, hits, metrics = np.zeros(len(rows), int), np.zeros(len(rows), int), []
    for repeat in range(repeats):
        places = drawn_again(len(rows), spec.seed, repeat, batches=batches)
        outputs = _outputs(method, [rows[p] for p in places], (spec.seed, repeat, 0)).numpy()
        drawn = torch.cat(places).numpy()
        seen = table.loc[drawn, ["sample", "patient", "split", "label"]].reset_index(drop=True)
        right = np.array(data.classes)[outputs.argmax(1)] == seen["label"].to_numpy(str)
        np.add.at(draws, drawn, 1)
        np.add.at(hits, drawn, right)
        metrics.append(_metrics(seen, outputs, data.classes))
    return ProtocolScores(
        key=record.key,
        fold=fold_of(record),
        samples=tuple(table["sample"]),
        draws=draws,
        hits=hits,
        repeats=tuple(metrics),
        provenance=of_images(data.dataset, profile, versions=True) | {"data": data.dataset.name},
    )


def _metrics(seen: pd.DataFrame, outputs: np.ndarray, classes: Sequence[str]) -> dict[str, float]:
    """Return the metrics of draws, each as if it were an image of its own."""
    named = pd.DataFrame(outputs, columns=[f"p_{name}" for name in classes])
    each = pd.concat([seen, named], axis=1)
    each["sample"] = [f"{name}, draw {k}" for k, name in enumerate(each["sample"])]
    values = {name: score(each, name).value for name in METRICS}
    return values | {"specificity": mean_negative_value(each)}
