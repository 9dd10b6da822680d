"""Every check of the audit in one table: how much was looked at, and how much of it agrees."""

from dataclasses import astuple, dataclass

import pandas as pd

from covidlib.audit import averages, class_mixes, leep_bound, magsd_rows, prose, spread
from covidlib.audit.configurations import configurations, repeats, set_sizes
from covidlib.audit.f1_cap import f1_table
from covidlib.audit.grim import grim
from covidlib.audit.improvements import improvement_counts
from covidlib.audit.rounding import EXACT, OFF, ROUNDING
from covidlib.published import published

COLUMNS = ("paper", "what was checked", "where", "checked", "consistent", "not", "section")


@dataclass(frozen=True)
class Check:
    """One line of the overview; "consistent" includes what rounding explains."""

    paper: str
    what: str
    where: str
    checked: int
    consistent: int
    section: str

    def row(self) -> tuple[object, ...]:
        """Return the line in the order of ``COLUMNS``."""
        *first, section = astuple(self)
        return (*first, self.checked - self.consistent, section)


def manet_trials() -> dict[str, str]:
    """Return the thirty single-trial accuracies of manet Table 2, as printed."""
    frame = published("manet", 2)
    frame = frame[frame["trial"] != "average"]
    return {f"{row.model}, trial {row.trial}": row.value for row in frame.itertuples()}


def manet_test_images() -> int:
    """Return the size of manet's test set (Table 1)."""
    return int(published("manet", 1).query("split == 'test'")["value"].astype(int).sum())


def _verdicts(paper: str, what: str, where: str, verdicts: pd.Series, section: str) -> Check:
    return Check(paper, what, where, len(verdicts), int((verdicts != OFF).sum()), section)


def _msatl() -> list[Check]:
    cells, again = configurations(), repeats()
    single = grim(cells["accuracy"].to_dict(), sum(set_sizes("test")), (1,))[1]
    caps, improved = f1_table(), improvement_counts()
    said, scores = prose.prose(), leep_bound.leep_cells()
    own = said.loc[said["paper"] == "msatl", "verdict"]
    agree = int(improved[[EXACT, ROUNDING]].to_numpy().sum())
    cap, bound = "F1 within what the accuracy allows, either class", "LEEP above minus the entropy"
    return [
        Check("msatl", "accuracy is k of 203", "Tables 2-5", len(single), int(single.sum()), "1"),
        Check("msatl", cap, "Tables 2-5", len(caps), int((~caps["above_either"]).sum()), "2"),
        Check("msatl", "improvement is a difference of cells", "Tables 1, 2, 4, 5",
              int(improved["cells"].sum()), agree, "3"),
        _verdicts("msatl", "number in a sentence follows from a table", "sec. 6.3-6.6", own, "3"),
        Check("msatl", "cell printed again is the same", "Tables 2-5", len(again),
              int(again["equal"].sum()), "3"),
        Check("msatl", f"{bound}, in nats", "Table 6", len(scores),
              int((~scores["below_nats"]).sum()), "4"),
        Check("msatl", f"{bound}, in bits", "Table 6", len(scores),
              int((~scores["below_bits"]).sum()), "4"),
    ]  # fmt: skip


def _magsd() -> list[Check]:
    said, recalls = prose.prose(), class_mixes.recall_table()
    own = said.loc[said["paper"] == "magsd", "verdict"]
    repeated, equal = magsd_rows.proposed_rows_agree()
    agree = int(recalls["possible"].sum())
    return [
        Check(
            "magsd", "ACC can go with SEN as mean recall", "Tables 3-8", len(recalls), agree, "6"
        ),
        Check("magsd", "proposed row is the same everywhere", "Tables 3-8", repeated, equal, "6"),
        _verdicts("magsd", "number in a sentence is that of the table", "sec. 4.4.1", own, "3"),
    ]  # fmt: skip


def _manet() -> list[Check]:
    said, report = prose.prose(), averages.report_from_confusion()
    own = said.loc[said["paper"] == "manet", "verdict"]
    trials, images = manet_trials(), manet_test_images()
    single = grim(trials, images, (1,))[1]
    overall = averages.overall_iou()["verdict"].head(1)
    return [
        Check("manet", f"accuracy is k of {images}", "Table 2", len(single), int(single.sum()),
              "1"),
        _verdicts("manet", "average of three trials", "Table 2",
                  averages.trial_averages()["verdict"], "5"),
        _verdicts("manet", "overall IoU is the mean over images", "sec. 4.1", overall, "5"),
        _verdicts("manet", "time increase follows from the times", "Table 3",
                  averages.time_increases()["verdict"], "5"),
        _verdicts("manet", "class scores follow from the confusion matrix", "Tables 4, 5",
                  report["verdict"], "5"),
        _verdicts("manet", "number in a sentence follows from a table", "sec. 1, 4.2", own, "3"),
    ]  # fmt: skip


def overview() -> pd.DataFrame:
    """Run every check.

    Returns:
        One row per check, columns ``COLUMNS``; "section" is that of the audit page.
    """
    totals = averages.sums()
    checks = [*_msatl(), *_magsd(), *_manet()]
    checks.append(_verdicts("all three", "parts add up to the total", "magsd Table 1, manet "
                            "Table 1, msatl sec. 6.1", totals["verdict"], "5"))  # fmt: skip
    return pd.DataFrame([check.row() for check in checks], columns=COLUMNS)


def noise_overview() -> pd.DataFrame:
    """Count the printed margins that cannot stand out from noise, paper by paper.

    Returns:
        Columns paper, margins (which), checked, within noise, criterion.
    """
    images, folds, trials = spread.accuracy_margins(), spread.ablations(), spread.trial_tests()
    rows = []
    for kind, group in images.groupby("comparison", sort=False):
        least = "McNemar's smallest possible p is above 0.05"
        rows.append(("msatl", kind, len(group), int((group["p"] > 0.05).sum()), least))
    std = "below the smaller of the two standard deviations"
    rows.append(("magsd", "ablations", len(folds), int(folds["within_smaller"].sum()), std))
    never = "no correlation between the arms makes it significant"
    rows.append(("magsd", "ablations", len(folds), int((folds["correlation"] > 1).sum()), never))
    paired = "paired t test over three trials, p above 0.05"
    lost = int((trials["p_paired"] > 0.05).sum())
    rows.append(("manet", "mask attention", len(trials), lost, paired))
    return pd.DataFrame(rows, columns=["paper", "margins", "checked", "within noise", "criterion"])
