"""How well MAG-SD's attention finds what radiologists outlined, measured and kept.

It needs weights, which recorded results do not have. So the overlaps are computed where the
networks were trained, and kept as numbers beside the runs:
``python -m covidlib.localization_scores --help``. No map and no pixel of a real image is kept.
"""

from covidlib.localization_scores.averaging import drawn_means
from covidlib.localization_scores.keeping import (
    FEWEST,
    FOLDER,
    place,
    read,
    recorded,
    speaking,
    write,
)
from covidlib.localization_scores.scoring import (
    BLOB,
    CLASSES,
    COARSE,
    LETTERS,
    LUNGS,
    MEAN,
    MEASURES,
    MIDDLE,
    SIZE,
    THRESHOLDS,
    Overlaps,
    mean_attention,
    outlined,
    score_run,
    scores,
    specs,
)

__all__ = ["BLOB", "CLASSES", "COARSE", "FOLDER", "LETTERS", "LUNGS", "MEAN", "MEASURES", "SIZE"]
__all__ += ["THRESHOLDS", "Overlaps", "drawn_means", "mean_attention", "outlined", "place", "read"]
__all__ += ["FEWEST", "MIDDLE", "recorded", "score_run", "scores", "speaking", "specs", "write"]
