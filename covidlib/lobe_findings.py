"""How the lungs are found in real CT slices: measured once and kept (msatl sec. 5.3).

``python -m covidlib.lobe_findings --data FOLDER`` writes ``book/results/msatl/lobes``.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from covidlib.data import Dataset, open_dataset
from covidlib.data.cache import build_cache
from covidlib.data.preprocessing import Preprocessing
from covidlib.errors import DataError
from covidlib.files import save
from covidlib.models.lung_boxes import locate
from covidlib.paths import RESULTS, data_root
from covidlib.terminal import RealData, Results, run_alone

NAME, SIDE = "covid-ct", 128  # pixels; enough to see a lobe
FILE = Path("msatl", "lobes", f"{NAME}-{SIDE}.json")  # below the folder of results


@dataclass(frozen=True)
class LobeFindings:
    """Where the lungs were found in the training slices of one data set.

    Args:
        way: how they were found, an index into ``covidlib.models.lung_boxes.WAYS``. Shape: (N,).
        area: share of the slice that their box takes, in [0, 1]. Shape: (N,).
        provenance: data set, fingerprint, commit, versions, phantom.
    """

    way: np.ndarray
    area: np.ndarray
    provenance: Mapping[str, object]


def box_areas(box: torch.Tensor) -> np.ndarray:
    """Return the share of the slice that each box takes, from left, top, right, bottom. (N,)."""
    return ((box[:, 2] - box[:, 0]) * (box[:, 3] - box[:, 1])).numpy()


def train_slices(dataset: Dataset) -> tuple[torch.Tensor, list[str]]:
    """Return the training slices, uint8, (N, 1, S, S), and their names."""
    cached = build_cache(dataset, Preprocessing(size=SIDE))
    rows = (cached.table["split"] == "train").to_numpy().nonzero()[0]
    names = cached.table["sample"].iloc[rows].tolist()
    return torch.from_numpy(cached.images[rows])[:, None], names


def find(dataset: Dataset) -> LobeFindings:
    """Locate the lungs in every training slice; no test slice is looked at."""
    from covidlib.runs.provenance import software

    found = locate(train_slices(dataset)[0])
    provenance = software() | {
        "data": dataset.name, "fingerprint": dataset.fingerprint, "phantom": dataset.phantom,
    }  # fmt: skip
    return LobeFindings(found.way.numpy(), box_areas(found.box), provenance)


def write(findings: LobeFindings, results: Path) -> Path:
    """Keep findings of real slices.

    Args:
        findings: of ``find``.
        results: the folder ``book/results``.

    Raises:
        DataError: the slices were drawn, or findings are there already.
    """
    if findings.provenance["phantom"] is not False:
        raise DataError("only findings of real slices are kept")
    if (target := results / FILE).exists():
        raise DataError(f"{target} is there; remove it to measure again")
    body = {"way": findings.way.tolist(), "area": findings.area.round(4).tolist()}
    return save(target, json.dumps(body | {"provenance": dict(findings.provenance)}) + "\n")


def read(results: Path) -> LobeFindings | None:
    """Return what ``write`` kept, None where there is nothing."""
    if not (source := results / FILE).is_file():
        return None
    body = json.loads(source.read_text("utf-8"))
    return LobeFindings(np.array(body["way"]), np.array(body["area"]), body["provenance"])


def main(data: RealData, results: Results = RESULTS) -> None:
    """Locate the lungs in the training slices of COVID19-CT under DATA, and keep where."""
    write(find(open_dataset(NAME, data_root(data))), results)


if __name__ == "__main__":
    run_alone(main)
