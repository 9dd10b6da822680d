"""What one MAG-SD step costs beside four plain steps of the same backbone.

    python benchmarks/magsd.py --size 224 --batch 16 --batch 32
    python benchmarks/magsd.py --keep book/results/magsd/cost

The second keeps the times, which the page on the views shows.

Four views pass the network in one MAG-SD step, so four plain training steps on as many images are
the floor. Contestants take turns, another one begins each round; the table shows medians, and each
ratio is the median of the ratios within a round. On a CPU the times are those that this process
got, of all its threads together, since others on the machine must not count. The views alone are
timed likewise, against a loop over images. A MAG-SD step is also watched for operations that make
the host wait for its device: by CUDA on a GPU, elsewhere by what those operations are. With
``--variants`` steps whose views pass the network one by one, and steps whose views are made image
by image, take turns too.

On a CPU with glibc most of what a step costs beyond its floor is the system's: freed memory goes
back to it and must be cleared anew, and the larger batch of all views asks for larger pieces. A
process that is told to keep what it frees needs 1.02 of the floor, but its memory grows from step
to step (from 0.6 to 1.4 GB in 240 steps of ResNet-50 at 64 pixels), so trainings are not told.
"""

# turns first: it lets torchvision import beside a CPU torch.
from turns import chosen_device, described, measure

# isort: split
import json
import statistics
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Annotated

import torch
import torch.nn.functional as F
import typer
from per_image_views import per_image_views
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torchvision import models

from covidlib.clock import own_clock
from covidlib.files import save
from covidlib.models.ma_net import MANetSettings
from covidlib.pages.magsd_cost import FLOOR, LOOP, OURS, STEP, VECTORISED
from covidlib.runs.provenance import hardware, software
from covidlib.settings import MAGSDSettings
from covidlib.training.attention_augmentation import draw_views, make_views
from covidlib.training.convolutions import fast_convolutions
from covidlib.training.magsd import magsd_loss, predict_views, view_losses
from covidlib.training.precision import autocast
from covidlib.waits import waits

APART, BY_IMAGE = f"{OURS}, views apart", f"{OURS}, views by image"
Views = Callable[[Tensor, Tensor, MAGSDSettings, Tensor], list[Tensor]]
Step = tuple[Tensor, Tensor, Tensor]  # images, labels, draws


def some(batch: int, size: int, device: torch.device) -> Step:
    """Return one constant batch on the device: what it shows costs nothing."""
    torch.manual_seed(0)
    images = torch.randn(batch, 1, size, size).expand(-1, 3, -1, -1)
    images = images.to(device, memory_format=torch.channels_last)
    shares = draw_views(batch, (0, 0, 0)).to(device)
    return images, torch.arange(batch, device=device) % 2, shares


def training(network: nn.Module, loss_of: Callable[[], Tensor], passes: int = 1) -> Iterator[None]:
    """Take steps of forward, backward and SGD; bf16, channels last."""
    network = network.train()
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-3, momentum=0.9)
    device = next(network.parameters()).device
    while True:
        for _ in range(passes):
            with autocast(device, "bf16-mixed"), fast_convolutions(device):
                loss = loss_of()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        yield


def plain(backbone: str, given: Step) -> Iterator[None]:
    """Take four steps of the torchvision network at a time."""
    images, labels, _ = given
    network = models.get_model(backbone, weights=None, num_classes=2)
    network = network.to(images.device, memory_format=torch.channels_last)
    return training(network, lambda: F.cross_entropy(network(images), labels), passes=4)


def magsd(
    backbone: str, given: Step, settings: MAGSDSettings, views: Views = make_views
) -> Iterator[None]:
    """Take MAG-SD steps, with one or the other way to make views."""
    images, labels, shares = given
    network = MANetSettings(backbone).build(2)
    network = network.to(images.device, memory_format=torch.channels_last)

    def loss() -> Tensor:
        if views is make_views:
            return magsd_loss(network, images, labels, shares, settings, grey=True)
        primary, maps = network.attend(images)
        with torch.no_grad():
            made = views(images[:, :1], maps, settings, shares)
        made = [view.expand_as(images) for view in made]
        predictions = predict_views(network, made, settings.joined).float()
        whole = view_losses(primary.float(), predictions, labels, settings).mean()
        return F.cross_entropy(primary.float(), labels) + whole

    return training(network, loss)


def alone(given: Step, settings: MAGSDSettings, views: Views) -> Iterator[None]:
    """Make the three views of a batch, from maps as MA-Net gives them."""
    images, _, shares = given
    side = max(1, images.shape[-1] // 32)
    maps = torch.randn(len(images), 32, side, side, device=images.device).relu()
    while True:
        with torch.no_grad():
            views(images[:, :1], maps, settings, shares)
        yield


def show(seconds: dict[str, list[float]], floor: str, title: str) -> Table:
    """Return a table of medians, their range, and the ratio to one of the contestants."""
    table = Table("", "ms", "range", f"times {floor}", title=title)
    for name, times in seconds.items():
        ratios = [own / base for own, base in zip(times, seconds[floor], strict=True)]
        table.add_row(
            name,
            f"{statistics.median(times) * 1e3:.1f}",
            f"{min(times) * 1e3:.1f} to {max(times) * 1e3:.1f}",
            f"{statistics.median(ratios):.3f}",
        )
    return table


def compare(
    network: str, size: int, count: int, rounds: int, device: torch.device, variants: bool = False
) -> dict[str, object]:
    """Time the steps of one batch size, and the views alone.

    Args:
        network: a torchvision classifier.
        size, count: side in pixels and images per step.
        rounds: turns of each contestant.
        device: where they run.
        variants: whether the other ways to make and to predict views take part.

    Returns:
        batch; steps and views, the seconds of each contestant's rounds; waits, how many operations
        of a MAG-SD step make the host wait.
    """
    clock, given = own_clock(device), some(count, size, device)
    joined, apart = MAGSDSettings(), MAGSDSettings(joined=False)
    steps = {FLOOR: plain(network, given), OURS: magsd(network, given, joined)}
    if variants:
        steps[APART] = magsd(network, given, apart)
        steps[BY_IMAGE] = magsd(network, given, joined, per_image_views)
    making = {
        VECTORISED: alone(given, joined, make_views),
        LOOP: alone(given, joined, per_image_views),
    }
    return {
        "batch": count,
        "steps": measure(steps, rounds, 1, device, clock),
        "views": measure(making, rounds, 5, device, clock),
        "waits": len(waits(partial(next, steps[OURS]), device)),
    }


def main(
    size: Annotated[int, typer.Option(help="Side of the network's input, pixels.")] = 224,
    batch: Annotated[list[int], typer.Option(help="Images per step; may be repeated.")] = (16, 32),
    network: Annotated[str, typer.Option(help="A torchvision classifier.")] = "resnet50",
    rounds: Annotated[int, typer.Option(help="Turns of each contestant.")] = 4,
    variants: Annotated[bool, typer.Option(help="Views apart and by image too.")] = False,
    device: Annotated[str, typer.Option(help="cpu, cuda; the best there is if empty.")] = "",
    keep: Annotated[Path | None, typer.Option(help="Folder to keep the times in.")] = None,
) -> None:
    """Compare a MAG-SD step with four plain steps, and its views with a loop over images."""
    chosen, console = chosen_device(device), Console()
    if keep and (keep / STEP.name).exists():
        raise typer.BadParameter(f"{keep / STEP.name} is there; remove it to measure again")
    if keep and software()["dirty"]:
        raise typer.BadParameter("the library differs from its commit; commit it first")
    body = {"network": network, "size": size, "threads": torch.get_num_threads(), "batches": []}
    for count in batch:
        found = compare(network, size, count, rounds, chosen, variants)
        body["batches"].append(found)
        title = f"{network}, {size} pixels, batch {count}, {described(chosen)}"
        console.print(show(found["steps"], FLOOR, title))
        console.print(f"host synchronisations in a MAG-SD step: {found['waits']}")
        console.print(show(found["views"], VECTORISED, title))
    if keep:
        body["provenance"] = software() | hardware(chosen)
        save(keep / STEP.name, json.dumps(body, indent=1) + "\n")


if __name__ == "__main__":
    typer.run(main)
