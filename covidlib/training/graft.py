"""ImageNet weights of torchvision under attention layers that nobody has trained."""

import os
from pathlib import Path
from urllib.error import URLError

import pandas as pd
import torch
from torch import Tensor, nn

from covidlib.data.batches import Batch, Images
from covidlib.errors import RunError
from covidlib.files import digest_file
from covidlib.training.method import Method

VARIABLE = "COVIDLIB_WEIGHTS"  # a file, or a folder of files, with torchvision's names
CLASSES = 1000  # of ImageNet ILSVRC 2012


class Graft(Method):
    """A stage that trains nothing: ``take`` fills the network from torchvision's file.

    The network gets ImageNet's 1000 outputs, whatever the classes of its own images.
    """

    def __init__(self, network, settings, data, seed: int) -> None:
        network.backbone.fc = nn.Linear(network.classifier.in_features, CLASSES)
        super().__init__(network, settings, data, seed)

    def take(self) -> dict[str, str]:
        """Load the weights and return what the record says of them.

        Raises:
            RunError: there is no file and no network to fetch it, or its SHA-256 is wrong.
        """
        depth, name = self.network.settings.depth, self.settings.weights
        path, digest = weights_file(depth, name)
        graft(self.network, torch.load(path, map_location="cpu", weights_only=True))
        return {"name": f"torchvision ResNet{depth} {name}", "file": path.name, "sha256": digest}

    def batch_loss(self, batch: Batch, step: int) -> Tensor:
        """Never called: ``GraftSettings`` has no epoch."""
        raise RunError("grafted weights are not trained")

    def look(self) -> dict[str, float]:
        """Return nothing: there is no epoch."""
        return {}

    def predictions(self, images: Images) -> pd.DataFrame:
        """Return the images that the stage was given, without scores: their classes are others."""
        rows = torch.cat([self.data.rows(split) for split in ("val", "test")]).numpy()
        columns = ["sample", "patient", "split", "label"]
        return self.data.table.iloc[rows][columns].reset_index(drop=True)

    def metrics(self, predictions: pd.DataFrame) -> dict[str, float]:
        """Return nothing."""
        return {}


def graft(network: nn.Module, weights: dict[str, Tensor]) -> None:
    """Put a plain ResNet's weights, classifier included, under a network's attention layers.

    The attention layers keep their initial weights, whose output is zero: logits are those of the
    plain ResNet.

    Args:
        network: an ``AttentionResNet``.
        weights: by torchvision's names.

    Raises:
        RunError: they are those of another network.
    """
    try:
        network.backbone.load_state_dict(weights)
    except RuntimeError as error:
        raise RunError(f"these are not the weights of this ResNet: {error}") from error


def weights_file(depth: int, name: str) -> tuple[Path, str]:
    """Return torchvision's weights file and its SHA-256, fetching it where it is nowhere.

    Looked for under ``COVIDLIB_WEIGHTS``, then where torchvision keeps its downloads.

    Args:
        depth: 50 or 101.
        name: of the weights, "IMAGENET1K_V1".

    Raises:
        RunError: it cannot be fetched, or the file's SHA-256 does not begin as its name says.
    """
    from torchvision.models import get_model_weights

    url = get_model_weights(f"resnet{depth}")[name].url
    file = url.rsplit("/", 1)[-1]
    told = Path(os.environ.get(VARIABLE, ""))
    kept = Path(torch.hub.get_dir()) / "checkpoints" / file
    path = next((p for p in (told, told / file, kept) if p.is_file()), None) or _fetch(url, kept)
    digest = digest_file(path)
    wanted = file.rsplit("-", 1)[-1].removesuffix(".pth")  # torchvision names files by their hash
    if not digest.startswith(wanted):
        raise RunError(f"{path} is not torchvision's {file}: its SHA-256 begins {digest[:8]}")
    return path, digest


def _fetch(url: str, target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        torch.hub.download_url_to_file(url, str(target), progress=False)
    except (URLError, OSError) as error:
        raise RunError(
            f"{url} cannot be fetched ({error}); fetch it elsewhere and let {VARIABLE} name the "
            "file or its folder"
        ) from error
    return target
