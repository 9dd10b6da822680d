"""What every training method shares: order, augmentation, rate, curve, and the watch for NaN."""

from abc import abstractmethod
from typing import NamedTuple

import lightning as L
import pandas as pd
import torch
from torch import LongTensor, Tensor, nn

from covidlib.data import augmentation
from covidlib.data.batches import Batch, DeviceImages, epoch_order, share
from covidlib.data.seeds import generator
from covidlib.errors import RunError
from covidlib.settings import TrainingSettings
from covidlib.training.convolutions import fast_convolutions
from covidlib.training.data import TrainingData

FUSED = ("cpu", "cuda")  # where one pass over weights, gradients and momentum is a step
CHECK_EVERY = 50  # steps between looks at the loss, each of which waits for the device


class Inputs(NamedTuple):
    """What enters a network.

    Args:
        images: normalised. Shape: (N, C, size, size), float32.
        lungs: masks that moved with the images, None where the data carry none. Shape:
            (N, 1, size, size), bool.
    """

    images: Tensor
    lungs: Tensor | None = None


class Method(L.LightningModule):
    """A network and what one step does to it.

    Nothing random is stored: order, augmentation and dropout are functions of the seed, the epoch
    and the step, so a resumed run repeats an uninterrupted one.

    Args:
        network: the network to train.
        settings: hyper-parameters of the method.
        data: the images.
        seed: of order, augmentation and dropout.
    """

    one_device = False  # whether several processes would change what is learnt

    def __init__(
        self, network: nn.Module, settings: TrainingSettings, data: TrainingData, seed: int
    ) -> None:
        super().__init__()
        self.network = network.to(memory_format=torch.channels_last)
        self.settings = settings
        self.data = data
        self.seed = seed
        self.train_rows = data.rows("train")
        self.losses: list[Tensor] = []

    @abstractmethod
    def batch_loss(self, batch: Batch, step: int) -> Tensor:
        """Return the mean loss of one batch of decoded images, which ``augmented`` prepares."""

    @abstractmethod
    def look(self) -> dict[str, float]:
        """Return what the curve shows of the validation images."""

    @abstractmethod
    def predictions(self, images: DeviceImages) -> pd.DataFrame:
        """Return one row per validation and test image: sample, patient, split, label, outputs."""

    @abstractmethod
    def metrics(self, predictions: pd.DataFrame) -> dict[str, float]:
        """Return what the record says of the predictions of the test images."""

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return SGD as the settings ask."""
        chosen = self.settings
        return torch.optim.SGD(
            self.learnt(),
            lr=chosen.lr,
            momentum=chosen.momentum,
            weight_decay=chosen.weight_decay,
            fused=self.device.type in FUSED,
        )

    def learnt(self) -> list[nn.Parameter]:
        """Return what gradients change."""
        return list(self.network.parameters())

    def on_fit_start(self) -> None:
        """Put the images where the network is."""
        self.images = self.data.on(self.device)

    def on_fit_end(self) -> None:
        """Let go of the images: predictions bring their own, and memory has no room for two."""
        del self.images

    def epoch_batches(self) -> list[LongTensor]:
        """Return this process's rows of every step of the current epoch."""
        order = epoch_order(
            len(self.train_rows),
            self.settings.batch,
            self.seed,
            self.current_epoch,
            drop_last=self.settings.drop_last,
            rank=self.trainer.global_rank,
            world=self.trainer.world_size,
        )
        return [self.train_rows[places] for places in order]

    def train_dataloader(self) -> "SizedBatches":
        """Return the batches of the current epoch; Lightning asks again at each epoch."""
        return SizedBatches(self)

    def transfer_batch_to_device(self, batch: Batch, device, dataloader_idx: int) -> Batch:
        """Leave the batch where it is, which is on the device."""
        return batch

    def on_train_epoch_start(self) -> None:
        """Set the rate of this epoch, a function of the epoch alone."""
        for group in self.optimizers().param_groups:
            group["lr"] = self.settings.lr_at(self.current_epoch)
        self.losses = []

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Seed dropout from where the run is."""
        place = (self.seed, self.current_epoch, batch_idx, self.trainer.global_rank)
        torch.manual_seed(generator("dropout", *place).initial_seed())

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Augment on the device and return the method's loss."""
        with fast_convolutions(self.device):
            loss = self.batch_loss(batch, batch_idx)
        if self.trainer.world_size > 1:
            loss = loss * self.weight(len(batch.label), batch_idx)
        self.losses.append(loss.detach())
        every = self.check_every
        if batch_idx % every == 0:
            self.refuse_nan(first=max(0, batch_idx - every + 1))
        return loss

    @property
    def check_every(self) -> int:
        """Steps between looks at the loss."""
        return 1 if self.device.type == "cpu" else CHECK_EVERY

    def whole(self, step: int) -> int:
        """Return how many images a step has in all processes together."""
        return min(self.settings.batch, len(self.train_rows) - step * self.settings.batch)

    def weight(self, own: int, step: int) -> float:
        """Return what makes the mean over processes the mean over images: shares may differ."""
        return own * self.trainer.world_size / self.whole(step)

    def augmented(self, batch: Batch, step: int, view: int = 0) -> Inputs:
        """Return augmented model inputs.

        Args:
            batch: this process's share of the step's images.
            step: of the epoch.
            view: another number draws the augmentation anew.
        """
        whole = self.whole(step)
        place = (self.seed, self.current_epoch, step, *((view,) if view else ()))
        draws = augmentation.draw(self.settings.augmentation, whole, place)
        own = share(whole, self.trainer.global_rank, self.trainer.world_size)
        return prepare(batch.image, self.settings, draws[own], batch.lung)

    def refuse_nan(self, first: int = 0) -> None:
        """Raise RunError when a loss from step ``first`` on is not a finite number."""
        for step, loss in enumerate(torch.stack(self.losses[first:]).tolist(), start=first):
            if loss != loss or loss in (float("inf"), float("-inf")):
                raise RunError(
                    f"the loss is {loss} at epoch {self.current_epoch}, step {step} (learning rate "
                    f"{self.settings.lr_at(self.current_epoch):g}); lower the rate or look at the "
                    f"images of this batch: {self._names(step)}"
                )

    def refuse_nan_weights(self) -> None:
        """Raise RunError when the last step of an epoch left weights that are not finite."""
        values = [v for v in self.network.state_dict().values() if v.is_floating_point()]
        if not torch.stack([value.isfinite().all() for value in values]).all():
            raise RunError(
                f"weights are not finite after epoch {self.current_epoch}, step "
                f"{len(self.losses) - 1} (learning rate {self.settings.lr_at(self.current_epoch):g}"
                f"); lower the rate or look at the images of this batch: {self._names(-1)}"
            )

    def _names(self, step: int) -> str:
        """Return the samples of one step of the current epoch."""
        rows = self.epoch_batches()[step]
        return ", ".join(self.data.table["sample"].iloc[rows.numpy()])

    def epoch_row(self) -> dict[str, float]:
        """Return the curve's row of the epoch that just ended."""
        self.refuse_nan()
        self.refuse_nan_weights()
        epoch, last = self.current_epoch, self.settings.epochs - 1
        mean = torch.stack(self.losses).mean()
        row = {
            "epoch": epoch,
            "lr": self.settings.lr_at(epoch),
            "loss": float(self.all_gather(mean).mean()),
        }
        if epoch == last or (epoch + 1) % self.settings.validate_every == 0:
            row |= self.look()
        return row


def prepare(
    images: Tensor,
    settings: TrainingSettings,
    draws: augmentation.Draws | None = None,
    lungs: Tensor | None = None,
) -> Inputs:
    """Return model inputs from decoded images.

    Args:
        images: 0 to 255. Shape: (N, 1 or 3, S, S), uint8.
        settings: size, augmentation, normalisation and channels.
        draws: of the augmentation; None does what evaluation does.
        lungs: masks that move with the images. Shape: (N, 1, S, S), bool.
    """
    chosen = settings.augmentation
    if draws is None:
        chosen = chosen.centre()
        draws = augmentation.draw(chosen, len(images), (0,))
    moved = None
    if lungs is None:
        cropped = augmentation.apply(chosen, images, draws, size=settings.size)
    else:
        cropped, moved = augmentation.apply(chosen, images, draws, lungs, size=settings.size)
    ready = augmentation.to_model_input(cropped, settings.normalisation, channels=settings.channels)
    return Inputs(ready, moved)


class SizedBatches:
    """The batches of one epoch, with a length."""

    def __init__(self, method: Method) -> None:
        self.method = method  # not its images, which it lets go before Lightning forgets this
        self.batches = method.epoch_batches()

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self):
        return self.method.images.iterate(self.batches)
