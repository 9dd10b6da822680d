"""Whether results moved between two states of the code, by more than seeds move them."""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from covidlib.errors import RunError
from covidlib.evaluation.comparisons import holm
from covidlib.settings import PROFILES

HIGHER_IS_WORSE = ("loss", "error", "brier", "ece", "distance")
WORSE, BETTER, NO_CHANGE, UNKNOWN = "worse", "better", "no change seen", "spread unknown"
EARLIER, LATEST = "earlier", "latest"
LEVEL = 0.05
FEWEST = 2  # degrees of freedom without which a spread is a guess
FAMILIES = 5  # from as many on it is tested whether they moved together


class NothingInCommonError(RunError):
    """Two states of the results that share no settings."""


@dataclass(frozen=True)
class Spread:
    """A standard deviation over seeds, its degrees of freedom, and whose it is."""

    deviation: float
    freedom: int
    source: str


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
    """Compare what was measured in two states, family by family and metric by metric.

    Runs are matched by their settings. Where none match, as between two profiles, they are matched
    by the readable name; of several settings with one name those with most runs count. Where that
    fails too, as between two keys, one group is set against one.

    The test is Student's, with the standard deviation over seeds of the two groups. Where these
    have too few seeds, that of all families of the same paper, profile and metric is taken. p
    values are corrected by Holm over the families.

    A fault often moves every result a little and none by more than its seeds do. So where five
    families or more share a metric, a last row tests them together, families as the unit of a
    paired test; these rows are corrected among themselves.

    Args:
        history: see ``covidlib.runs.history.read``.
        first: a profile, a commit or a key; "earlier" means all before the second, on other
            commits.
        second: a profile, a commit, a key, or "latest", the commit of the last run.
        metrics: only these; all if empty.

    Returns:
        One row per name and metric, then those of all families: means, numbers of runs,
        difference, detectable (the smallest difference that this comparison would have called
        one), p, spread, finding.

    Raises:
        RunError: nothing of that name, or a name with two meanings.
        NothingInCommonError: nothing to compare.
    """
    if metrics:
        history = history[history["metric"].isin(metrics)]
    two = select(history, second)
    one = _before(history, two) if first == EARLIER else select(history, first)
    one, two, by = _matched(one, two)
    if by is None:
        raise NothingInCommonError(f"{first!r} and {second!r} have no settings in common")
    rows = []
    for (group, metric), before in one.groupby([by, "metric"], sort=False):
        after = two[(two[by] == group) & (two["metric"] == metric)]
        if len(after):
            rows.append(_row(history, before, after, metric))
    frame, all_families = pd.DataFrame(rows), pd.DataFrame(_together(pd.DataFrame(rows)))
    frame["p"] = holm(frame["p"])
    if len(all_families):
        all_families["p"] = holm(all_families["p"])
        frame = pd.concat([frame, all_families], ignore_index=True)
    frame["finding"] = [
        _finding(*row) for row in zip(frame["metric"], frame["difference"], frame["p"], strict=True)
    ]
    return frame


def _before(history: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    other = ~history["commit"].isin(after["commit"])
    return history[other & (history["started"] < after["started"].min())]


def _matched(one: pd.DataFrame, two: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame, str | None]:
    """Return both sides and the column that matches their rows; None where nothing does."""
    if set(one["family"]) & set(two["family"]):
        return one, two, "family"
    if set(one["name"]) & set(two["name"]):
        return _main(one), _main(two), "name"
    if len(one["family"].unique()) == len(two["family"].unique()) == 1:
        return one, two.assign(name=one.iloc[0]["name"]), "name"
    return one, two, None


def _main(runs: pd.DataFrame) -> pd.DataFrame:
    """Keep of each name the settings with most runs; the later ones where two have as many."""
    times = runs.groupby(["name", "family"], sort=False)["key"].nunique().reset_index()
    chosen = times.sort_values("key", kind="stable").groupby("name").tail(1)
    return runs[runs["family"].isin(chosen["family"])]


def _together(rows: pd.DataFrame) -> list[dict]:
    """Return a row per metric that enough families have: whether they moved together."""
    found = []
    for metric, group in rows.groupby("metric", sort=False):
        if (count := len(group)) < FAMILIES:
            continue
        moved = float(group["difference"].mean())
        error = float(group["difference"].std()) / math.sqrt(count)
        detectable, p = _student(moved, error, count - 1)
        means = group[["first", "second"]].mean().to_dict()
        runs = group[["runs, first", "runs, second"]].sum().to_dict()
        test = {"difference": moved, "detectable": detectable, "spread": "families", "p": p}
        found.append({"name": f"all {count} together", "metric": metric, **means, **runs, **test})
    return found


def _student(difference: float, error: float, freedom: int) -> tuple[float, float]:
    """Return the smallest difference that would be called one, and the p value of this one."""
    from scipy.stats import t as student

    detectable = float(student.ppf(1 - LEVEL / 2, freedom)) * error
    if not error:  # nothing varies, so any change is one
        return detectable, float(difference == 0)
    return detectable, float(2 * student.sf(abs(difference) / error, freedom))


def _row(history: pd.DataFrame, before: pd.DataFrame, after: pd.DataFrame, metric: str) -> dict:
    x, y = before["value"].to_numpy(float), after["value"].to_numpy(float)
    difference = float(y.mean() - x.mean())
    found = spread([x, y], history, before.iloc[0])
    p = detectable = math.nan
    if found is not None:
        error = found.deviation * math.sqrt(1 / len(x) + 1 / len(y))
        detectable, p = _student(difference, error, found.freedom)
    return {
        "name": before.iloc[0]["name"],
        "metric": metric,
        "first": float(x.mean()),
        "runs, first": len(x),
        "second": float(y.mean()),
        "runs, second": len(y),
        "difference": difference,
        "detectable": detectable,
        "spread": found.source if found else "",
        "p": p,
    }


def spread(groups: list[np.ndarray], history: pd.DataFrame, like: pd.Series) -> Spread | None:
    """Return how far seeds move a metric: within the groups, else within families like these.

    Args:
        groups: values of runs that differ in seed alone.
        history: everything recorded.
        like: a row of it, whose paper, profile and metric count.

    Returns:
        None where fewer than two degrees of freedom are known.
    """
    if own := _pooled(groups, "its own seeds"):
        return own
    same = history
    for column in ("paper", "profile", "metric"):
        same = same[same[column] == like[column]]
    families = same.groupby(["family", "commit", "device"])["value"]
    return _pooled([values.to_numpy(float) for _, values in families], "seeds of other settings")


def _pooled(groups: list[np.ndarray], source: str) -> Spread | None:
    freedom = sum(len(group) - 1 for group in groups if len(group))
    if freedom < FEWEST:
        return None
    squares = sum(((group - group.mean()) ** 2).sum() for group in groups if len(group))
    return Spread(math.sqrt(squares / freedom), freedom, source)


def _finding(metric: str, difference: float, p: float) -> str:
    if math.isnan(p):
        return UNKNOWN
    if p >= LEVEL:
        return NO_CHANGE
    lower_is_better = any(word in metric for word in HIGHER_IS_WORSE)
    return BETTER if (difference < 0) == lower_is_better else WORSE
