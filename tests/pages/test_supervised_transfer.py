"""Table 1's page: verdicts on ImageNet alone, paired gains, and what the stages see."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pytest

from covidlib.pages import stage_sources
from covidlib.pages import supervised_transfer as parts
from covidlib.plans import plan
from covidlib.published import paper_value
from covidlib.verdicts import NOT_TESTABLE

LABELS = [row.label for row in plan(parts.NAME, "smoke", phantoms=True).rows]


@dataclass
class Finished:
    """What the page asks of a record."""

    right: int
    data: str = "imagenet"
    key: str = "a-run"
    images: int = 1000
    provenance: dict = field(init=False)

    def __post_init__(self):
        self.provenance = {"profile": "paper", "phantom": False, "data": self.data}

    @property
    def predictions(self) -> pd.DataFrame:
        """The first ``right`` images are right, the next ten among the first five."""
        rank = np.full(self.images, 9)
        rank[: self.right + 10], rank[: self.right] = 4, 1
        names = [f"{n:04d}" for n in range(self.images)]
        label = [f"class {n % 7}" for n in range(self.images)]
        return pd.DataFrame({"sample": names, "split": "test", "label": label, "rank": rank})


def test_only_scores_on_imagenet_are_judged():
    printed = paper_value("msatl", 1, "top1", model="r50", variant="baseline", stages="stl_n")
    known = {
        "R-50 baseline": [Finished(round(1000 * printed.value))],
        "R-50 1 ATTN": [Finished(100)],
        "R-50 5 ATTNs": [Finished(100, data="tiny-imagenet-100")],
    }
    frame = parts.table({}, known).frame
    assert frame.loc[("R-50 baseline", "top-1 accuracy"), "verdict"] == "reproduced"
    assert frame.loc[("R-50 1 ATTN", "top-1 accuracy"), "verdict"] == "below"
    assert frame.loc[("R-50 1 ATTN", "top-5 accuracy"), "recorded"].value == pytest.approx(0.11)
    other = frame.loc["R-50 5 ATTNs"]
    assert (other["verdict"] == NOT_TESTABLE).all() and other["recorded"].notna().all()
    assert (frame.loc["R-101 5 ATTNs", "verdict"] == NOT_TESTABLE).all()
    assert list(frame.index.get_level_values(0).unique()) == LABELS


def test_gains_are_paired_and_judged_on_imagenet_alone():
    known = {"R-50 baseline": [Finished(500)], "R-50 5 ATTNs": [Finished(520)]}
    frame = parts.gains_table({}, known).frame
    line = frame.loc[("R-50 5 ATTNs", "top-1 accuracy")]
    assert str(line["paper"]) == "0.011" and line["this run"] is None
    # 20 of 1000 images changed sides: 0.020 give or take 1.96 sqrt(0.02 * 0.98 / 999)
    found = line["recorded"]
    assert (found.value, found.low, found.high) == pytest.approx((0.02, 0.01132, 0.02868), abs=1e-5)
    assert line["verdict"] == "reproduced"  # 0.0113 may have been rounded to the printed 0.011
    known["R-50 5 ATTNs"] = [Finished(540)]
    more = parts.gains_table({}, known).frame
    assert more.loc[("R-50 5 ATTNs", "top-1 accuracy"), "verdict"] == "above"
    other = frame.loc[("R-101 1 ATTN", "top-5 accuracy")]
    assert other["recorded"] is None and other["verdict"] == NOT_TESTABLE and len(frame) == 8
    known = {label: [Finished(500, data="tiny-imagenet-100")] for label in LABELS}
    frame = parts.gains_table({}, known).frame
    assert (frame["verdict"] == NOT_TESTABLE).all() and frame["recorded"].notna().all()


def test_the_recipe_is_the_papers_beside_the_profiles():
    frame = stage_sources.settings_table("laptop")
    assert frame.loc["learning rate", "STL-N, paper"] == "0.1"
    assert frame.loc["divided by 10 after epochs", "STL-N, paper"] == "30, 60"
    assert frame.loc["learning rate", "STL-M, paper"] == "0.0002"
    assert frame.loc["learning rate", "STL-M, profile laptop"] == "0.002"
    assert frame.loc["enters the network", "STL-M, profile laptop"] == "64²"
