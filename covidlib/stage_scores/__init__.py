"""How well each source stage should serve COVID19-CT: LEEP and its relatives, measured and kept.

The scores need a stage's weights (msatl sec. 6.7), which recorded results do not have. So they are
computed where the stages were trained, and kept as numbers beside the runs:
``python -m covidlib.stage_scores --help``.
"""

from covidlib.stage_scores.keeping import by_network, is_kept, read, write
from covidlib.stage_scores.scoring import (
    PLAN,
    UNTRAINED,
    StageScores,
    outputs,
    score_plan,
    score_stage,
    stages_of,
    target_of,
)

__all__ = [
    "PLAN",
    "UNTRAINED",
    "StageScores",
    "by_network",
    "is_kept",
    "outputs",
    "read",
    "score_plan",
    "score_stage",
    "stages_of",
    "target_of",
    "write",
]
