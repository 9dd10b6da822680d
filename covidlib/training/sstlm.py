"""SSTL-M: contrast whole slices, and tell the five lobes apart (msatl sec. 5)."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import LongTensor, Tensor, nn

from covidlib.data import augmentation
from covidlib.data.batches import Batch
from covidlib.models.lobes import LOBES, cut, location_tuples
from covidlib.models.lung_boxes import locate
from covidlib.settings.contrastive import SstlmSettings
from covidlib.training.contrastive_losses import region_aware
from covidlib.training.data import TrainingData
from covidlib.training.method import prepare
from covidlib.training.moco import Moco
from covidlib.training.modes import evaluating
from covidlib.training.precision import autocast

REGION_VIEW = 2  # views 0 and 1 are the query's and the key's


class Sstlm(Moco):
    """Multi-scale self-supervision: equation 6 on MoCo's loss and the region-aware loss.

    Regions pass through the query encoder only, since the key encoder gets no gradient. Their
    batch statistics stay their own: the running ones, which the key encoder and the next stage use,
    describe whole slices.
    """

    def __init__(
        self, network: nn.Module, settings: SstlmSettings, data: TrainingData, seed: int
    ) -> None:
        super().__init__(network, settings, data, seed)
        classes = len(settings.regions)
        self.lobe_classifier = self.seeded("lobes", lambda: nn.Linear(self.width, classes))
        self.region_settings = replace(settings, augmentation=settings.region_augmentation)
        self.terms: list[Tensor] = []

    def on_fit_start(self) -> None:
        """Put the images on the device and locate the lungs once, of the images that are used."""
        super().on_fit_start()
        rows = torch.cat([self.train_rows, self.data.rows("val", labelled=False)]).unique()
        box = torch.full((len(self.images), 4), torch.nan, dtype=torch.float64, device=self.device)
        for batch in self.images.iterate(list(rows.split(self.settings.batch))):
            box[batch.index] = locate(batch.image).box
        self.tuples = location_tuples(box, self.settings.regions).float()  # (images, 5, 4)

    def on_train_epoch_start(self) -> None:
        """Begin an epoch's rows of the two losses."""
        super().on_train_epoch_start()
        self.terms = []

    def batch_loss(self, batch: Batch, step: int) -> Tensor:
        """Return the loss of equation 6 (msatl sec. 5.4).

        The step's other images are a query's negative ones in the region term. Averaged over the
        queries, the printed sum over own and negative images is the sum over the step.
        """
        chosen = self.settings
        contrast = super().batch_loss(batch, step)
        regions = region_aware(self.lobe_logits(batch, step)).mean()
        self.terms.append(torch.stack([contrast, regions]).detach())
        if chosen.region_loss == "sum":
            regions = regions * len(batch.index)
        return chosen.alpha_image * contrast + chosen.alpha_region * regions

    def lobe_logits(self, batch: Batch, step: int) -> Tensor:
        """Return the shared classifier's outputs for the step's regions, (n, 5, 5)."""
        few = batch.index[: self.settings.region_images]
        regions = cut(batch.image[: len(few)], self.tuples[few]).flatten(0, 1)
        place = (self.seed, self.current_epoch, step, REGION_VIEW)
        draws = augmentation.draw(self.settings.region_augmentation, len(regions), place)
        inputs = prepare(regions, self.region_settings, draws).images
        with own_statistics(self.network):
            return self.lobes(inputs).unflatten(0, (len(few), -1))

    def lobes(self, inputs: Tensor) -> Tensor:
        """Return the shared classifier's outputs for regions as the network sees them, (n, 5).

        It reads features of unit length, as the contrastive loss does. Those of a ResNet are far
        longer, and at the paper's rate the sum of equation 5 then rose from 9 to 300 in the first
        steps here.
        """
        features = F.normalize(self.network.embed(inputs).float(), dim=1)
        return self.lobe_classifier(features)

    def look(self) -> dict[str, float]:
        """Return the curve's columns of ``Contrastive``, and how the validation lobes are told."""
        rows = self.data.rows("val", labelled=False)
        if not len(rows):
            return super().look()
        logits = self.lobe_outputs(rows)
        right = logits.argmax(2) == torch.arange(logits.shape[1], device=logits.device)
        return super().look() | {
            "region_accuracy": float(right.double().mean()),
            "region_val_loss": float(region_aware(logits).mean()),
        }

    def lobe_outputs(self, rows: LongTensor) -> Tensor:
        """Return the classifier's outputs for centre crops of some images' regions, (n, 5, 5).

        Args:
            rows: training or validation images.
        """
        outputs, precision = [], autocast(self.device, self.settings.precision)
        with evaluating(self.network), precision, own_statistics(self.network):
            few = max(1, self.settings.batch // len(LOBES))
            for batch in self.images.iterate(list(rows.split(few))):
                regions = cut(batch.image, self.tuples[batch.index]).flatten(0, 1)
                inputs = prepare(regions, self.region_settings).images
                outputs.append(self.lobes(inputs).float())
        return torch.cat(outputs).unflatten(0, (len(rows), -1))

    def epoch_row(self) -> dict[str, float]:
        """Return the curve's row, with the epoch's mean of each loss of equation 6."""
        contrast, regions = torch.stack(self.terms).mean(0).tolist()
        row = super().epoch_row()
        return row | {"loss_image": contrast, "loss_region": regions}


@contextmanager
def own_statistics(network: nn.Module) -> Iterator[None]:
    """Normalise by the batch, and leave the running statistics as they are."""
    norms = [part for part in network.modules() if isinstance(part, nn.BatchNorm2d)]
    before = [(norm.momentum, norm.training) for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
        norm.train()
    try:
        yield
    finally:
        for norm, (momentum, training) in zip(norms, before, strict=True):
            norm.momentum = momentum
            norm.train(training)
