"""Training under one protocol for all papers: the methods as they are, the optimiser shared."""

import torch

from covidlib.settings import TrainingSettings
from covidlib.training.magsd import MAGSD
from covidlib.training.supervised import Supervised

SECOND = 0.999  # AdamW's second coefficient (Loshchilov and Hutter 2019)


class Protocol(Supervised):
    """Cross-entropy on labelled images, AdamW."""

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return AdamW as the settings ask."""
        return adamw(self.network, self.settings)


class ProtocolMAGSD(MAGSD):
    """Views made from attention and the soft distance (magsd sec. 3), AdamW."""

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return AdamW as the settings ask."""
        return adamw(self.network, self.settings)


def adamw(network: torch.nn.Module, settings: TrainingSettings) -> torch.optim.AdamW:
    """Return AdamW over all parameters of a network."""
    return torch.optim.AdamW(
        network.parameters(),
        lr=settings.lr,
        betas=(settings.momentum, SECOND),
        weight_decay=settings.weight_decay,
        fused=True,  # one pass over the weights: a step of AdamW then costs as much as one of SGD
    )
