"""Networks with a new head for transfer (Narin et al. 2021, a rival of magsd Table 3)."""

from dataclasses import dataclass

from torch import Tensor, nn

from covidlib.models.backbones import Backbone
from covidlib.models.plain_classifiers import LEAST

BACKBONES = ("resnet50", "inception_v3")


@dataclass(frozen=True)
class TransferSettings:
    """A network trained on photographs up to its pooling, and two new fully connected layers.

    Parameters with two classes: 23.8 million (ResNet50) and 22.0 million (InceptionV3). The
    pre-training is an earlier stage of the run (``RunSpec.init``); the whole head is new after it.

    Args:
        backbone: "resnet50" or "inception_v3", the two of magsd Table 3.
        hidden: width of the first new layer; ours.

    Raises:
        ValueError: another backbone, or no hidden unit.
    """

    backbone: str = "resnet50"
    hidden: int = 128

    def __post_init__(self) -> None:
        if self.backbone not in BACKBONES:
            raise ValueError(f"backbone is one of {BACKBONES}, not {self.backbone!r}")
        if self.hidden < 1:
            raise ValueError(f"hidden is at least 1, not {self.hidden}")

    @property
    def slug(self) -> str:
        """Short name for keys and legends: "transfer-resnet50"."""
        return f"transfer-{self.backbone}"

    @property
    def least(self) -> int:
        """The smallest side of an image, pixels."""
        return LEAST[self.backbone]

    def build(self, classes: int) -> "Transfer":
        """Return the network with random weights from torch's global generator."""
        return Transfer(self, classes)


class Transfer(nn.Module):
    """A backbone, global average pooling, and a head of two layers.

    Shape:
        images (N, 3, H, W), output logits (N, classes).
    """

    def __init__(self, settings: TransferSettings, classes: int) -> None:
        super().__init__()
        self.backbone = Backbone(settings.backbone, scales=1)
        self.classifier = nn.Sequential(
            nn.Linear(self.backbone.widths[-1], settings.hidden),
            nn.ReLU(),
            nn.Linear(settings.hidden, classes),
        )

    @property
    def last_convolution(self) -> nn.Module:
        """What the global pooling sees."""
        return self.backbone.last

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits."""
        return self.classifier(self.backbone(images)[-1].mean((2, 3)))
