"""Blocks with mask attention as traced (``notebooks/manet/mask_attention.py``)."""

import re
from collections.abc import Sequence

from matplotlib.axes import Axes
from torch import fx, nn

from covidlib import figures
from covidlib.mask_findings import masked

BLOCKS = {
    "VGG block": ("vgg16", r"features\.[012]"),
    "basic block": ("resnet34", r"layer1\.1"),
    "bottleneck": ("resnet50", r"layer1\.1"),
    "Inception module": ("inceptionv3", r"Mixed_5b"),
}
COLOURS = {"map": figures.PALETTE[1], "grows": figures.PALETTE[0], "other": "#777777"}


def draw_blocks(axes: Sequence[Axes]) -> None:
    """Draw one block of each network from its traced graph (manet, figure 5, redrawn)."""
    for ax, (title, (backbone, scope)) in zip(axes, BLOCKS.items(), strict=True):
        columns = _columns(masked(backbone).backbone, scope)
        trunk = columns.pop("")
        depth = max((len(labels) for labels in columns.values()), default=0)
        for place, labels in enumerate(columns.values()):
            _boxes(ax, place, 0, labels)
        _boxes(ax, (len(columns) - 1) / 2 if columns else 0, -depth, trunk)
        ax.set(xlim=(-0.6, max(len(columns), 1) - 0.4), ylim=(-10.7, 0.7), title=title)
        ax.set_axis_off()


def _columns(network: fx.GraphModule, scope: str) -> dict[str, list[str]]:
    """Return the labels of a block's operations, top down, by branch; "" is the trunk."""
    columns: dict[str, list[str]] = {}
    branches: dict[fx.Node, str] = {}
    for node in network.graph.nodes:
        stack = node.meta.get("nn_module_stack", {})
        where = next(reversed(stack.values()))[0] if stack else ""
        source = next(iter(node.all_input_nodes), None)
        if re.match(rf"{scope}(\.|$)", where):
            # A pool called as a function is written in the module, and belongs to its one user.
            user = next(iter(node.users))
            inner = user.target if "pool" in node.name and node.op == "call_function" else where
            found = re.search(r"\.(branch_?[a-z0-9]+)", inner)
            branches[node] = found[1] if found else ""
        elif node.target == "mask_product" and source in branches:
            branches[node] = branches[source]
        if node in branches:
            columns.setdefault(branches[node], []).append(_label(network, node))
    return {"": columns.pop("", [])} | columns


def _label(network: fx.GraphModule, node: fx.Node) -> str:
    layer = network.get_submodule(node.target) if node.op == "call_module" else None
    if node.target == "mask_product":
        return "⊙ map"
    if isinstance(layer, nn.Conv2d):
        return "conv {}×{}".format(*layer.kernel_size)
    if isinstance(layer, nn.BatchNorm2d):
        return "BN"
    kinds = {"relu": "ReLU", "add": "+ shortcut", "cat": "concatenate", "avg_pool2d": "mean pool"}
    word = type(layer).__name__.lower() if layer is not None else re.sub(r"_\d+$", "", node.name)
    return kinds.get(word, word)


def _boxes(ax: Axes, x: float, top: int, labels: Sequence[str]) -> None:
    for line, label in enumerate(labels):
        grows = label.startswith("conv") and label != "conv 1×1"
        colour = COLOURS["map" if label == "⊙ map" else "grows" if grows else "other"]
        box = {"facecolor": colour, "edgecolor": "none", "boxstyle": "round,pad=0.3"}
        ax.text(x, top - line, label, ha="center", va="center", color="white", fontsize=8, bbox=box)
