"""What a step of SSTL-M costs beside its compute ceiling, and what fused attention saves.

    python benchmarks/sstlm.py --size 112 --batch 16

The ceiling is the same query and key encoders, heads, queue, losses and optimiser on constant views
and regions that are already on the device: what is left is cropping, augmenting and the loop. Both
take turns, in changing order; the table shows medians, and the ratio is the median of the ratios
within a round. On a CPU the times are those that this process got, of all its threads together,
since others on the machine must not count.

Memory of attention is what one layer of res3 keeps for its backward pass.
"""

# turns first: it lets torchvision import beside a CPU torch.
from turns import Contestant, chosen_device, described, in_the_loop, measure

# isort: split
from typing import Annotated

import torch
import typer
from rich.console import Console
from rich.table import Table
from throughput import CEILING, random_data, show
from torch import Tensor

from covidlib.clock import own_clock
from covidlib.data.batches import Batch
from covidlib.models.attention import SelfAttention
from covidlib.models.attention_resnet import CHANNELS, AttentionResNetSettings
from covidlib.settings import SstlmSettings
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
        with autocast(device, method.settings.precision):
            loss = method.batch_loss(batch, 0)
        method.terms.clear()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield


def by_equation(layer: SelfAttention, features: Tensor) -> Tensor:
    """Return what the layer returns, with the matrix of equation 1 written out."""
    mixed = layer.value(features).flatten(2) @ layer.attention_map(features).transpose(1, 2)
    return features + layer.out(mixed.unflatten(2, features.shape[2:]))


def kept_bytes(layer: SelfAttention, features: Tensor, explicit: bool) -> int:
    """Return how many bytes a layer keeps for its backward pass, weights and input left out."""
    found: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        found[storage.data_ptr()] = storage.nbytes()
        return tensor

    given = {p.untyped_storage().data_ptr() for p in (*layer.parameters(), features)}
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        out = by_equation(layer, features) if explicit else layer(features)
    kept = sum(size for place, size in found.items() if place not in given)
    del out
    return kept


def memory_table(sizes: tuple[int, ...], device: torch.device) -> Table:
    """Compare the fused kernel with explicit matrices in one res3 layer of R-50, one image."""
    title = "kept for the backward pass by one layer of res3, one image, MB"
    table = Table("pixels", "matrix", "explicit", "fused", "ratio", title=title)
    channels = CHANNELS[50][1]
    for size in sizes:
        side = size // 8
        # As in training: in the other layout torch has no fused kernel and writes the matrix out.
        layer = SelfAttention(channels).to(device, memory_format=torch.channels_last)
        features = torch.randn(1, channels, side, side, device=device)
        features = features.to(memory_format=torch.channels_last)
        explicit, fused = (kept_bytes(layer, features, way) / 1e6 for way in (True, False))
        cells = (f"{4 * side**4 / 1e6:.1f}", f"{explicit:.1f}", f"{fused:.1f}")
        table.add_row(str(size), *cells, f"{explicit / fused:.1f}")
    return table


def main(
    size: Annotated[int, typer.Option(help="Side of the network's input, pixels.")] = 112,
    batch: Annotated[int, typer.Option(help="Images per step.")] = 16,
    regions: Annotated[int, typer.Option(help="Images per step whose lobes are learnt.")] = 4,
    depth: Annotated[int, typer.Option(help="50 or 101.")] = 50,
    rounds: Annotated[int, typer.Option(help="Turns of each contestant.")] = 4,
    steps: Annotated[int, typer.Option(help="Steps per turn.")] = 1,
    device: Annotated[str, typer.Option(help="cpu, cuda; the best there is if empty.")] = "",
) -> None:
    """Compare a step of SSTL-M with its compute ceiling, and the memory of two attentions."""
    chosen = chosen_device(device)
    settings = SstlmSettings(
        size=size, batch=batch, lr=1e-3, epochs=10**6, region_images=regions, drop_last=True
    )
    network, data = AttentionResNetSettings(depth), random_data(size)
    contestants = {
        CEILING: ceiling(Constant(network.build(2), settings, data, 0), chosen),
        OURS: in_the_loop(Sstlm(network.build(2), settings, data, 0), chosen),
    }
    seconds = measure(contestants, rounds, steps, chosen, own_clock(chosen))
    title = f"SSTL-M, R-{depth}, {size} pixels, batch {batch}, {regions} with lobes"
    console = Console()
    console.print(show(seconds, batch, f"{title}, {described(chosen)}"))
    console.print(memory_table((224, 512), chosen))


if __name__ == "__main__":
    typer.run(main)
