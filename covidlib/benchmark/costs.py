"""What one image costs: parameters, multiply-adds, milliseconds."""

from dataclasses import dataclass

import numpy as np
import torch

from covidlib.clock import own_clock, wait
from covidlib.models.cost import cost
from covidlib.settings import NetworkSettings
from covidlib.training.fit import Resources
from covidlib.training.method import Inputs
from covidlib.training.precision import autocast
from covidlib.training.supervised import logits

BATCHES = (1, 16)
WARM = 2  # rounds that choose kernels and fill caches


@dataclass(frozen=True)
class Price:
    """What a network costs for one image.

    Args:
        parameters: trainable numbers.
        multiply_adds: of convolutions, linear layers and attention.
        milliseconds: for one image, by images at once; lower quartile, median, upper quartile.
    """

    parameters: int
    multiply_adds: int
    milliseconds: dict[int, tuple[float, float, float]]


def count(settings: NetworkSettings, size: int) -> tuple[int, int]:
    """Return parameters and multiply-adds of one forward pass, without computing anything.

    >>> from covidlib.models.plain_classifiers import PlainSettings
    >>> count(PlainSettings("resnet50"), 224)
    (23512130, 4087140352)
    """
    with torch.device("meta"):
        network = settings.build(2)
        images, lungs = torch.empty(1, 3, size, size), torch.empty(1, 1, size, size).bool()
        inputs = (images, lungs) if getattr(network, "needs_lungs", False) else (images,)
        found = cost(network, *inputs)
    return found.parameters, found.multiply_adds


@torch.no_grad()
def times_of(settings: NetworkSettings, size: int, rounds: int) -> dict[int, np.ndarray]:
    """Return milliseconds per image of each round, by images at once.

    As in scoring: bfloat16, evaluation mode. Reading an image is not included, nor, for mask
    attention, the segmentation before it.
    """
    device = Resources().device
    network = settings.build(2).to(device, memory_format=torch.channels_last).eval()
    clock, found = own_clock(device), {}
    for batch in BATCHES:
        images = torch.randn(batch, 3, size, size, device=device)
        lungs = torch.ones(batch, 1, size, size, dtype=torch.bool, device=device)
        taken = []
        for _ in range(WARM + rounds):
            start = clock()
            with autocast(device, "bf16-mixed"):
                logits(network, Inputs(images, lungs))
            wait(device)
            taken.append(1000 * (clock() - start) / batch)
        found[batch] = np.array(taken[WARM:])
    return found


def price(settings: NetworkSettings, size: int, rounds: int = 7) -> Price:
    """Return what a network costs at one size of image."""
    quartiles = {
        batch: tuple(float(v) for v in np.quantile(times, (0.25, 0.5, 0.75)))
        for batch, times in times_of(settings, size, rounds).items()
    }
    return Price(*count(settings, size), quartiles)
