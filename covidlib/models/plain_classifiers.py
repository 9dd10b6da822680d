"""Plain torchvision networks: the classic rivals of magsd Table 3, and a modern one."""

from dataclasses import dataclass

from torch import Tensor, nn
from torchvision import models

# The smallest side that each takes, pixels.
LEAST = {"vgg16": 32, "resnet18": 32, "resnet50": 32, "inception_v3": 75, "convnext_tiny": 32}


@dataclass(frozen=True)
class PlainSettings:
    """VGG16, ResNet18, ResNet50 or InceptionV3 from random weights (magsd sec. 4.4.1).

    Parameters with two classes: 134.3, 11.2, 23.5 and 21.8 million. VGG16 has no batch norm and
    InceptionV3 no auxiliary classifier (both ours; magsd does not say). The paper's networks may
    have started from ImageNet: it says "pretrained" of its own backbone only. ConvNeXt-T (Liu et
    al. 2022; 27.8 million) is none of the paper's: the benchmark over all papers has it.

    Args:
        backbone: one of ``LEAST``.

    Raises:
        ValueError: another name.
    """

    backbone: str = "resnet50"

    def __post_init__(self) -> None:
        if self.backbone not in LEAST:
            raise ValueError(f"backbone is one of {tuple(LEAST)}, not {self.backbone!r}")

    @property
    def slug(self) -> str:
        """Short name for keys and legends: "resnet50"."""
        return self.backbone

    @property
    def least(self) -> int:
        """The smallest side of an image, pixels."""
        return LEAST[self.backbone]

    def build(self, classes: int) -> "Plain":
        """Return the network with random weights from torch's global generator."""
        return Plain(self.backbone, classes)


class Plain(nn.Module):
    """A torchvision network whose last layer is called ``classifier``.

    Shape:
        images (N, 3, H, W), output logits (N, classes).
    """

    def __init__(self, backbone: str, classes: int) -> None:
        super().__init__()
        branched = {"aux_logits": False, "transform_input": False, "init_weights": True}
        options = branched if backbone == "inception_v3" else {}
        network = models.get_model(backbone, weights=None, num_classes=classes, **options)
        if backbone in ("vgg16", "convnext_tiny"):
            self.classifier = network.classifier[-1]
            network.classifier[-1] = nn.Identity()
        else:
            self.classifier = network.fc
            network.fc = nn.Identity()
        self.backbone = network

    @property
    def last_convolution(self) -> nn.Module:
        """What the global pooling sees."""
        children = dict(self.backbone.named_children())
        return next(children[n] for n in ("layer4", "features", "Mixed_7c") if n in children)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits."""
        return self.classifier(self.backbone(images))
