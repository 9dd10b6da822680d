"""Heatmaps of a network: Grad-CAM and mean attention."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import LongTensor, Tensor, nn

RES5 = "res5.0"  # the last attention layer (msatl sec. 6.8)


def grad_cam(
    network: nn.Module,
    images: Tensor,
    targets: LongTensor | None = None,
    lungs: Tensor | None = None,
    *,
    layer: nn.Module | None = None,
    batch: int = 32,
) -> Tensor:
    """Return Grad-CAM maps: positive part of features times mean gradients (Selvaraju et al. 2017).

    Computed by the grad-cam library, without its rescaling: a map's least value is not moved to
    0, so shares of its mass mean what they say.

    Args:
        network: returns logits; in evaluation mode meanwhile.
        images: model inputs. Shape: (N, C, H, W).
        targets: whose logit is explained, by default the class with the largest. Shape: (N,).
        lungs: masks for networks that need them. Shape: (N, H, W) or (N, 1, H, W).
        layer: whose output is weighted; by default ``network.last_convolution``.
        batch: images at a time.

    Returns:
        On the CPU. Shape: (N, h, w) of the layer's output.

    Raises:
        TypeError: the network has no ``last_convolution`` and no layer is given.
        ValueError: the network needs lung masks, or a map is not finite.
    """
    from pytorch_grad_cam import GradCAM
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    layer = layer or getattr(network, "last_convolution", None)
    if layer is None:
        raise TypeError(f"{type(network).__name__} has no last_convolution: name a layer")
    needs = getattr(network, "needs_lungs", False)
    if needs and lungs is None:
        raise ValueError(f"{type(network).__name__} needs lung masks")
    found = []
    with untouched(network):
        for rows in torch.arange(len(images)).split(batch):
            shown = _Shown(network, lungs[rows] if needs else None, images.device)
            wanted = None
            if targets is not None:
                wanted = [ClassifierOutputTarget(int(k)) for k in targets[rows]]
            cam = GradCAM(shown, [layer])
            try:
                part = images[rows].detach().clone().requires_grad_()
                cam(part, wanted)
                (features,), (gradients,) = (
                    cam.activations_and_grads.activations,
                    cam.activations_and_grads.gradients,
                )
                heat = cam.get_cam_image(part, layer, wanted, features.numpy(), gradients.numpy())
            finally:
                cam.activations_and_grads.release()
            found.append(torch.from_numpy(heat).clamp_min(0))
    return _finite(torch.cat(found))


class _Shown(nn.Module):
    """Shows the library a function of images alone.

    The library clears the gradients of the module that it is given and leaves it in evaluation
    mode; this one has no parameters but one, which tells it the device.
    """

    def __init__(self, network: nn.Module, lungs: Tensor | None, device: torch.device) -> None:
        super().__init__()
        self.place = nn.Parameter(torch.zeros((), device=device))
        masks = () if lungs is None else (lungs,)
        # A function and no submodule: the library must not find the network's parameters.
        self.show = lambda images: network(images, *masks)

    def forward(self, images: Tensor) -> Tensor:
        """Return the network's logits."""
        return self.show(images).float()


@contextmanager
def untouched(network: nn.Module) -> Iterator[None]:
    """Hold a network in evaluation mode, its parameters fixed; restore both."""
    modes = {module: module.training for module in network.modules()}
    learns = {value: value.requires_grad for value in network.parameters()}
    network.eval().requires_grad_(False)
    try:
        with torch.enable_grad():
            yield
    finally:
        for module, training in modes.items():
            module.training = training
        for value, wanted in learns.items():
            value.requires_grad_(wanted)


def attention_map(network: nn.Module, images: Tensor, name: str = RES5, batch: int = 32) -> Tensor:
    """Return an attention layer's weights, averaged over all query positions (msatl sec. 6.8).

    Each query's weights sum to 1 over the positions it looks at, and so does their mean.

    Args:
        network: has ``attention_maps``, such as an ``AttentionResNet``.
        images: model inputs. Shape: (N, C, H, W).
        name: of the layer, "res5.0" for the last one.
        batch: images at a time.

    Returns:
        On the CPU. Shape: (N, h, w).

    Raises:
        ValueError: the network has no such layer, or a map is not finite.
    """
    found = []
    with untouched(network):
        for part in images.split(batch):
            maps = network.attention_maps(part)
            if name not in maps:
                raise ValueError(f"no attention layer {name!r} among {list(maps)}")
            found.append(maps[name].mean((1, 2)).float().cpu())  # over the query's two positions
    return _finite(torch.cat(found))


def _finite(maps: Tensor) -> Tensor:
    if not maps.isfinite().all():
        raise ValueError("a map holds values that are not finite")
    return maps


def stretch(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Return maps at the size of an image, bilinearly, as figures draw them.

    Shape:
        (N, h, w) to (N, H, W).
    """
    return F.interpolate(maps[:, None], size, mode="bilinear", align_corners=False)[:, 0]
