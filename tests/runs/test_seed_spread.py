"""How large a loss is seen, and how often chance is called one."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import f, t
from statsmodels.stats.multitest import multipletests

from covidlib.evaluation.effects import smallest_seen
from covidlib.runs.image_errors import image_errors
from covidlib.runs.moves import Move, moved, together
from covidlib.runs.record import Record
from covidlib.runs.regressions import EARLIER, LATEST, compare, outlook
from covidlib.runs.seed_spread import Group, _log_f, scaled, seed_groups, spread

SEEDS = (3, 3, 3, 3, *[1] * 16)  # per row: as in the book, few rows have more than one
UNIT = 0.04  # error over some 200 test images
NIGHTS = 200

# The spread


def test_alone_a_setting_has_its_own_spread_and_too_little_is_none():
    found = spread(Group(0.04, 3), [])
    assert (found.deviation, found.freedom, found.source) == (0.2, 3, "its own seeds")
    assert spread(Group(0.04, 1), []) is None and spread(Group(), []) is None


def test_settings_that_are_alike_are_pooled():
    others = [Group(variance, 2) for variance in (0.9, 1.0, 1.1)]
    found = spread(Group(2.0, 2), others)
    assert found.freedom == 8 and found.deviation**2 == pytest.approx((6 * 1.0 + 2 * 2.0) / 8)


def test_settings_that_are_not_alike_lend_little():
    others = [Group(variance, 20) for variance in (0.01, 0.1, 1.0, 10.0)]
    found = spread(Group(4.0, 10), others)
    assert found.freedom < 15 and found.deviation**2 > 2.5


def test_two_seeds_that_happen_to_agree_outweigh_nothing():
    others = [Group(1.2, 2), Group(0.8, 2), Group(2.0, 2), Group(0.5, 2)]
    with_them = spread(Group(), [*others, Group(1e-6, 1)])
    assert with_them.freedom == 9 and with_them.deviation == pytest.approx(1.0)


def test_the_density_is_that_of_f():
    x, two = np.array([0.1, 1.0, 3.0]), np.array([2.0, 8.0, 1e6])
    assert _log_f(x, 2.0, two) == pytest.approx(f.logpdf(x, 2, two))


def history(values, commit="a", seeds=SEEDS, unit=UNIT) -> pd.DataFrame:
    """Return rows of AUC, one list of values per setting."""
    facts = {"paper": "msatl", "profile": "laptop", "device": "cpu", "metric": "auc"}
    facts |= {"commit": commit * 40, "started": commit, "error": unit}
    return pd.DataFrame(
        facts | {"family": f"f{row}", "name": f"f{row}", "key": f"{row}-{seed}", "seed": seed,
                 "value": value}
        for row, several in enumerate(values)
        for seed, value in enumerate(several[: seeds[row]])
    )  # fmt: skip


def test_repetitions_of_seeds_are_no_further_seeds():
    values = [[0.70, 0.74, 0.72]]
    once = history(values)
    often = pd.concat([history(values, commit) for commit in "abcdefgh"], ignore_index=True)
    for known in (once, often):
        ((found,),) = seed_groups(scaled(known)).values()
        assert (found.freedom, found.variance) == (2, pytest.approx((0.02 / UNIT) ** 2))
    now = pd.concat([often, history([[0.66, 0.70, 0.68]], "i")], ignore_index=True)
    (row,) = compare(now, EARLIER, LATEST).to_dict("records")
    assert (row["runs, first"], row["runs, second"]) == (3, 3)


def test_a_row_on_fewer_images_needs_a_larger_difference():
    few = history([[0.7], [0.7]], seeds=(1, 1), unit=2 * UNIT).assign(
        family=["x", "y"], name=["x", "y"]
    )
    known = pd.concat([history([[0.68, 0.70, 0.72], [0.7]]), few], ignore_index=True)
    found = outlook(known).set_index("name")
    assert found.loc["x", "alone"] == pytest.approx(2 * found.loc["f1", "alone"])
    assert found.loc["f0", "among_all"] < found.loc["f1", "among_all"]


def test_rows_together_are_weighed_by_what_is_known_of_them():
    one = Move(0.7, 0.6, 3, 3, -0.1, 0.1, 8)
    two = Move(0.8, 0.8, 1, 1, 0.0, 0.2, 6)
    both = together([one, two, Move(0.5, 0.5, 1, 1, 0.0, same=True), Move(0.5, 0.1, 1, 1, -0.4)])
    assert both.difference == pytest.approx(-0.08) and both.error == pytest.approx(np.sqrt(0.008))
    assert (both.freedom, both.spread) == (6, "2 rows")
    assert together([one]) is None


def test_the_error_over_images_is_that_of_a_share_and_of_a_mean(tmp_path):
    labels = ["sick"] * 120 + ["well"] * 80
    right = np.arange(200) % 4 > 0
    sick = np.where((np.array(labels) == "sick") == right, 0.9, 0.1)
    table = pd.DataFrame({"sample": [f"{i}" for i in range(200)], "split": "test", "label": labels})
    table = table.assign(p_well=1 - sick, p_sick=sick)
    table.to_parquet(tmp_path / "predictions.parquet")
    (tmp_path / "record.json").write_text('{"metrics": {"accuracy": 0.75, "f1": 0.8}}')
    found = image_errors(Record(tmp_path))
    assert found == {"accuracy": pytest.approx(np.sqrt(0.75 * 0.25 / 200), rel=0.15)}
    overlaps = pd.DataFrame({"split": "test", "dice": [0.9, 0.8, 1.0, np.nan]})
    overlaps.to_parquet(tmp_path / "predictions.parquet")
    (tmp_path / "record.json").write_text('{"metrics": {"dice": 0.9}}')
    assert image_errors(Record(tmp_path)) == {"dice": pytest.approx(0.1 / np.sqrt(3))}


# Nights


class Nights:
    """Many nights of ``SEEDS``, drawn: each row's scores spread over seeds by ``spreads``.

    Args:
        loss: what the last row, of one seed, and the first, of three, have lost.
        unlike: how much settings differ in their spread (standard deviation of its logarithm).
    """

    def __init__(self, loss: float = 0.0, unlike: float = 0.0) -> None:
        self.rng, self.loss, self.unlike = np.random.default_rng(0), loss, unlike

    def draw(self) -> tuple[list[np.ndarray], list[np.ndarray]]:
        spreads = UNIT * np.exp(self.unlike * self.rng.normal(size=len(SEEDS)))
        sides = [
            [self.rng.normal(0.8, s, n) for s, n in zip(spreads, SEEDS, strict=True)]
            for _ in range(2)
        ]
        for row in (0, -1):
            sides[1][row] -= self.loss
        return sides[0], sides[1]


def now(before: list, after: list) -> np.ndarray:
    """Return the p values of every row as ``compare`` finds them, before their correction."""
    groups = [
        Group(values.var(ddof=1) / UNIT**2, len(values) - 1, f"f{row}")
        for row, values in enumerate(before)
        if len(values) > 1
    ]
    found = []
    for row, (x, y) in enumerate(zip(before, after, strict=True)):
        freedom = len(x) + len(y) - 2
        squares = (len(x) - 1) * (x.var(ddof=1) + y.var(ddof=1)) if freedom else 0.0
        own = Group(squares / freedom / UNIT**2, freedom) if freedom else Group()
        known = spread(own, [group for group in groups if group.family != f"f{row}"])
        error = known.deviation * UNIT * np.sqrt(1 / len(x) + 1 / len(y))
        found.append(2 * t.sf(abs(y.mean() - x.mean()) / error, known.freedom))
    return np.array(found)


def students(before: list, after: list) -> np.ndarray:
    """Return the p values of the plain rule: own seeds where there are any, else all pooled."""
    pooled = np.mean([x.var(ddof=1) for x in before if len(x) > 1])
    freedom = sum(len(x) - 1 for x in before)
    found = []
    for x, y in zip(before, after, strict=True):
        own = len(x) + len(y) - 2
        variance = (x.var(ddof=1) + y.var(ddof=1)) / 2 if own else pooled
        error = np.sqrt(variance * (1 / len(x) + 1 / len(y)))
        found.append(2 * t.sf(abs(y.mean() - x.mean()) / error, own or freedom))
    return np.array(found)


def corrected(p: np.ndarray) -> np.ndarray:
    return multipletests(p, method="fdr_bh")[1]


def test_the_shortcut_of_this_test_is_what_compare_does():
    before, after = Nights(loss=0.2).draw()
    both = pd.concat([history(before, "a"), history(after, "b")], ignore_index=True)
    # The second state has seeds of its own, which the shortcut leaves out of the pool.
    groups = seed_groups(scaled(history(before)))
    found = [
        moved(one, two, next(iter(groups.values()))).p
        for (_, one), (_, two) in zip(
            scaled(both[both["commit"] < "b"]).groupby("family", sort=False),
            scaled(both[both["commit"] > "b"]).groupby("family", sort=False),
            strict=True,
        )
    ]
    assert now(before, after) == pytest.approx(found)


@pytest.mark.parametrize("unlike", [0.0, 0.2])
def test_one_night_in_twenty_reports_what_is_not_there(unlike):
    nights = Nights(unlike=unlike)
    alarms = sum((corrected(now(*nights.draw())) < 0.05).any() for _ in range(NIGHTS))
    assert alarms / NIGHTS < 0.05 + 2 * np.sqrt(0.05 * 0.95 / NIGHTS)


def test_the_loss_that_is_promised_to_be_seen_is_seen_in_four_of_five_nights():
    few, many = (np.sqrt(2 / n) * UNIT for n in (1, 3))
    # 8 degrees of freedom from the other rows; of three seeds, 4 of its own and 6 of the others.
    for row, error, freedom in ((-1, few, 8), (0, many, 10)):
        loss = smallest_seen(error, freedom, len(SEEDS))
        nights = Nights(loss=loss)
        seen = np.mean([corrected(now(*nights.draw()))[row] < 0.05 for _ in range(NIGHTS)])
        assert seen == pytest.approx(0.8, abs=0.06)


def test_one_damaged_network_is_seen_where_the_plain_rule_over_every_metric_is_blind():
    nights = Nights(loss=0.15)
    drawn = [nights.draw() for _ in range(NIGHTS)]
    # The plain rule tests eight metrics of every row and corrects over all of them.
    plain = np.mean([students(*d)[0] * 8 * len(SEEDS) < 0.05 for d in drawn])
    # A network on its own is changed alone: the others repeat, bit for bit, and are not tested.
    alone = np.mean([now(*d)[0] < 0.05 for d in drawn])
    among_all = np.mean([corrected(now(*d))[0] < 0.05 for d in drawn])
    assert plain < 0.2 and among_all > 0.6 and alone > 0.95
