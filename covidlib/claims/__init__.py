"""Every qualitative claim of the three papers, with a computed verdict or a reason why not.

A claim is an experiment on recorded runs. To add those of another paper, write a module with a
tuple ``CLAIMS`` and name it here.
"""

from pathlib import Path

import pandas as pd

from covidlib.claims import magsd, manet, msatl
from covidlib.claims.claim import (
    INCONCLUSIVE,
    NOT_SUPPORTED,
    NOT_TESTABLE,
    SUPPORTED,
    VERDICTS,
    Claim,
    Counted,
    Partly,
    judge,
    ledger,
)
from covidlib.published import PAPERS

EXPERIMENTS: dict[str, tuple[Claim, ...]] = {
    "msatl": msatl.CLAIMS,
    "magsd": magsd.CLAIMS,
    "manet": manet.CLAIMS,
}


def ledgers(results: Path) -> dict[str, pd.DataFrame]:
    """Return the ledger of every paper; see ``ledger``."""
    return {paper: ledger(paper, EXPERIMENTS[paper], results) for paper in PAPERS}


__all__ = [
    "EXPERIMENTS",
    "INCONCLUSIVE",
    "NOT_SUPPORTED",
    "NOT_TESTABLE",
    "SUPPORTED",
    "VERDICTS",
    "Claim",
    "Counted",
    "Partly",
    "judge",
    "ledger",
    "ledgers",
]
