"""The convolutional block attention module that manet compares with (sec. 3.3, Figure 7)."""

import torch
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet

KERNEL = 7  # of the spatial convolution, as in the module's own paper


class CBAM(nn.Module):
    """Weigh channels, then positions, by what the features themselves hold.

    A shared two-layer perceptron sees the mean and the maximum of every channel; a 7×7 convolution
    sees the mean and the maximum over channels at every position. Neither has biases, and no batch
    norm follows: only so do parameters and FLOPs come out as in manet Table 3.

    Args:
        channels: of the features.
        reduction: how much narrower the perceptron's hidden layer is; 16 fits manet Table 3.

    Raises:
        ValueError: the hidden layer would be empty.

    Shape:
        (N, C, H, W), both ways.
    """

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        hidden = channels // reduction
        if hidden < 1:
            raise ValueError(f"{channels} channels cannot be reduced {reduction} times")
        self.mean, self.maximum = nn.AdaptiveAvgPool2d(1), nn.AdaptiveMaxPool2d(1)
        self.perceptron = nn.Sequential(
            nn.Conv2d(channels, hidden, 1, bias=False),
            nn.ReLU(inplace=True),
            nn.Conv2d(hidden, channels, 1, bias=False),
        )
        self.spatial = nn.Conv2d(2, 1, KERNEL, padding=KERNEL // 2, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """Return the weighed features."""
        pooled = self.perceptron(self.mean(features)) + self.perceptron(self.maximum(features))
        features = features * pooled.sigmoid()  # (N, C, 1, 1) weights
        return features * self.position_weights(features)

    def position_weights(self, features: Tensor) -> Tensor:
        """Return the spatial map in (0, 1) of features whose channels are weighed, (N, 1, H, W)."""
        seen = torch.cat([features.amax(1, keepdim=True), features.mean(1, keepdim=True)], 1)
        return self.spatial(seen).sigmoid()


class AttendedNorm(nn.BatchNorm2d):
    """The last batch norm of a residual block with CBAM behind it.

    As a batch norm that holds the module, it leaves the network's parameter names as they were.
    """

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__(channels)
        self.attention = CBAM(channels, reduction)

    def forward(self, features: Tensor) -> Tensor:
        """Return the normalised and weighed features."""
        return self.attention(super().forward(features))


def add_cbam(network: ResNet, reduction: int = 16) -> ResNet:
    """Put CBAM at the end of every residual branch, before the sum, in place.

    Raises:
        TypeError: the network has no residual blocks.
    """
    blocks = [m for m in network.modules() if isinstance(m, BasicBlock | Bottleneck)]
    if not blocks:
        raise TypeError(f"CBAM stands in residual blocks, and {type(network).__name__} has none")
    for block in blocks:
        name = "bn3" if isinstance(block, Bottleneck) else "bn2"
        plain = getattr(block, name)
        norm = AttendedNorm(plain.num_features, reduction)
        norm.load_state_dict(plain.state_dict(), strict=False)  # attention keeps its start
        setattr(block, name, norm)
    return network
