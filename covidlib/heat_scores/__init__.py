"""Where trained networks look in positive slices, measured and kept (msatl sec. 6.8, Figure 4).

Maps need weights, which recorded results do not have. So their scores are computed where the
networks were trained, and kept as numbers beside the runs:
``python -m covidlib.heat_scores --help``. The few maps that Figure 4 shows are kept too, cell by
cell; no pixel of a real slice is.
"""

from covidlib.heat_scores.keeping import is_kept, read, write
from covidlib.heat_scores.scoring import (
    ATTENTION,
    BLOB,
    GRAD_CAM,
    GRAD_CAM_5,
    KINDS,
    PLAN,
    HeatScores,
    maps_of,
    networks,
    score_maps,
    score_pair,
)
from covidlib.heat_scores.slices import SIZE, Slices, hulls, positive_slices, shown

__all__ = [
    "ATTENTION",
    "BLOB",
    "GRAD_CAM",
    "GRAD_CAM_5",
    "KINDS",
    "PLAN",
    "SIZE",
    "HeatScores",
    "Slices",
    "hulls",
    "is_kept",
    "maps_of",
    "networks",
    "positive_slices",
    "read",
    "score_maps",
    "score_pair",
    "shown",
    "write",
]
