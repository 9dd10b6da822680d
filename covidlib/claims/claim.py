"""What a paper claims in words, as an experiment with a verdict."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from covidlib.claims.experiments import unmeasured
from covidlib.claims.rows import asked_of, lacking, never_named
from covidlib.errors import DataError
from covidlib.evaluation import holm
from covidlib.evaluation.contrasts import Effect
from covidlib.published import claims as printed_claims

SUPPORTED, NOT_SUPPORTED = "supported", "not supported"
INCONCLUSIVE, NOT_TESTABLE = "inconclusive", "not testable here"
VERDICTS = (SUPPORTED, NOT_SUPPORTED, INCONCLUSIVE, NOT_TESTABLE)
LEVEL = 0.05
NO_EXPERIMENT = "no experiment is written for it"
FEWEST = 3  # trainings per side, over all networks; fewer say nothing about a method: ours


@dataclass(frozen=True)
class Counted:
    """What counting decides, without images, trainings or chance.

    Args:
        holds: whether the claim does; None where it depends on how it is read.
        why: what was counted.
        records: what it was counted in, below the folder of results; nothing where the code of the
            networks says it.
    """

    holds: bool | None
    why: str
    records: tuple[str, ...] = ()


@dataclass(frozen=True)
class Partly:
    """What some recorded runs say of a claim that needs more of them.

    Args:
        why: what is there, and what they give.
        records: the runs, below the folder of results.
        effects: what they give, in the claim's direction.
        needs: what a test would take, where the claim's own needs are met.
    """

    why: str
    records: tuple[str, ...]
    effects: tuple[Effect, ...] = ()
    needs: str = ""


# A measured effect, a count, a part of the runs, or why there is none of these.
Found = Effect | Counted | Partly | str


@dataclass(frozen=True)
class Claim:
    """One qualitative claim.

    Args:
        id: as in ``claims.csv``, "msatl-Q01".
        statement: in our words, so that an effect above 0 agrees with it.
        experiment: from the folder ``book/results`` to the effect, to what counting decides, or to
            the reason why there is neither.
        measure: what the effect is, "AUC".
        printed: the same effect in the paper's own numbers; None where it prints none. An effect
            that leaves out what is not recorded has its own.
        necessary: the experiment tests only what must hold if the claim does: it can speak
            against the claim, never for it.
        note: what a reader has to know about the experiment.
        page: the topic of the paper's page that shows the experiment, "overall".
        needs: what a test would take; of recorded runs the ledger says itself which are missing.
    """

    id: str
    statement: str
    experiment: Callable[[Path], Found]
    measure: str = "AUC"
    printed: float | None = None
    necessary: bool = False
    note: str = ""
    page: str = ""
    needs: str = ""

    def printed_beside(self, found: Found) -> float | None:
        """Return the paper's own number of what was measured; of all units where nothing was."""
        own = found.printed if isinstance(found, Effect) else None
        return self.printed if own is None else own


def judge(claim: Claim, found: Found, p_value: float) -> tuple[str, str]:
    """Return the verdict and the reason for it.

    - *not testable here*: there is no effect, only a reason.
    - what is counted holds, does not hold, or is *inconclusive* where its wording decides.
    - *inconclusive*: fewer than three trainings per side, where those with one pre-training count
      as one; or no significance, while the paper's own effect lies within the interval, or is
      unknown.
    - *supported*: significant in the claim's direction.
    - *not supported*: significant against it; or not significant, with 0 in the interval, while
      the interval, corrected where the worst of several comparisons speaks, excludes the effect
      that the paper prints.

    Args:
        claim: what is claimed.
        found: what the experiment gave.
        p_value: its p value, adjusted for how many claims of the paper are tested.
    """
    verdict, reason = _judged(claim, found, p_value)
    part = found.part if isinstance(found, Effect) else ""
    return verdict, f"{reason}; {part}" if part else reason


def _judged(claim: Claim, found: Found, p_value: float) -> tuple[str, str]:
    if isinstance(found, str | Partly):
        return NOT_TESTABLE, found if isinstance(found, str) else found.why
    if isinstance(found, Counted):
        verdicts = {True: SUPPORTED, False: NOT_SUPPORTED, None: INCONCLUSIVE}
        return verdicts[found.holds], found.why
    if found.runs < FEWEST:
        return INCONCLUSIVE, f"{per_side(found.runs)}: the seed's part is not known"
    if p_value < LEVEL and found.value < 0:
        return NOT_SUPPORTED, "significant in the other direction"
    if p_value < LEVEL:
        if claim.necessary:
            return INCONCLUSIVE, "what the claim needs holds; that does not show the claim"
        return SUPPORTED, "significant in the claim's direction"
    if found.falls_short(claim.printed_beside(found)):
        return NOT_SUPPORTED, "the interval excludes the effect that the paper prints"
    return INCONCLUSIVE, f"not significant; effects below {found.smallest:.3f} escape this test"


def per_side(trainings: int) -> str:
    """Say how many trainings an effect's smaller side has; see ``Effect.runs``.

    >>> per_side(1)
    'one training per side, pre-training included'
    """
    number = "one training" if trainings == 1 else f"{trainings} trainings"
    return f"{number} per side, pre-training included"


def ledger(paper: str, experiments: Sequence[Claim], results: Path) -> pd.DataFrame:
    """Return every qualitative claim of a paper with its verdict.

    p values are adjusted by Holm over the paper's claims that give any effect, of a part too: which
    ones they are must not depend on what they give.

    Args:
        paper: "msatl", "magsd" or "manet".
        experiments: the claims that have one; the others are listed without.
        results: the folder ``book/results``.

    Returns:
        One row per claim, by id: where, statement, measure, effect (an ``Effect``), p_value
        (adjusted), printed, verdict, reason, note, page, needs, records, rows (plan and label).
        What there is not is missing or empty.

    Raises:
        DataError: an experiment for a claim that the paper does not make, or two for one.
    """
    listed = printed_claims(paper)
    listed = listed[listed["id"].str.contains("-Q")].set_index("id")
    known = {claim.id: claim for claim in experiments}
    if strangers := set(known) - set(listed.index):
        raise DataError(f"{paper} makes no claim {sorted(strangers)}")
    if len(known) < len(experiments):
        raise DataError(f"a claim of {paper} has two experiments")
    whole = {
        name: known.get(name, Claim(name, line["statement"], unmeasured(NO_EXPERIMENT)))
        for name, line in listed.iterrows()
    }
    found = {name: claim.experiment(results) for name, claim in whole.items()}
    chances = {name: e.p_value for name, e in found.items() if isinstance(e, Effect)}
    chances |= {
        name: e.effects[0].p_value
        for name, e in found.items()
        if isinstance(e, Partly) and e.effects
    }
    adjusted = holm(chances)
    found = {
        name: replace(e, tests=len(chances)) if isinstance(e, Effect) else e
        for name, e in found.items()
    }
    rows = []
    for name, claim in whole.items():
        one, p_value = found[name], float(adjusted.get(name, np.nan))
        verdict, reason = judge(claim, one, p_value)
        tested = isinstance(one, Effect)
        rows.append(
            {"where": listed.loc[name, "where"], "statement": claim.statement}
            | {"measure": claim.measure, "effect": one if tested else None}
            | {"p_value": p_value if tested else None, "printed": claim.printed_beside(one)}
            | {"verdict": verdict, "reason": reason, "note": _note(claim, results)}
            | {"page": claim.page}
            | {"needs": needed(claim, one, p_value, results)}
            | {"records": getattr(one, "records", ()), "rows": tuple(asked_of(claim.experiment))}
        )
    return pd.DataFrame(rows, index=listed.index, dtype=object)


def _note(claim: Claim, results: Path) -> str:
    """Return what a reader has to know: of the experiment, and of rows that hardly learnt."""
    rows = never_named(claim.experiment, results)
    told = (
        f"Recorded rows that in no run name all their classes: {rows}. Such rows tell how far a "
        "training came, not what a design can do."
    )
    return f"{claim.note} {told}".strip() if rows else claim.note


def needed(claim: Claim, found: Found, p_value: float, results: Path) -> str:
    """Say what a claim without a clear verdict would take, "" where nothing is missing.

    - *not testable here*: what the claim says itself, or the rows whose runs are not recorded.
    - *inconclusive*: those rows; three trainings per side; or how much more data would make the
      smallest visible effect as small as the one that the paper prints. It shrinks with the square
      root of their number, and faster where few trainings have few degrees of freedom.
    """
    rows = lacking(claim.experiment, results)
    verdict, _ = judge(claim, found, p_value)
    if verdict == NOT_TESTABLE:
        own = found.needs if isinstance(found, Partly) else ""
        if own or claim.needs or rows:
            return own or claim.needs or rows
        learnt = not never_named(claim.experiment, results)
        return "more runs of its rows" if learnt else "trainings after which its rows differ"
    if verdict != INCONCLUSIVE or not isinstance(found, Effect):
        return ""
    told, printed = [rows] if rows else [], claim.printed_beside(found)
    if found.runs < FEWEST:
        told.append(per_side(FEWEST))
    elif p_value >= LEVEL and printed is not None and 0 < printed < found.smallest:
        more = (found.smallest / printed) ** 2
        rounded = float(f"{more:.2g}")
        told.append(
            f"up to {rounded:,.0f} times as many images and trainings, to see what the paper prints"
        )
    return "; and ".join(told)
