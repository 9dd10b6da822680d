"""What a network costs: parameters, and operations counted as manet Table 3 counts them.

Torch's own counter sees matrix products and convolutions. The paper's numbers also hold batch
norms, biases of convolutions and average pools, so those are added here, each by the rule under
which all ten printed numbers come out. Like the paper, nothing counts activations, maximum pools,
sums and products element by element; ``Cost.products`` says how many of the last mask attention
makes.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from covidlib.models.cxr_classifiers import CxrClassifierSettings
from covidlib.models.mask_weaving import Product

SIZE = 512  # pixels a side; with one channel it fits manet Table 3, which does not give it


@dataclass(frozen=True)
class Cost:
    """Parameters and operations of one network for one image.

    Args:
        parameters: trainable numbers.
        multiply_adds: of convolutions and linear layers; one multiply-add is one operation.
        biases: one operation for each output element of a convolution with a bias.
        norms: two operations for each element of a batch norm.
        global_pools: k·k + 1 operations for each output of an adaptive average pool over k×k.
        map_pools: one operation for each element of an average-pooled mask map.
        products: elements that mask attention multiplies; not part of ``operations``.
    """

    parameters: int
    multiply_adds: int
    biases: int
    norms: int
    global_pools: int
    map_pools: int
    products: int

    @property
    def operations(self) -> int:
        """What manet Table 3 calls FLOPs."""
        return self.multiply_adds + self.biases + self.norms + self.global_pools + self.map_pools


def cost(network: nn.Module, *inputs: Tensor) -> Cost:
    """Count one forward pass, in evaluation mode.

    Args:
        network: on the device of the inputs; on "meta" nothing is computed or allocated.
        inputs: what the network is called with, for one image.
    """
    was_training = network.training
    network.eval()
    counter = FlopCounterMode(display=False)
    with _counting(network) as found, counter, torch.no_grad():
        network(*inputs)
    network.train(was_training)
    return Cost(
        parameters=sum(p.numel() for p in network.parameters() if p.requires_grad),
        multiply_adds=counter.get_total_flops() // 2,  # torch counts a multiply-add as two
        **found,
    )


def cost_of(settings: CxrClassifierSettings, size: int = SIZE, classes: int = 5) -> Cost:
    """Count one of manet's networks without allocating it.

    >>> found = cost_of(CxrClassifierSettings("resnet34"))
    >>> found.parameters, found.operations
    (21280965, 18766760960)
    """
    with torch.device("meta"):
        network = settings.build(classes)
        images = torch.empty(1, settings.channels, size, size)
        return cost(network, images, torch.empty(1, size, size, dtype=torch.bool))


Rule = Callable[[nn.Module, Tensor, Tensor], int]


def _bias(layer: nn.Module, _: Tensor, output: Tensor) -> int:
    return 0 if layer.bias is None else output.numel()


def _global_pool(_: nn.Module, inputs: Tensor, output: Tensor) -> int:
    window = (inputs.shape[2] // output.shape[2]) * (inputs.shape[3] // output.shape[3])
    return output.numel() * (window + 1)


# Which layers count towards which part of the cost, and how.
RULES: dict[str, tuple[type[nn.Module], Rule]] = {
    "biases": (nn.Conv2d, _bias),
    "norms": (nn.BatchNorm2d, lambda _layer, inputs, _output: 2 * inputs.numel()),
    "global_pools": (nn.AdaptiveAvgPool2d, _global_pool),
    "map_pools": (nn.AvgPool2d, lambda _layer, _inputs, output: output.numel()),
    "products": (Product, lambda _layer, _inputs, output: output.numel()),
}


@contextmanager
def _counting(network: nn.Module) -> Iterator[dict[str, int]]:
    """Count by ``RULES`` while the network runs."""
    found = dict.fromkeys(RULES, 0)
    hooks = []
    for part, (kind, rule) in RULES.items():

        def count(layer, inputs, output, part=part, rule=rule):
            found[part] += rule(layer, inputs[0], output)

        hooks += [m.register_forward_hook(count) for m in network.modules() if isinstance(m, kind)]
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()
