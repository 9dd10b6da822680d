"""One stage of the workflow: a trained network and how it was made."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from covidlib.data.decoding import read_uint8
from covidlib.data.preprocessing import Preprocessing
from covidlib.data.preprocessing import prepare as decode
from covidlib.errors import RunError
from covidlib.evaluation.predictions import classes_of
from covidlib.runs.rebuilding import rebuilt
from covidlib.runs.record import Record
from covidlib.runs.spec import RunSpec


@dataclass(frozen=True)
class Stage:
    """A trained network and how it was made.

    Args:
        record: of its training.
        spec: of its training.
        network: in evaluation mode.
    """

    record: Record
    spec: RunSpec
    network: nn.Module

    @classmethod
    def of(cls, record: Record) -> "Stage":
        """Read a stage from its record and its weights.

        Raises:
            RunError: something is missing, damaged, or made by another version.
        """
        try:
            spec = rebuilt(record)
            network = spec.network.build(max(2, len(classes_of(record.predictions))))
            network.load_state_dict(load_file(record.weights))
        except (OSError, ValueError, RuntimeError, SafetensorError) as error:
            raise RunError(f"{record.folder} is incomplete or damaged: {error}") from error
        return cls(record, spec, network.eval())

    def images(self, paths: Sequence[Path]) -> np.ndarray:
        """Decode images as in training, (N, S, S), uint8."""
        settings: Preprocessing = self.spec.data.preprocessing
        return np.stack([decode(read_uint8(path, settings.window), settings) for path in paths])
