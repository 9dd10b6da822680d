"""MoCo: a queue of keys from a slowly moving copy of the network (He et al. 2020)."""

import copy

import torch
import torch.nn.functional as F
from torch import LongTensor, Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from covidlib.data.batches import Batch
from covidlib.data.seeds import generator
from covidlib.settings.contrastive import MocoSettings
from covidlib.training.contrastive import Contrastive
from covidlib.training.contrastive_losses import info_nce
from covidlib.training.data import TrainingData


class Moco(Contrastive):
    """Momentum contrast, also the image-scale branch of SSTL-M (msatl sec. 5.2).

    The key encoder normalises by running statistics, which follow those of the query encoder as
    its weights do (Cai et al. 2021). A key then depends on its own image alone, so it cannot tell
    the query which batch it comes from: the leak that MoCo shuffles images between GPUs against.

    The state, key encoder and queue, lies in the module's buffers and parts, so a resumed run has
    it.
    """

    def __init__(
        self, network: nn.Module, settings: MocoSettings, data: TrainingData, seed: int
    ) -> None:
        super().__init__(network, settings, data, seed)
        self.key_network = copy.deepcopy(self.network).requires_grad_(False)
        self.key_head = copy.deepcopy(self.head).requires_grad_(False)
        start = torch.randn(settings.queue, settings.projection, generator=generator("queue", seed))
        self.register_buffer("queue", F.normalize(start, dim=1))  # (Q, D)
        self.register_buffer("queue_rows", torch.full((settings.queue,), -1))  # images of the keys
        self.register_buffer("place", torch.zeros((), dtype=torch.int64))  # of the oldest key

    def on_train_start(self) -> None:
        """Start a new run's key encoder from the query encoder, which a stage may have set."""
        for slow, fast in self.encoders:
            if self.global_step == 0:
                slow.load_state_dict(fast.state_dict())
            slow.eval()

    @property
    def encoders(self) -> list[tuple[nn.Module, nn.Module]]:
        """Parts of the key encoder, each beside its part of the query encoder."""
        return [(self.key_network, self.network), (self.key_head, self.head)]

    def batch_loss(self, batch: Batch, step: int) -> Tensor:
        """Return the contrastive loss and put the batch's keys into the queue."""
        self.follow(self.settings.key_momentum)
        queries = self.project(self.augmented(batch, step).images)
        keys = self.keys(self.augmented(batch, step, view=1).images)
        own = self.queue_rows == batch.index[:, None]  # (N, Q)
        loss = info_nce(
            queries,
            keys,
            self.queue.clone(),  # of this step; the backward pass comes after the queue moved on
            self.settings.temperature,
            self.settings.tempered,
            ignore=None if self.settings.own_keys else own,
        )
        self.enqueue(keys, batch.index)
        return loss

    @torch.no_grad()
    def keys(self, images: Tensor) -> Tensor:
        """Return the key encoder's unit vectors, float32, without gradient, (N, D)."""
        return F.normalize(self.key_head(self.key_network.embed(images)).float(), dim=1)

    @torch.no_grad()
    def follow(self, momentum: float) -> None:
        """Move the key encoder towards the query encoder, equation 3 (msatl sec. 5.2).

        Running statistics of random weights are far from those of trained ones, so they follow
        faster during the first steps.
        """
        average, steps = get_ema_multi_avg_fn(momentum), self.global_step
        early = get_ema_multi_avg_fn(min(momentum, (1 + steps) / (10 + steps)))
        for slow, fast in self.encoders:
            average(list(slow.parameters()), list(fast.parameters()), None)
            if statistics := [b for b in slow.buffers() if b.is_floating_point()]:
                early(statistics, [b for b in fast.buffers() if b.is_floating_point()], None)

    @torch.no_grad()
    def enqueue(self, keys: Tensor, rows: LongTensor) -> None:
        """Replace the oldest keys by new ones, first in, first out.

        Args:
            keys: unit vectors; of more than the queue holds, the last ones stay. Shape: (N, D).
            rows: the images they belong to. Shape: (N,).
        """
        size = len(self.queue)
        last = min(len(keys), size)
        places = (self.place + len(keys) - last + torch.arange(last, device=keys.device)) % size
        self.queue[places] = keys[-last:].to(self.queue.dtype)
        self.queue_rows[places] = rows[-last:]
        self.place.copy_((self.place + len(keys)) % size)
