"""Convolutional networks of torchvision as sources of feature maps at several scales."""

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor, nn
from torchvision import models

from covidlib.models.cxr_classifiers import narrow_stem

SIZE = 224  # pixels at which the scales are looked up; which layers end them does not depend on it
ENDS = (nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d, nn.AvgPool2d, nn.Flatten, nn.Dropout, nn.Linear)
INSTEAD = "a ResNet, VGG, DenseNet, EfficientNet, MobileNet, ConvNeXt or Inception"


@dataclass(frozen=True)
class Plan:
    """Which layers of a network give its feature maps.

    Args:
        layers: names, in the order in which they are called.
        taps: name of the last layer at each scale, the finest grid first.
        widths: channels at each of them.
        sides: of their grids, for an image of ``SIZE`` pixels.
    """

    layers: tuple[str, ...]
    taps: tuple[str, ...]
    widths: tuple[int, ...]
    sides: tuple[int, ...]


class Backbone(nn.Module):
    """A torchvision network without its classifier.

    "Layers before downsampling are selected" (magsd sec. 3.2.2): the last layer at each scale, of
    ResNet50 layer2, layer3 and layer4. The parameters keep torchvision's names under ``network``.

    Args:
        name: of a torchvision classifier whose layers follow each other up to the global pooling:
            ResNets, VGGs, DenseNets, Inception, EfficientNets and most other convolutional ones.
        scales: how many feature maps, counted from the deepest.
        channels: of the image; the first of the stem's three are kept.

    Raises:
        ValueError: torchvision has no such network, its layers cannot be followed from one map
            to the next (transformers), or it has fewer scales.

    Shape:
        images (N, C, H, W) with C at least ``channels``; the first of them are used.
    """

    def __init__(self, name: str, scales: int = 3, channels: int = 3) -> None:
        super().__init__()
        found = plan(name)
        if not 1 <= scales <= len(found.taps):
            raise ValueError(f"{name} has {len(found.taps)} scales, not {scales}")
        self.layers = found.layers
        self.taps, self.widths = found.taps[-scales:], found.widths[-scales:]
        self.channels = channels
        self.network = narrow_stem(_network(name), channels)
        used = {layer.split(".")[0] for layer in self.layers}
        for child in [child for child, _ in self.network.named_children() if child not in used]:
            delattr(self.network, child)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Return the feature maps, the finest grid first, each (N, width, H', W')."""
        maps, x = [], images[:, : self.channels]
        for name in self.layers:
            x = self.network.get_submodule(name)(x)
            if name in self.taps:
                maps.append(x)
        return maps

    @property
    def last(self) -> nn.Module:
        """The layer that gives the deepest feature map."""
        return self.network.get_submodule(self.taps[-1])


@lru_cache
def plan(name: str) -> Plan:
    """Find the layers of a torchvision network and its scales, without computing anything.

    Raises:
        ValueError: torchvision has no such network, or its layers cannot be followed.

    >>> plan("resnet18").taps[-3:], plan("resnet18").sides[-3:]
    (('layer2.1', 'layer3.1', 'layer4.1'), (28, 14, 7))
    """
    if name not in models.list_models(module=models):
        raise ValueError(f"torchvision has no classifier {name!r}")
    try:
        shapes = _shapes(name)
    except Exception as error:  # a layer that is called out of turn may raise anything
        raise ValueError(
            f"{name}: its layers cannot be followed from one map to the next; choose {INSTEAD}"
        ) from error
    last = {shape[-1]: (layer, shape[1]) for layer, shape in shapes.items()}
    taps, widths = zip(*last.values(), strict=True)
    return Plan(tuple(shapes), taps, widths, tuple(last))


def _shapes(name: str) -> dict[str, torch.Size]:
    """Return the shape of what each layer gives for an image of ``SIZE`` pixels, in their order.

    Raises:
        ValueError: one of them gives no square feature map, or a finer one than those before.
    """
    shapes, side = {}, SIZE
    with torch.device("meta"), torch.no_grad():
        try:
            network = _network(name).eval()
        except NotImplementedError:  # RegNets compute their widths with tensors
            with torch.device("cpu"):
                network = _network(name).eval()
            network = network.to("meta")
        x = torch.empty(1, 3, SIZE, SIZE)
        for layer in _layers(network):
            x = network.get_submodule(layer)(x)
            # Transformers put the channels last.
            if x.ndim != 4 or x.shape[-1] != x.shape[-2] or x.shape[-1] > side:
                raise ValueError(f"{layer} gives {tuple(x.shape)} after maps of side {side}")
            shapes[layer], side = x.shape, x.shape[-1]
    return shapes


def _network(name: str) -> nn.Module:
    # Auxiliary classifiers would stand among the layers; they are for training from scratch.
    branched = {"aux_logits": False, "init_weights": True}
    options = branched if name in ("inception_v3", "googlenet") else {}
    return models.get_model(name, weights=None, **options)


def _layers(network: nn.Module) -> list[str]:
    """Return the names of what is called in turn, up to the global pooling."""
    found: list[str] = []

    def visit(module: nn.Module, prefix: str) -> bool:
        for child, layer in module.named_children():
            if isinstance(layer, ENDS):
                return False
            if type(layer) is nn.Sequential:
                if not visit(layer, f"{prefix}{child}."):
                    return False
            else:
                found.append(prefix + child)
        return True

    visit(network, "")
    return found
