"""SimCLR: the other images of the batch are the negatives (Chen et al. 2020)."""

import torch
from torch import Tensor

from covidlib.data.batches import Batch
from covidlib.training.contrastive import Contrastive
from covidlib.training.contrastive_losses import nt_xent


class Simclr(Contrastive):
    """The NT-Xent loss on two views of each image, one of msatl's baselines (sec. 6.4)."""

    def batch_loss(self, batch: Batch, step: int) -> Tensor:
        """Return the loss; both views pass in one batch, so batch norm sees them together."""
        views = [self.augmented(batch, step, view).images for view in (0, 1)]
        first, second = self.project(torch.cat(views)).chunk(2)
        return nt_xent(first, second, self.settings.temperature)
