"""What the contrastive methods share: two views, a projection, and a watch while they train."""

from abc import abstractmethod

import pandas as pd
import torch
import torch.nn.functional as F
from torch import LongTensor, Tensor, nn

from covidlib.data.batches import DeviceImages
from covidlib.data.seeds import generator
from covidlib.errors import RunError
from covidlib.settings.contrastive import ContrastiveSettings
from covidlib.training.contrastive_losses import effective_rank, neighbours_vote, spread
from covidlib.training.data import TrainingData
from covidlib.training.method import Method, prepare
from covidlib.training.modes import evaluating
from covidlib.training.precision import autocast
from covidlib.training.supervised import accuracy_and_auc

# Below either of these the projections of validation images say next to nothing about them. Their
# similarities differ by the square of the spread: at 0.1 and a temperature of 0.07 the logits of
# the loss differ by 0.14, so its softmax is flat. A network at random weights may begin there.
LEAST_SPREAD, LEAST_RANK = 0.1, 2.0


class Contrastive(Method):
    """Learning from views of the same image, without labels (msatl sec. 5.2).

    Labels and validation images serve one thing only, the probe of the curve: how well the nearest
    training images vote on each validation image. A stage never embeds test images unless its
    settings ask for "all" images, and its predictions say which images it learnt from.

    A collapse, where every image gets the same vector, does not stop a run, since under a paper's
    own settings it would be a result; the curve says so in its column ``collapsed``.

    Args:
        network: has ``embed``, images to features (N, D), and ``classifier``, which takes them.
        settings, data, seed: as in ``Method``.

    Raises:
        RunError: the network has no ``embed``.
    """

    one_device = True  # where all negatives are

    def __init__(
        self, network: nn.Module, settings: ContrastiveSettings, data: TrainingData, seed: int
    ) -> None:
        super().__init__(network, settings, data, seed)
        if not hasattr(network, "embed"):
            raise RunError(f"{type(network).__name__} has no embed(images), so nothing to contrast")
        if settings.images == "all":
            chosen = data.table["split"].notna().to_numpy()  # not what a limit leaves out
            self.train_rows = torch.from_numpy(chosen.nonzero()[0])
        else:
            self.train_rows = data.rows("train", labelled=False)
        self.network.classifier.requires_grad_(False)  # no labels, no gradient
        self.head = self.seeded("head", lambda: projection(self.width, settings))

    @property
    def width(self) -> int:
        """Length of the features."""
        return self.network.classifier.in_features

    def seeded(self, name: str, build) -> nn.Module:
        """Return a part whose random weights depend on the seed and its name alone."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(generator(name, self.seed).initial_seed())
            return build()

    def on_fit_start(self) -> None:
        """Put the images where the network is.

        Raises:
            RunError: several processes; each would see its own share of the negatives.
        """
        if self.trainer.world_size > 1:
            raise RunError(f"{type(self).__name__} trains on one device: its negatives are there")
        super().on_fit_start()

    def learnt(self) -> list[nn.Parameter]:
        """Return everything that learns by gradients: heads too, slow encoders not."""
        return [p for p in self.parameters() if p.requires_grad]

    def project(self, images: Tensor) -> Tensor:
        """Return the unit vectors that are compared, float32, (N, projection)."""
        return F.normalize(self.head(self.network.embed(images)).float(), dim=1)

    @abstractmethod
    def batch_loss(self, batch, step: int) -> Tensor:
        """Return the loss of a batch of decoded images."""

    def look(self) -> dict[str, float]:
        """Return the probe on the validation images and whether their projections collapsed."""
        rows = self.data.rows("val", labelled=False)
        if not len(rows):
            return {}
        features = embeddings(self.network, self.settings, rows, self.images)
        with torch.no_grad():
            vectors = F.normalize(self.head(features), dim=1)
        seen = {"spread": float(spread(vectors)), "effective_rank": float(effective_rank(vectors))}
        collapsed = seen["spread"] < LEAST_SPREAD or seen["effective_rank"] < LEAST_RANK
        return seen | {"collapsed": float(collapsed)} | self.probe(self.images)

    def votes(self, images: DeviceImages) -> tuple[LongTensor, Tensor]:
        """Return the labelled validation rows and their neighbours' votes, (n, classes)."""
        bank, rows = self.data.rows("train"), self.data.rows("val")
        known, asked = (embeddings(self.network, self.settings, r, images) for r in (bank, rows))
        labels = images.labels[bank.to(images.labels.device)].to(known.device)
        few, classes = self.settings.neighbours, len(self.data.classes)
        return rows, neighbours_vote(known, labels, asked, few, classes).cpu()

    def probe(self, images: DeviceImages) -> dict[str, float]:
        """Return accuracy and, for two classes, AUC of the neighbours' votes."""
        rows, votes = self.votes(images)
        labels = images.labels[rows.to(images.labels.device)].cpu()
        return accuracy_and_auc(votes, labels, "knn")

    def predictions(self, images: DeviceImages) -> pd.DataFrame:
        """Return one row per image: whether it was learnt from, and the votes on validation ones.

        Columns: sample, patient, split, label, seen, and ``knn_<class>``, which is missing for
        all but the validation images.
        """
        table = self.data.table[["sample", "patient", "split", "label"]].reset_index(drop=True)
        table["seen"] = False
        table.loc[self.train_rows.numpy(), "seen"] = True
        rows, votes = self.votes(images)
        for number, name in enumerate(self.data.classes):
            table.loc[rows.numpy(), f"knn_{name}"] = votes[:, number].numpy()
        return table

    def metrics(self, predictions: pd.DataFrame) -> dict[str, float]:
        """Return how many images of each split were learnt from, and the probe's scores."""
        counts = predictions.groupby("split")["seen"].sum()
        found = {f"seen_{split}": int(count) for split, count in counts.items()}
        asked = predictions.query("split == 'val'").dropna(subset=["label"])
        votes = torch.from_numpy(asked[[f"knn_{name}" for name in self.data.classes]].to_numpy())
        labels = torch.tensor([self.data.classes.index(name) for name in asked["label"]])
        return found | accuracy_and_auc(votes, labels, "knn")


def projection(width: int, settings: ContrastiveSettings) -> nn.Module:
    """Return the head between features and compared vectors: linear, or with a hidden layer."""
    last = nn.Linear(width, settings.projection)
    if not settings.hidden:
        return last
    return nn.Sequential(nn.Linear(width, width), nn.ReLU(inplace=True), last)


def embeddings(network, settings, rows: LongTensor, images: DeviceImages) -> Tensor:
    """Return a network's features of centre crops, float32 on its device, (len(rows), D).

    Args:
        network: has ``embed``; its mode is restored afterwards.
        settings: size, normalisation, precision and batch.
        rows: which images.
        images: where they are.
    """
    device = next(network.parameters()).device
    with evaluating(network), autocast(device, settings.precision):
        parts = [
            network.embed(prepare(batch.image, settings).images).float()
            for batch in images.iterate(list(rows.split(settings.batch)))
        ]
    return torch.cat(parts)  # no rows are one batch of none
