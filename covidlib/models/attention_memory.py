"""What attention layers keep for their backward pass: with the fused kernel, and written out."""

import torch
from torch import Tensor

from covidlib.models.attention import SelfAttention
from covidlib.models.attention_resnet import CHANNELS, PLACEMENTS, AttentionResNetSettings


def by_equation(layer: SelfAttention, features: Tensor) -> Tensor:
    """Return what a layer returns, with the matrix of equation 1 written out (msatl sec. 2.2).

    Shape:
        input and output (N, C, H, W).
    """
    mixed = layer.value(features).flatten(2) @ layer.attention_map(features).transpose(1, 2)
    return features + layer.out(mixed.unflatten(2, features.shape[2:]))


def kept_bytes(layer: SelfAttention, features: Tensor, explicit: bool) -> int:
    """Return how many bytes a layer keeps for its backward pass, weights and input left out.

    Args:
        layer: on the device of the features.
        features: Shape: (N, C, H, W).
        explicit: whether the matrix is written out.
    """
    found: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        found[storage.data_ptr()] = storage.nbytes()
        return tensor

    given = {p.untyped_storage().data_ptr() for p in (*layer.parameters(), features)}
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        out = by_equation(layer, features) if explicit else layer(features)
    kept = sum(size for place, size in found.items() if place not in given)
    del out  # until here it holds what was kept, so no place is used twice
    return kept


def matrix_bytes(settings: AttentionResNetSettings, size: int) -> int:
    """Return the bytes of all attention matrices of a network for one image, in float32."""
    counts = PLACEMENTS[settings.variant]
    return sum(4 * n * _side(place, size) ** 4 for place, n in enumerate(counts))


def network_bytes(
    settings: AttentionResNetSettings, size: int, explicit: bool, device: str = "cpu"
) -> int:
    """Return what all attention layers of a network keep for one image, in float32.

    Args:
        settings: depth and variant.
        size: side of the input, pixels.
        explicit: whether the matrices are written out.
        device: where to measure.
    """
    total, layout = 0, {"memory_format": torch.channels_last}
    for place, count in enumerate(PLACEMENTS[settings.variant]):
        if count:
            channels, side = CHANNELS[settings.depth][place], _side(place, size)
            # As in training: in the other layout torch has no fused kernel and writes it out.
            layer = SelfAttention(channels).to(device, **layout)
            features = torch.randn(1, channels, side, side, device=device).to(**layout)
            total += count * kept_bytes(layer, features, explicit)
    return total


def _side(place: int, size: int) -> int:
    """Return the side of a stage's features: res2 has a quarter of the image's, and so on."""
    return size // 4 // 2**place
