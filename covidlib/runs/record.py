"""What one finished run leaves behind."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from covidlib.errors import RunError
from covidlib.runs.spec import RunSpec, described

RECORD, PREDICTIONS, CURVE, WEIGHTS = (
    "record.json",
    "predictions.parquet",
    "curve.csv",
    "weights.safetensors",
)


def recorded_folder(results: Path, paper: str, key: str) -> Path | None:
    """Return the folder of a recorded run: the paper's own, else another's that needed it first.

    Args:
        results: the folder ``book/results``.
        paper: "msatl", "magsd", "manet" or "across".
        key: of the run.
    """
    own = results / paper / key / RECORD
    found = [own] if own.exists() else sorted(results.glob(f"*/{key}/{RECORD}"))
    return found[0].parent if found else None


@dataclass(frozen=True)
class Record:
    """One folder: ``record.json``, ``predictions.parquet``, ``curve.csv``, maybe weights.

    Args:
        folder: whose name is the run's key.
        start: key of the run that this one went on from, where its plan was asked; else empty.
    """

    folder: Path
    start: str = ""

    @cached_property
    def body(self) -> dict:
        """Key, spec, metrics and provenance as they stand in ``record.json``."""
        return json.loads((self.folder / RECORD).read_text())

    @property
    def key(self) -> str:
        """The run's key, which is the folder's name."""
        return self.body["key"]

    @property
    def metrics(self) -> dict[str, float]:
        """Metrics of the test images, computed from the predictions beside them."""
        return self.body["metrics"]

    @property
    def provenance(self) -> dict:
        """Commit, versions, device, seconds, data fingerprint, profile."""
        return self.body["provenance"]

    @property
    def phantom(self) -> bool:
        """Whether the images were drawn."""
        return self.provenance["phantom"]

    @cached_property
    def predictions(self) -> pd.DataFrame:
        """One row per validation and test image: sample, patient, split, label, p_<class>."""
        return pd.read_parquet(self.folder / PREDICTIONS)

    @cached_property
    def test(self) -> pd.DataFrame:
        """The predictions of the test images alone."""
        return self.predictions[self.predictions["split"] == "test"].reset_index(drop=True)

    @cached_property
    def curve(self) -> pd.DataFrame:
        """One row per epoch."""
        return pd.read_csv(self.folder / CURVE)

    @property
    def weights(self) -> Path:
        """The trained weights; recorded results in the repository have none."""
        path = self.folder / WEIGHTS
        if not path.exists():
            raise RunError(f"{self.key} has no weights here; run its spec again in a store")
        return path

    def check(self, spec: RunSpec) -> "Record":
        """Return self, or raise RunError where the settings behind the key have changed since.

        A setting that the record does not know was added later, at a default that keeps what
        happened before.
        """
        if not _agrees(self.body["spec"], described(spec)):
            raise RunError(
                f"{self.folder} was made under other defaults than today's; "
                "delete the folder to run it again, or restore the defaults"
            )
        return self


def _agrees(recorded: Any, today: Any) -> bool:
    """Whether everything that a record holds of a spec is still so."""
    if isinstance(recorded, dict) and isinstance(today, dict):
        return all(k in today and _agrees(v, today[k]) for k, v in recorded.items())
    if isinstance(recorded, list) and isinstance(today, list):
        return len(recorded) == len(today) and all(map(_agrees, recorded, today))
    return recorded == today
