"""How far a run's metrics would move on other images like these: the scale on which seeds move."""

import numpy as np
import pandas as pd

from covidlib.evaluation.predictions import classes_of, scored
from covidlib.evaluation.resampling import weighted
from covidlib.runs.record import PREDICTIONS, Record

WATCHED = ("auc", "accuracy", "dice")
RESAMPLES = 200


def image_errors(record: Record) -> dict[str, float]:
    """Return the standard error over test images of each watched metric that a run has.

    Images are drawn one by one and not by patient: this is no interval but a unit of length, in
    which the spread over seeds is much the same for few images and for many.

    Returns:
        Only metrics with an error above 0; nothing where a run kept no predictions.
    """
    wanted = [name for name in WATCHED if name in record.metrics]
    if not wanted or not (record.folder / PREDICTIONS).is_file():
        return {}
    found = _of_classes(record.predictions, wanted)
    for name in wanted:
        if name in record.test:  # one value per image
            values = record.test[name].dropna()
            found[name] = float(values.std(ddof=1) / np.sqrt(len(values)))
    return {name: error for name, error in found.items() if np.isfinite(error) and error > 0}


def _of_classes(predictions: pd.DataFrame, wanted: list[str]) -> dict[str, float]:
    if len(classes_of(predictions)) < 2:
        return {}
    run = scored(predictions).sorted()
    even = np.full(len(run), 1 / len(run))
    times = np.random.default_rng(len(run)).multinomial(len(run), even, size=RESAMPLES)
    names = [name for name in wanted if name not in predictions]
    return {name: float(np.nanstd(weighted(run, name, times), ddof=1)) for name in names}
