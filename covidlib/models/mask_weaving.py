"""Map pools and products woven into the traced graph of a network (manet, sec. 3.3)."""

import operator
import re

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

from covidlib.models.mask_pooling import Path, extend, pooling, step_from, step_of, widest

SPATIAL = (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d)
POINTWISE = (nn.BatchNorm2d, nn.ReLU, nn.Dropout, nn.Dropout2d, nn.Identity)
POINTWISE_FUNCTIONS = (F.relu, torch.relu)
SUMS = (operator.add, operator.iadd, torch.add)
POOLS = (F.max_pool2d, F.avg_pool2d)
ENDS = (F.adaptive_avg_pool2d, torch.flatten)  # positions are gone, and maps with them
LAST = "last_features"


class Product(nn.Module):
    """Features times their map, ⊙ of equation 1."""

    def forward(self, features: Tensor, weights: Tensor) -> Tensor:
        """Return the product, in place; features (N, C, H, W), weights (1, N, H, W)."""
        # No layer before a product needs its own output for its gradient, and a copy of the first
        # features is what the product would cost most. A float32 map would raise bfloat16.
        return features.mul_(weights.transpose(0, 1).to(features.dtype))


class _InPlaceSums(fx.Proxy):
    """Stands for features while a network is traced; ``a += b`` stays what it is."""

    def __iadd__(self, other: fx.Proxy) -> fx.Proxy:
        return self.tracer.create_proxy(
            "call_function", operator.iadd, (self, other), {}, name="add"
        )


class _Tracer(fx.Tracer):
    """Traces as fx does, which by itself takes new memory for every sum."""

    def proxy(self, node: fx.Node) -> fx.Proxy:
        return _InPlaceSums(node, self)


class Weaver:
    """Puts pools and products into the traced graph of one network."""

    def __init__(self, network: nn.Module, borders: str) -> None:
        self.network = fx.GraphModule(network, _Tracer().trace(network))
        self.network.add_submodule("mask_product", Product())
        self.network.add_submodule(LAST, nn.Identity())
        self.graph, self.borders = self.network.graph, borders
        self.paths: dict[str, Path] = {}
        self.products: dict[str, Path] = {}
        self.names: dict[fx.Node, str] = {}
        self.due: set[fx.Node] = set()
        self.branches = _inside_concatenations(self.graph)
        images = next(node for node in self.graph.nodes if node.op == "placeholder")
        with self.graph.inserting_after(images):
            mask = self.graph.placeholder("mask")
        self.maps: dict[Path, fx.Node] = {(): mask}
        self.carried: dict[fx.Node, Path] = {images: ()}
        for node in list(self.graph.nodes):
            if any(source in self.carried for source in node.all_input_nodes):
                self._visit(node)
        self.graph.lint()
        self.network.recompile()

    def _visit(self, node: fx.Node) -> None:
        layer = self.network.get_submodule(node.target) if node.op == "call_module" else None
        path = self.carried[node.all_input_nodes[0]]
        if isinstance(layer, SPATIAL) or node.target in POOLS:
            path = self._step(node, layer, path)
        elif node.target in SUMS or node.target is torch.cat:
            path = widest(self.carried[source] for source in node.all_input_nodes)
            self.paths[self._name(node)] = path
            if node.target is torch.cat and node not in self.branches:
                self.due.add(node)
        elif isinstance(layer, nn.AdaptiveAvgPool2d) or node.target in ENDS:
            return self._mark_last(node)
        elif not isinstance(layer, POINTWISE) and node.target not in POINTWISE_FUNCTIONS:
            raise TypeError(f"no rule for receptive fields after {layer or node.target}")
        self.carried[node] = path
        if node in self.due:
            self._multiply(node, path)

    def _step(self, node: fx.Node, layer: nn.Module | None, path: Path) -> Path:
        """Extend the path, and note where the product of a convolution belongs."""
        if layer is None:
            names = dict(zip(("kernel_size", "stride", "padding"), node.args[1:], strict=False))
            step = step_from(**names | node.kwargs)
        else:
            step = step_of(layer)
        path = extend(path, step)
        self.paths[self._name(node)] = path
        if isinstance(layer, nn.Conv2d) and step.grows and node not in self.branches:
            self.due.add(self._normalised(node))
        return path

    def _normalised(self, convolution: fx.Node) -> fx.Node:
        """Return the batch norm of a convolution, or the convolution if it has none."""
        user = next(iter(convolution.users))
        follows = user.op == "call_module" and len(convolution.users) == 1
        norm = follows and isinstance(self.network.get_submodule(user.target), nn.BatchNorm2d)
        return user if norm else convolution

    def _multiply(self, node: fx.Node, path: Path) -> None:
        with self.graph.inserting_before(node):
            weights = self._map(path)
        with self.graph.inserting_after(node):
            product = self.graph.call_module("mask_product", (node, weights))
        node.replace_all_uses_with(product, lambda user: user is not product)
        self.carried[product] = path
        self.products[self._name(node)] = path

    def _map(self, path: Path) -> fx.Node:
        """Return the node of a map; equal paths share one, unused ones never come to be."""
        if path not in self.maps:
            before = self._map(path[:-1])
            name = f"mask_pools.{len(self.maps) - 1}"
            self.network.add_submodule(name, pooling(path[-1], self.borders))
            self.maps[path] = self.graph.call_module(name, (before,))
        return self.maps[path]

    def _mark_last(self, node: fx.Node) -> None:
        with self.graph.inserting_before(node):
            last = self.graph.call_module(LAST, (node.all_input_nodes[0],))
        node.replace_input_with(node.all_input_nodes[0], last)

    def _name(self, node: fx.Node) -> str:
        """Return "layer1.0.conv2", or for functions "layer1.0.add", then "layer1.0.add_2"."""
        if node.op == "call_module":
            return node.target
        if node not in self.names:
            *_, (scope, _) = node.meta["nn_module_stack"].values()
            kind = re.sub(r"_\d+$", "", node.name)
            count = sum(name.startswith(f"{scope}.{kind}") for name in self.names.values())
            self.names[node] = f"{scope}.{kind}_{count + 1}" if count else f"{scope}.{kind}"
        return self.names[node]


def _inside_concatenations(graph: fx.Graph) -> set[fx.Node]:
    """Return the nodes of branches, from where they part to where they are concatenated."""
    order = {node: number for number, node in enumerate(graph.nodes)}
    inside: set[fx.Node] = set()
    for node in graph.nodes:
        if node.target is not torch.cat:
            continue
        # Going back, the latest node first, until all branches have met in one.
        waiting = set(node.all_input_nodes)
        while len(waiting) > 1:
            latest = max(waiting, key=order.__getitem__)
            inside.add(latest)
            waiting = (waiting - {latest}) | set(latest.all_input_nodes)
    return inside
