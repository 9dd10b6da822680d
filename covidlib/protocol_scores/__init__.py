"""What the evaluation of magsd's released code says of trained networks, measured and kept.

It needs weights, which recorded results do not have. So the scores are computed where the networks
were trained, and kept as numbers beside the runs: ``python -m covidlib.protocol_scores --help``.
"""

from covidlib.protocol_scores.keeping import FOLDER, read, write
from covidlib.protocol_scores.scoring import (
    BATCH,
    BATCHES,
    PLAN,
    REPEATS,
    ProtocolScores,
    drawn_again,
    mean_negative_value,
    score_run,
)

__all__ = ["BATCH", "BATCHES", "FOLDER", "PLAN", "REPEATS", "ProtocolScores", "drawn_again"]
__all__ += ["mean_negative_value", "read", "score_run", "write"]
