"""STL-N: many classes of natural images, scored by top-1 and top-5 (msatl sec. 4, 6.2)."""

import pandas as pd
import torch
from torch import LongTensor, Tensor

from covidlib.data.batches import Images
from covidlib.evaluation.ranks import TOP, ranked, top_k
from covidlib.training.supervised import Supervised


class Natural(Supervised):
    """Cross-entropy; of the many class probabilities only ranks are kept."""

    def seen(self, probabilities: Tensor, labels: LongTensor) -> dict[str, float]:
        """Return top-1 and top-5."""
        found = {}
        for name, k in TOP.items():
            best = probabilities.topk(min(k, probabilities.shape[1])).indices
            found[f"val_{name}"] = float((best == labels[:, None]).any(1).double().mean())
        return found

    def predictions(self, images: Images) -> pd.DataFrame:
        """Return one row per validation and test image; see ``covidlib.evaluation.ranks``."""
        rows = torch.cat([self.data.rows(split) for split in ("val", "test")])
        values = self.probabilities(rows, images).numpy()
        return ranked(self.data.table.iloc[rows.numpy()], values, self.data.classes)

    def metrics(self, predictions: pd.DataFrame) -> dict[str, float]:
        """Return top-1 and top-5 of the test images, which are ImageNet's validation images."""
        values = {name: top_k(predictions, k) for name, k in TOP.items()}
        return {name: value for name, value in values.items() if value == value}
