"""Images per second: the compute ceiling, and what data and augmentation leave of it.

    python benchmarks/throughput.py --size 112 --batch 32

The ceiling is the same network, optimiser and precision on one constant batch that is already on
the device. Contestants take turns, in changing order, so that a slow minute of the machine hits all
of them; the table shows medians, and each ratio is the median of the ratios within a round.
"""

# turns first: it lets torchvision import beside a CPU torch.
from turns import Contestant, chosen_device, described, in_the_loop, measure

# isort: split
import copy
import itertools
import statistics
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from typing import Annotated

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
import typer
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision import models
from torchvision.transforms import v2

from covidlib.data.augmentation import MSATL_CT, apply, draw, to_model_input
from covidlib.data.batches import epoch_order
from covidlib.data.cache import Cached
from covidlib.data.table import COLUMNS
from covidlib.data.table import Dataset as TableOf
from covidlib.settings import SupervisedSettings
from covidlib.training.convolutions import fast_convolutions
from covidlib.training.data import TrainingData
from covidlib.training.method import FUSED
from covidlib.training.supervised import Supervised

IMAGES = 256  # enough for epochs to turn over; the pixels' values cost nothing
CEILING = "compute ceiling"
DATA_ONLY = ": data only"  # ends the names of contestants that train nothing
LabelledBatch = tuple[Tensor, Tensor]


def ceiling(
    model: nn.Module, size: int, batch: int, device: torch.device, *, products: bool = True
) -> Contestant:
    """Train on one constant batch on the device: forward, backward, SGD; bf16, channels last.

    Args:
        model: takes (N, 3, size, size), returns logits of two classes; it is trained in place.
        size, batch: side in pixels and images per step.
        device: where the model is put.
        products: whether convolutions of small maps are matrix products on a CPU.
    """
    images = torch.rand(batch, 3, size, size, device=device)
    images = images.to(memory_format=torch.channels_last)
    labels = torch.arange(batch, device=device) % 2
    return training(model, itertools.repeat((images, labels)), device, products=products)


def training(
    model: nn.Module,
    batches: Iterable[LabelledBatch],
    device: torch.device,
    *,
    products: bool = True,
) -> Contestant:
    """Train on batches of model inputs, one step at each next()."""
    model = model.to(device, memory_format=torch.channels_last).train()
    optimiser = torch.optim.SGD(
        model.parameters(), lr=1e-3, momentum=0.9, weight_decay=1e-4, fused=device.type in FUSED
    )
    for images, labels in batches:
        faster = fast_convolutions(device) if products else nullcontext()
        with torch.autocast(device.type, torch.bfloat16), faster:
            loss = F.cross_entropy(model(images).float(), labels)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        yield


def on_device(size: int, batch: int, device: torch.device) -> Iterator[LabelledBatch]:
    """Yield model inputs as covidlib makes them: rows on the device, augmented there."""
    images = random_data(size).on(device)
    for epoch in itertools.count():
        order = epoch_order(IMAGES, batch, seed=0, epoch=epoch, drop_last=True)
        for step, rows in enumerate(images.iterate(order)):
            draws = draw(MSATL_CT, batch, (0, epoch, step))
            augmented = apply(MSATL_CT, rows.image, draws, size=size)
            yield to_model_input(augmented, "unit"), rows.label


def ours(model: nn.Module, size: int, batch: int) -> Supervised:
    """Return the library's own way to train a network on noise."""
    settings = SupervisedSettings(
        size=size, augmentation=MSATL_CT, normalisation="unit", batch=batch, epochs=10**6, lr=1e-3
    )
    return Supervised(model, settings, random_data(size), seed=0)


class PerImage(Dataset):
    """The same operations, image by image, as a Dataset of the usual kind does them.

    Args:
        size: side of the crop in pixels.
    """

    def __init__(self, size: int) -> None:
        self.pixels = torch.from_numpy(random_pixels(size))
        jitter = [v2.ColorJitter(brightness=0.4), v2.ColorJitter(contrast=0.4)]
        steps = [v2.RandomCrop(size), v2.RandomHorizontalFlip(), v2.ToDtype(torch.float32, True)]
        self.transform = v2.Compose(steps + [v2.RandomApply([step], p=0.5) for step in jitter])

    def __len__(self) -> int:
        return IMAGES

    def __getitem__(self, row: int) -> tuple[Tensor, int]:
        return self.transform(self.pixels[row][None]).expand(3, -1, -1), row % 2


def per_image(size: int, batch: int, device: torch.device, workers: int) -> Iterator[LabelledBatch]:
    """Yield model inputs of per-image torchvision transforms in a DataLoader.

    While the others have their turn its workers read ahead, one batch each: a gift to it.
    """
    loader = DataLoader(
        PerImage(size),
        batch,
        shuffle=True,
        drop_last=True,
        num_workers=workers,
        persistent_workers=workers > 0,
        prefetch_factor=1 if workers else None,
        pin_memory=device.type == "cuda",
    )
    while True:
        for images, labels in loader:
            inputs = images.to(device, memory_format=torch.channels_last, non_blocking=True)
            yield inputs, labels.to(device, non_blocking=True)


def random_data(size: int) -> TrainingData:
    """Return noise as the images of a run, all of them for training."""
    names = [f"{number}.png" for number in range(IMAGES)]
    table = pd.DataFrame({column: pd.array([None] * IMAGES, dtype="string") for column in COLUMNS})
    table = table.assign(sample=names, path=names, split="train")
    table["label"] = pd.array(["a", "b"] * (IMAGES // 2), dtype="string")
    known = np.zeros(IMAGES, dtype=bool)
    cached = Cached(random_pixels(size), None, None, known, known, table, (), folder=None)
    return TrainingData(TableOf("noise", table, ("a", "b")), cached, table)


def random_pixels(size: int) -> np.ndarray:
    """Return uint8 noise at the size a crop of ``size`` pixels is taken from (N, S, S)."""
    side = round(size / MSATL_CT.crop.low)
    return np.random.default_rng(0).integers(0, 256, (IMAGES, side, side), dtype=np.uint8)


def show(seconds: dict[str, list[float]], batch: int, title: str) -> Table:
    """Return a table of medians, their range, and the share of the ceiling."""
    table = Table("", "ms per step", "range", "images/s", "of the ceiling", title=title)
    for name, times in seconds.items():
        shares = [c / t for c, t in zip(seconds[CEILING], times, strict=True)]
        share = "" if name.endswith(DATA_ONLY) else f"{statistics.median(shares):.3f}"
        middle = statistics.median(times)
        table.add_row(
            name,
            f"{middle * 1e3:.1f}",
            f"{min(times) * 1e3:.1f} to {max(times) * 1e3:.1f}",
            f"{batch / middle:,.1f}",
            share,
        )
    return table


def main(
    size: Annotated[int, typer.Option(help="Side of the network's input, pixels.")] = 112,
    batch: Annotated[int, typer.Option(help="Images per step.")] = 32,
    network: Annotated[str, typer.Option(help="A torchvision classifier.")] = "resnet50",
    rounds: Annotated[int, typer.Option(help="Turns of each contestant.")] = 5,
    steps: Annotated[int, typer.Option(help="Steps per turn.")] = 2,
    workers: Annotated[int, typer.Option(help="Processes of the per-image loader.")] = 2,
    device: Annotated[str, typer.Option(help="cpu, cuda; the best there is if empty.")] = "",
) -> None:
    """Compare training throughput with the compute ceiling."""
    if not 1 <= batch <= IMAGES:
        raise typer.BadParameter(f"batch is 1 to {IMAGES}")
    chosen = chosen_device(device)
    model = models.get_model(network, weights=None, num_classes=2)

    def fresh() -> nn.Module:
        return copy.deepcopy(model)

    bare = on_device(size, batch, chosen)
    theirs = per_image(size, batch, chosen, workers)
    contestants = {
        CEILING: ceiling(fresh(), size, batch, chosen),
        "PyTorch's convolutions": ceiling(fresh(), size, batch, chosen, products=False),
        "covidlib": in_the_loop(ours(fresh(), size, batch), chosen),
        "covidlib, bare loop": training(fresh(), bare, chosen),
        f"per image, {workers} workers": training(fresh(), theirs, chosen),
        f"covidlib{DATA_ONLY}": on_device(size, batch, chosen),
        f"per image, 0 workers{DATA_ONLY}": per_image(size, batch, chosen, 0),
    }
    seconds = measure(contestants, rounds, steps, chosen)
    title = f"{network}, {size} pixels, batch {batch}, {described(chosen)}"
    Console().print(show(seconds, batch, title))


if __name__ == "__main__":
    typer.run(main)
