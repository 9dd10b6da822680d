"""What every network's settings offer."""

from typing import Protocol

from torch import nn


class NetworkSettings(Protocol):
    """A frozen dataclass that builds a network.

    The network has an attribute ``classifier``, which is not carried to the next stage, and
    returns logits (N, classes) for images (N, C, H, W). Where it has ``needs_lungs`` set, it is
    called with the lung masks (N, 1, H, W) too.
    """

    @property
    def slug(self) -> str:
        """Short name for keys and legends."""
        ...

    def build(self, classes: int) -> nn.Module:
        """Return the network with random weights from torch's global generator."""
        ...
