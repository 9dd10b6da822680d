"""Mask attention: features fade as their receptive fields leave the lungs (manet, sec. 3.3)."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from covidlib.models.mask_pooling import Path, as_map, pool
from covidlib.models.mask_weaving import LAST, Weaver


class MaskAttention(nn.Module):
    """A plain network turned into its version with mask attention, equation 1.

    Any network of convolutions, batch norms, pools, sums and concatenations will do: its graph is
    traced, and every operation that changes receptive fields changes the map by an average
    pooling with the same kernel, stride and padding. The product is taken

    - after the batch norm of a convolution larger than 1×1, before the activation;
    - where branches are concatenated (Inception), once, with the map of the widest branch, and
      nowhere inside those branches. Maps are not negative, so it does not matter that the
      branches' activations come before.

    A sum of a residual branch and a shortcut goes on with the wider map. No parameter is added,
    and all keep their names under ``backbone``.

    Args:
        network: from images (N, C, H, W); its parameters are shared, not copied.
        borders: "zeros" or "visible"; see ``covidlib.models.mask_pooling.pooling``.

    Raises:
        TypeError: the network has an operation without a rule for receptive fields.
        ValueError: a convolution is dilated, or ``borders`` is another word.

    Shape:
        images (N, C, H, W), mask (N, H, W) or (N, 1, H, W); output as of the network.
    """

    needs_lungs = True

    def __init__(self, network: nn.Module, borders: str = "zeros") -> None:
        super().__init__()
        woven = Weaver(network, borders)
        self.borders = borders
        self.backbone = woven.network
        self.paths: Mapping[str, Path] = woven.paths
        self.products: Mapping[str, Path] = woven.products

    def forward(self, images: Tensor, mask: Tensor) -> Tensor:
        """Return what the network makes of images and their lung masks.

        Raises:
            ValueError: the masks do not fit the images, or hold other values than 0 to 1.
        """
        maps = as_map(mask, images.shape[2:])
        # Maps of a batch are pooled side by side, as channels that lie together in memory: the
        # same sums in the same order, and on a CPU up to ten times faster than one after another.
        side_by_side = maps.transpose(0, 1).contiguous(memory_format=torch.channels_last)
        return self.backbone(images, side_by_side)

    @property
    def classifier(self) -> nn.Linear:
        """The last layer, which belongs to its classes."""
        return last_linear(self.backbone)

    @property
    def last_convolution(self) -> nn.Module:
        """Passes on the features before global pooling, where Grad-CAM looks (manet sec. 4.3)."""
        return self.backbone.get_submodule(LAST)

    @torch.no_grad()
    def maps(self, mask: Tensor) -> dict[str, Tensor]:
        """Return the map of every convolution, pool, sum and concatenation, (N, 1, H', W').

        The names are those of the network's modules, in the order of computation.
        """
        first = as_map(mask, mask.shape[-2:])
        known: dict[Path, Tensor] = {(): first}
        for path in self.paths.values():
            for length in range(1, len(path) + 1):
                if path[:length] not in known:
                    before = known[path[: length - 1]]
                    known[path[:length]] = pool(before, path[length - 1 : length], self.borders)
        return {name: known[path] for name, path in self.paths.items()}


def last_linear(network: nn.Module) -> nn.Linear:
    """Return the last fully connected layer of a network."""
    return [layer for layer in network.modules() if isinstance(layer, nn.Linear)][-1]
