"""Table 6's page: LEEP in bits and nats, and what foretells the fine-tuned result."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from covidlib.book import Page, Parameters
from covidlib.evaluation import Interval
from covidlib.pages import leep_agreement
from covidlib.pages import leep_scores as parts
from covidlib.pages.results import NOT_YET
from covidlib.paths import RESULTS
from covidlib.plans import plan
from covidlib.runs.record import RECORD
from covidlib.runs.recorded import recorded
from covidlib.runs.spec import described
from covidlib.stage_scores import PLAN, read
from covidlib.transferability import FROM_FEATURES

R50 = [("r50", variant) for variant in ("baseline", "attn1", "attn5")]


def stage(network, stages="stl_n", classes=1000, **values):
    """Return what the page asks of the scores of one stage."""
    names = ("LEEP", "NCE", *FROM_FEATURES, "parameters")
    numbers = dict.fromkeys(names, 0.0) | values
    return SimpleNamespace(
        network=network,
        stages=stages,
        classes=classes,
        scores={name: Interval(v, v - 0.1, v + 0.1, 1, 425) for name, v in numbers.items()},
        bounds={"-H(Y)": -0.688},
        provenance={"profile": "laptop", "phantom": False},
    )


def test_leep_stands_in_bits_beside_the_paper_and_within_its_bounds():
    known = [stage(("r50", "baseline"), LEEP=-0.64)]
    frame = parts.table([], known).frame
    assert len(frame) == 36
    bits, nats = (frame.loc[("R-50 baseline, STL-N", name)] for name in (parts.BITS, parts.NATS))
    assert str(bits["paper"]) == "-0.908" and nats["paper"] is None
    assert bits["recorded"].value == pytest.approx(-0.64 / np.log(2))
    assert nats["recorded"].value == -0.64
    assert nats["recorded"].low == -0.688  # the bootstrap's -0.74 is not possible
    assert (bits["verdict"], nats["verdict"]) == ("reproduced", "")
    other = frame.loc[("R-50 1 ATTN, STL-N", parts.BITS)]
    assert other["recorded"] is None and other["verdict"] == "not testable here"


@pytest.mark.parametrize(
    ("stages", "classes", "judged"),
    [("none", 2, False), ("stl_n", 100, False), ("stl_n", 1000, True), ("stl_n+stl_m", 3, True)],
)
def test_sources_that_are_not_the_paper_s_get_no_verdict(stages, classes, judged):
    frame = parts.table([], [stage(("r50", "baseline"), stages, classes, LEEP=-0.3)]).frame
    words = parts.STAGES[stages]
    bits, nats = (frame.loc[(f"R-50 baseline, {words}", name)] for name in (parts.BITS, parts.NATS))
    assert bits["recorded"] is not None and nats["verdict"] == ""
    assert bits["verdict"] == ("above" if judged else "not testable here")


def test_a_recorded_stage_without_scores_is_not_among_the_trainings_behind_them(tmp_path):
    rows = {row.label: row.specs for row in plan(PLAN, "laptop", phantoms=False).rows}
    specs = [rows[f"R-50 {variant} w STL-N"][0] for variant in ("baseline", "1 ATTN")]
    for spec in specs:
        (tmp_path / "msatl" / spec.key).mkdir(parents=True)
        body = {"spec": described(spec), "provenance": {"seconds": 60.0}, "key": spec.key}
        (tmp_path / "msatl" / spec.key / RECORD).write_text(json.dumps(body))
    one = stage(R50[0], LEEP=-0.64)
    one.key = specs[0].key
    page = Page(Parameters(), None, tmp_path, tmp_path)
    told = parts.sentences(page, parts.table([], [one]), [one], [])
    assert (told["stages"], told["trainings"], told["minutes"]) == (1, 1, 1.0)
    assert told["rises"] == "its LEEP scores are not recorded yet"


def test_scores_are_compared_with_what_needs_none():
    truth = dict(zip(R50, (0.6, 0.7, 0.8), strict=True))
    scores = {
        network: stage(network, LEEP=-0.7 + 0.1 * n, parameters=5.0 - n)
        for n, network in enumerate(R50)
    }
    frame = leep_agreement.compare(scores, truth, dict.fromkeys(R50, 0.5)).frame
    assert list(frame.loc["LEEP"]) == ["+1.00", "17%", "+1.00"]  # one of six orders
    assert list(frame.loc["parameters"]) == ["-1.00", "100%", "-1.00"]
    assert frame.loc["GBC", "weighted τ"] == "+0.00" and frame.isna().loc["GBC", "Pearson"]
    assert list(frame.index)[-2:] == ["parameters", leep_agreement.TOP]
    some = leep_agreement.compare(scores, truth, {R50[0]: 0.5}).frame
    assert leep_agreement.TOP not in some.index


def test_both_scored_stages_are_set_beside_what_was_tuned_from_them():
    page = Page(Parameters(), None, RESULTS, RESULTS)
    scores = read(RESULTS)
    for stages, words in (("stl_n", "STL-N"), ("stl_n+stl_m", "STL-N, STL-M")):
        found = leep_agreement.agreement(page, scores, stages)
        assert f"3 networks after {words}." in found.caption
        assert (leep_agreement.TOP in found.frame.index) == (stages == "stl_n")
        own = {s.network: s for s in scores if s.stages == stages and s.network[0] == "r50"}
        label = {"stl_n": "w STL-N", "stl_n+stl_m": "w STL-N w STL-M"}[stages]
        topic = "msatl/ablation" if stages == "stl_n" else "msatl/unprinted"
        runs = recorded(topic, RESULTS)
        names = {"baseline": "baseline", "attn1": "1 ATTN", "attn5": "5 ATTNs"}
        areas = [runs[f"R-50 {names[v]} {label}"][0].metrics["auc"] for _, v in own]
        leep = [one.scores["LEEP"].value for one in own.values()]
        pearson = np.corrcoef(leep, areas)[0, 1]
        assert float(found.frame.loc["LEEP", "Pearson"]) == pytest.approx(pearson, abs=0.006)


def test_two_networks_have_no_order_to_speak_of():
    truth = dict(zip(R50[:2], (0.6, 0.7), strict=True))
    found = leep_agreement.compare({n: stage(n) for n in R50}, truth, {})
    assert found.frame.loc["all scores", "weighted τ"] == NOT_YET and "2 networks" in found.caption
