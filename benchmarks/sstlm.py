"""What a step of SSTL-M costs beside its compute ceiling, and what fused attention saves.

    python benchmarks/sstlm.py --size 112 --batch 16
    python benchmarks/sstlm.py --size 64 --batch 32 --rounds 9 --keep book/results/msatl/cost

The second keeps the times, which the page on SSTL-M shows.

The ceiling is the same query and key encoders, heads, queue, losses and optimiser on constant views
and regions that are already on the device: what is left is cropping, augmenting and the loop. Both
take turns, in changing order; the table shows medians, and the ratio is the median of the ratios
within a round. On a CPU the times are those that this process got, of all its threads together,
since others on the machine must not count.

Memory of attention is what the layers of R-50 keep for their backward pass.
"""

# turns first: it lets torchvision import beside a CPU torch.
from turns import Contestant, chosen_device, described, in_the_loop, measure

# isort: split
import json
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.console import Console
from rich.table import Table
from throughput import CEILING, random_data, show
from torch import Tensor

from covidlib.clock import own_clock
from covidlib.data.batches import Batch
from covidlib.files import save
from covidlib.models.attention_memory import matrix_bytes, network_bytes
from covidlib.models.attention_resnet import AttentionResNetSettings
from covidlib.pages.self_supervised_transfer import STEP
from covidlib.runs.provenance import hardware, software
from covidlib.settings import SstlmSettings
from covidlib.training.convolutions import fast_convolutions
from covidlib.training.method import Inputs
from covidlib.training.precision import autocast
from covidlib.training.sstlm import Sstlm, own_statistics

OURS = "covidlib"


class Constant(Sstlm):
    """SSTL-M whose views and regions never change."""

    def hold(self, device: torch.device) -> None:
        """Draw the views and regions once, on the device."""
        chosen = self.settings
        shape = (chosen.batch, 3, chosen.size, chosen.size)
        few = min(chosen.batch, chosen.region_images or chosen.batch)
        count = few * len(chosen.regions)
        layout = {"memory_format": torch.channels_last}
        self.views = [torch.randn(shape, device=device).to(**layout) for _ in range(2)]
        self.cut = torch.randn(count, *shape[1:], device=device).to(**layout)

    def augmented(self, batch: Batch, step: int, view: int = 0) -> Inputs:
        """Return a view that is already there."""
        return Inputs(self.views[view])

    def lobe_logits(self, batch: Batch, step: int) -> Tensor:
        """Return the classifier's outputs for regions that are already there."""
        with own_statistics(self.network):
            return self.lobes(self.cut).unflatten(0, (-1, len(self.settings.regions)))


def ceiling(method: Constant, device: torch.device) -> Contestant:
    """Take steps on constant inputs, without a loop around them."""
    method.to(device).hold(device)
    rows = torch.arange(method.settings.batch, device=device)
    batch = Batch(rows, torch.empty(len(rows), 0, device=device), rows)
    for slow, _ in method.encoders:
        slow.eval()
    optimizer = method.configure_optimizers()
    while True:
        with autocast(device, method.settings.precision), fast_convolutions(device):
            loss = method.batch_loss(batch, 0)
        method.terms.clear()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield


def memory_table(sizes: tuple[int, ...], device: torch.device) -> Table:
    """Compare the fused kernel with explicit matrices in all attention layers of R-50."""
    title = "kept for the backward pass by the attention layers of R-50, one image, MB"
    table = Table("layers", "pixels", "matrices", "explicit", "fused", "ratio", title=title)
    for variant in ("attn1", "attn5"):
        network = AttentionResNetSettings(50, variant)
        for size in sizes:
            explicit, fused = (
                network_bytes(network, size, way, str(device)) / 1e6 for way in (True, False)
            )
            matrices = matrix_bytes(network, size) / 1e6
            cells = (f"{value:.1f}" for value in (matrices, explicit, fused, explicit / fused))
            table.add_row(variant, str(size), *cells)
    return table


def main(
    size: Annotated[int, typer.Option(help="Side of the network's input, pixels.")] = 112,
    batch: Annotated[int, typer.Option(help="Images per step.")] = 16,
    regions: Annotated[int, typer.Option(help="Images per step whose lobes are learnt.")] = 4,
    depth: Annotated[int, typer.Option(help="50 or 101.")] = 50,
    rounds: Annotated[int, typer.Option(help="Turns of each contestant.")] = 4,
    steps: Annotated[int, typer.Option(help="Steps per turn.")] = 1,
    device: Annotated[str, typer.Option(help="cpu, cuda; the best there is if empty.")] = "",
    keep: Annotated[Path | None, typer.Option(help="Folder to keep the times in.")] = None,
) -> None:
    """Compare a step of SSTL-M with its compute ceiling, and the memory of two attentions."""
    chosen = chosen_device(device)
    if keep and (keep / STEP.name).exists():
        raise typer.BadParameter(f"{keep / STEP.name} is there; remove it to measure again")
    if keep and software()["dirty"]:
        raise typer.BadParameter("the library differs from its commit; commit it first")
    settings = SstlmSettings(
        size=size, batch=batch, lr=1e-3, epochs=10**6, region_images=regions, drop_last=True
    )
    network, data = AttentionResNetSettings(depth), random_data(size)
    contestants = {
        CEILING: ceiling(Constant(network.build(2), settings, data, 0), chosen),
        OURS: in_the_loop(Sstlm(network.build(2), settings, data, 0), chosen),
    }
    seconds = measure(contestants, rounds, steps, chosen, own_clock(chosen))
    if keep:
        body = {"ceiling": seconds[CEILING], "covidlib": seconds[OURS], "size": size}
        body |= {"batch": batch, "regions": regions, "depth": depth}
        body |= {"threads": torch.get_num_threads(), "provenance": software() | hardware(chosen)}
        save(keep / STEP.name, json.dumps(body, indent=1) + "\n")
    title = f"SSTL-M, R-{depth}, {size} pixels, batch {batch}, {regions} with lobes"
    console = Console()
    console.print(show(seconds, batch, f"{title}, {described(chosen)}"))
    console.print(memory_table((224, 512), chosen))


if __name__ == "__main__":
    typer.run(main)
