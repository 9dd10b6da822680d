"""Whether results moved between two states of the code, by more than seeds move them."""

import math
import re

import pandas as pd

from covidlib.errors import RunError
from covidlib.evaluation.effects import LEVEL, smallest_seen
from covidlib.runs.image_errors import WATCHED
from covidlib.runs.moves import Move, moved, together
from covidlib.runs.seed_spread import scaled, seed_groups
from covidlib.settings import PROFILES

HIGHER_IS_WORSE = ("loss", "error", "brier", "ece", "distance")
WORSE, BETTER, NO_CHANGE = "worse", "better", "no change seen"
UNKNOWN, SAME = "spread unknown", "the same, bit for bit"
EARLIER, LATEST = "earlier", "latest"


class NothingInCommonError(RunError):
    """Two states of the results that share no settings."""


def select(history: pd.DataFrame, what: str) -> pd.DataFrame:
    """Return the runs of a profile, of a commit (its first digits) or of a key (its beginning).

    "latest" is the commit of the run that started last.

    Raises:
        RunError: nothing fits, or two commits do.
    """
    if what in PROFILES:
        found = history[history["profile"] == what]
    elif what == LATEST:
        found = history[history["commit"].isin(history["commit"].tail(1))]
    else:
        found = history[history["commit"].str.startswith(what, na=False)]
        if len(commits := found["commit"].unique()) > 1:
            raise RunError(f"{what!r} begins {len(commits)} commits; give more digits")
        if found.empty:
            found = history[history["key"].str.startswith(what)]
    if found.empty:
        commits = ", ".join(dict.fromkeys(history["commit"].str[:8])) or "none"
        raise RunError(
            f"no recorded run of a profile, commit or key {what!r}; commits with runs: {commits}"
        )
    return found


def compare(history: pd.DataFrame, first: str, second: str, metrics: tuple = ()) -> pd.DataFrame:
    """Compare what was measured in two states, row by row as in a printed table.

    A row is all folds and seeds of the same settings. Where two named states share none, as two
    profiles do not, rows are matched by their readable name; of several settings with one name
    those with most runs count. Where that fails too, as between two keys, one is set against one.

    The test is Student's with the spread over seeds, see ``covidlib.runs.seed_spread``. A training
    that repeats another bit for bit is not tested: after a change that touches one network, the
    others do not dilute it. A fault often moves every result a little and none by more than its
    seeds do, so where two rows or more moved, a last row tests their weighted mean.

    p values are corrected over the table (Benjamini and Hochberg 1995). Where nothing happened, one
    table in twenty reports a change; where something did, one in twenty of the reported is chance.

    Args:
        history: see ``covidlib.runs.history.read``.
        first: a profile, a commit or a key; "earlier" is for every seed its newest recorded run
            before the second and on another commit or, where none is recorded, its first run. What
            a night measured is no yardstick of the next: a slow decline would not be seen.
        second: a profile, a commit, a key, or "latest", the commit of the last run.
        metrics: only these; if empty AUC, accuracy and Dice, or all of a row that has none of them.

    Returns:
        One row per name and metric, then all that moved: means, numbers of runs, difference,
        detectable (the smallest difference that is found in four of five cases), p, spread,
        finding.

    Raises:
        RunError: nothing of that name, or a name with two meanings.
        NothingInCommonError: nothing to compare.
    """
    history = scaled(watched(history, metrics))
    two = select(history, second)
    one = _before(history, two) if first == EARLIER else select(history, first)
    one, two, by = _matched(one, two, by_name=first != EARLIER)
    groups, rows = seed_groups(history), []
    for (group, metric), before in one.groupby([by, "metric"], sort=False):
        after = two[(two[by] == group) & (two["metric"] == metric)]
        if len(after):
            move = moved(before, after, groups.get(before["pool"].iloc[0], []))
            rows.append((_title(before), metric, move))
    for metric in dict.fromkeys(metric for _, metric, _ in rows):
        moves = [move for _, other, move in rows if other == metric]
        if all_of_them := together(moves):
            rows.append((f"all {all_of_them.spread} together", metric, all_of_them))
    return _concluded(rows)


def outlook(history: pd.DataFrame) -> pd.DataFrame:
    """Return what the next night could see, if it repeats the recorded seeds of every row.

    Returns:
        One row per name and metric: mean, folds, seeds (of a fold), alone and among_all: the
        smallest difference that is found in four of five cases, where a change of the code moved
        this row only, and where it moved all of them; spread.
    """
    history = scaled(watched(history))
    now = _yardstick(history)
    groups, found = seed_groups(history), []
    for (row, metric), runs in now.groupby(["row", "metric"], sort=False):
        again = runs.assign(digest=None)  # the same seeds, trained otherwise
        move = moved(runs, again, groups.get(runs["pool"].iloc[0], []))
        folds = len(runs["family"].unique())
        facts = {"row": row, "name": _title(runs), "metric": metric, "mean": move.first}
        found.append((facts | {"folds": folds, "seeds": move.runs_first / folds}, move))
    tests = sum(move.tested for _, move in found)
    its = pd.Series([facts["row"] for facts, move in found if move.tested]).value_counts()
    return pd.DataFrame(
        facts
        | {"alone": smallest_seen(move.error, move.freedom, int(its.get(facts["row"], 1)))}
        | {"among_all": smallest_seen(move.error, move.freedom, tests), "spread": move.spread}
        for facts, move in found
    )


def watched(history: pd.DataFrame, metrics: tuple = ()) -> pd.DataFrame:
    """Keep these metrics; if none is named, those that are watched, or all of a row without any."""
    if metrics:
        return history[history["metric"].isin(metrics)]
    known = history["metric"].isin(WATCHED)
    return history[known | ~known.groupby(history["family"]).transform("any")]


def _before(history: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    other = ~history["commit"].isin(after["commit"])
    return _yardstick(history[other & (history["started"] < after["started"].min())])


def _yardstick(history: pd.DataFrame) -> pd.DataFrame:
    """Return of every seed its newest recorded run or, where none is recorded, its first run."""
    by = ["family", "seed", "metric"]
    first = history.drop_duplicates(by, keep="first")
    newest = history[history["recorded"]].drop_duplicates(by, keep="last")
    return pd.concat([newest, first]).drop_duplicates(by).sort_index()


def _matched(
    one: pd.DataFrame, two: pd.DataFrame, by_name: bool
) -> tuple[pd.DataFrame, pd.DataFrame, str]:
    """Return both sides and the column that matches their rows."""
    if shared := set(one["family"]) & set(two["family"]):
        return one[one["family"].isin(shared)], two[two["family"].isin(shared)], "row"
    if by_name and set(one["name"]) & set(two["name"]):
        return _main(one), _main(two), "name"
    if by_name and len(one["family"].unique()) == len(two["family"].unique()) == 1:
        return one, two.assign(name=one.iloc[0]["name"]), "name"
    raise NothingInCommonError("the two states have no settings in common")


def _main(runs: pd.DataFrame) -> pd.DataFrame:
    """Keep of each name the settings with most runs; the later ones where two have as many."""
    times = runs.groupby(["name", "family"], sort=False)["key"].nunique().reset_index()
    chosen = times.sort_values("key", kind="stable").groupby("name").tail(1)
    return runs[runs["family"].isin(chosen["family"])]


def _title(runs: pd.DataFrame) -> str:
    """Return the readable name of a row, without the fold where it has several."""
    name = str(runs["name"].iloc[0])
    return re.sub(r"-fold\d+", "", name) if len(runs["family"].unique()) > 1 else name


def _concluded(rows: list[tuple[str, str, Move]]) -> pd.DataFrame:
    """Correct the p values over the table, and say what each of them means."""
    from statsmodels.stats.multitest import multipletests

    frame = pd.DataFrame({"name": n, "metric": m, **move.shown()} for n, m, move in rows)
    tests = frame["p"].notna()
    count = int(tests.sum())
    if count:
        frame.loc[tests, "p"] = multipletests(frame.loc[tests, "p"], method="fdr_bh")[1]
    frame["detectable"] = [
        smallest_seen(move.error, move.freedom, count) if move.tested else math.nan
        for _, _, move in rows
    ]
    frame["finding"] = [
        SAME if move.same else _finding(metric, move.difference, p)
        for (_, metric, move), p in zip(rows, frame["p"], strict=True)
    ]
    return frame.drop(columns=["error", "freedom", "same"])


def _finding(metric: str, difference: float, p: float) -> str:
    if math.isnan(p):
        return UNKNOWN
    if p >= LEVEL:
        return NO_CHANGE
    lower_is_better = any(word in metric for word in HIGHER_IS_WORSE)
    return BETTER if (difference < 0) == lower_is_better else WORSE
