"""ResNet-50 and ResNet-101 with 0, 1 or 5 self-attention layers (msatl, sec. 3.2 and 6.2)."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torchvision.models import resnet

from covidlib.models.attention import SelfAttention

STAGES = ("res2", "res3", "res4", "res5")
CHANNELS = {18: (64, 128, 256, 512), 50: (256, 512, 1024, 2048), 101: (256, 512, 1024, 2048)}
PLACEMENTS = {"baseline": (0, 0, 0, 0), "attn1": (0, 1, 0, 0), "attn5": (0, 2, 2, 1)}


@dataclass(frozen=True)
class AttentionResNetSettings:
    """One of the six networks of msatl.

    Args:
        depth: 50 or 101 (msatl sec. 6.2); 18 serves quick tests.
        variant: "baseline", "attn1" (one layer in res3) or "attn5" (two in res3, two in res4,
            one in res5; msatl sec. 6.2).
        placement: "stage_end" stacks a stage's layers after its last unit ("at the end of the
            corresponding residual blocks", msatl sec. 6.2); "units" puts one after each of the
            stage's last units, the other reading.
        dropout: share of pooled features dropped before the classifier.
    """

    depth: int = 50
    variant: str = "baseline"
    placement: str = "stage_end"
    dropout: float = 0.0

    def __post_init__(self) -> None:
        if self.depth not in CHANNELS:
            raise ValueError(f"depth is one of {sorted(CHANNELS)}, not {self.depth}")
        if self.variant not in PLACEMENTS:
            raise ValueError(f"variant is one of {sorted(PLACEMENTS)}, not {self.variant!r}")
        if self.placement not in ("stage_end", "units"):
            raise ValueError(f"placement is stage_end or units, not {self.placement!r}")

    @property
    def slug(self) -> str:
        """Short name for keys and legends: "r50-attn5"."""
        return f"r{self.depth}-{self.variant}"

    def build(self, classes: int) -> "AttentionResNet":
        """Return the network with random weights from torch's global generator."""
        return AttentionResNet(self, classes)


class AttentionResNet(nn.Module):
    """A torchvision ResNet whose stages are followed by self-attention layers.

    The backbone keeps torchvision's parameter names under ``backbone``; attention layers stand
    beside it under ``attention``, so ImageNet weights load whatever the variant.

    Shape:
        input (N, 3, H, W), output logits (N, classes).
    """

    def __init__(self, settings: AttentionResNetSettings, classes: int) -> None:
        super().__init__()
        self.settings = settings
        self.backbone = getattr(resnet, f"resnet{settings.depth}")(num_classes=classes)
        counts = PLACEMENTS[settings.variant]
        self.attention = nn.ModuleDict(
            {
                stage: nn.ModuleList(SelfAttention(channels) for _ in range(count))
                for stage, channels, count in zip(
                    STAGES, CHANNELS[settings.depth], counts, strict=True
                )
            }
        )
        self.dropout = nn.Dropout(settings.dropout)

    @property
    def classifier(self) -> nn.Linear:
        """The last layer, replaced when a stage with other classes follows."""
        return self.backbone.fc

    @property
    def last_convolution(self) -> nn.Module:
        """The last unit of res5, where Grad-CAM looks (msatl sec. 6.8)."""
        return self.backbone.layer4[-1]

    def features(self, images: Tensor, keep: list | None = None) -> Tensor:
        """Return the feature map of res5, (N, C, H/32, W/32).

        Args:
            images: (N, 3, H, W), normalised.
            keep: a list to which (stage, layer, its input) of every attention layer is appended.
        """
        net = self.backbone
        x = net.maxpool(net.relu(net.bn1(net.conv1(images))))
        for stage, units in zip(
            STAGES, (net.layer1, net.layer2, net.layer3, net.layer4), strict=True
        ):
            layers = self.attention[stage]
            for number, unit in enumerate(units, start=1):
                x = unit(x)
                for layer in self._layers_after(layers, number, len(units)):
                    if keep is not None:
                        keep.append((stage, layer, x))
                    x = layer(x)
        return x

    def _layers_after(self, layers: nn.ModuleList, number: int, units: int) -> list[nn.Module]:
        """The attention layers that follow unit ``number`` of a stage with ``units`` units."""
        if self.settings.placement == "stage_end":
            return list(layers) if number == units else []
        place = number - 1 - (units - len(layers))
        return [layers[place]] if place >= 0 else []

    def embed(self, images: Tensor) -> Tensor:
        """Return the globally average-pooled features, (N, D)."""
        return self.features(images).mean((2, 3))

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits, (N, classes)."""
        return self.backbone.fc(self.dropout(self.embed(images)))

    @torch.no_grad()
    def attention_maps(self, images: Tensor) -> dict[str, Tensor]:
        """Return every attention layer's weights, "res3.0" to "res5.0", each (N, H, W, H, W).

        The first two positions are the query's, the last two the key's.
        """
        kept: list = []
        self.features(images, keep=kept)
        maps, seen = {}, dict.fromkeys(STAGES, 0)
        for stage, layer, x in kept:
            height, width = x.shape[2:]
            weights = layer.attention_map(x)
            maps[f"{stage}.{seen[stage]}"] = weights.view(-1, height, width, height, width)
            seen[stage] += 1
        return maps
