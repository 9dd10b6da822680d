import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from synthetic_predictions import predictions

from covidlib.claims import INCONCLUSIVE, NOT_TESTABLE, SUPPORTED, ledger, msatl
from covidlib.claims.experiments import Contrast, Every
from covidlib.claims.msatl import CLAIMS
from covidlib.claims.stages import heat_in_lungs
from covidlib.heat_scores import ATTENTION, GRAD_CAM, KINDS, HeatScores, networks, write
from covidlib.plans import plan
from covidlib.published import claims, paper_value
from covidlib.runs.record import CURVE, PREDICTIONS, RECORD
from covidlib.runs.spec import described

BY_ID = {claim.id[-2:]: claim for claim in CLAIMS}


def keep(results: Path, spec, table: pd.DataFrame, profile: str = "laptop") -> None:
    """Write a recorded run that never was."""
    folder = results / "msatl" / spec.key
    if folder.exists():
        return
    folder.mkdir(parents=True)
    provenance = {"phantom": False, "profile": profile, "seconds": 1.0}
    body = {"key": spec.key, "spec": described(spec), "metrics": {}, "provenance": provenance}
    (folder / RECORD).write_text(json.dumps(body))
    table.to_parquet(folder / PREDICTIONS)
    pd.DataFrame({"epoch": [0], "loss": [1.0]}).to_csv(folder / CURVE)


def skill(cell) -> float:
    gain = {"none": 0.0, "stl_n": 0.6, "stl_m": 0.6, "full": 1.2}[cell["stages"]]
    if cell.get("ssl") in ("moco", "simclr"):
        gain -= 0.5
    return 0.3 + gain * (0.4 if cell["variant"] == "baseline" else 1.5)


def world(results: Path, profile: str) -> Path:
    """Record three seeds of a world in which attention transfers better, and the method helps."""
    for name in ("attention_benefit", "ablation", "ssl_comparison"):
        chosen = plan(f"msatl/{name}", profile, phantoms=False, seeds=3)
        for number, row in enumerate(chosen.rows):
            for spec in row.specs:
                seed = 100 * number + spec.seed
                table = predictions(200, skill=skill(dict(row.cell)), seed=seed)
                keep(results, spec, table, profile)
    return results


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """Results in which every seed has stages of its own, but for STL-N."""
    return world(tmp_path_factory.mktemp("results"), "paper")


def test_every_claim_of_the_paper_has_an_experiment():
    listed = claims("msatl")["id"]
    assert [claim.id for claim in CLAIMS] == listed[listed.str.contains("-Q")].tolist()


def test_printed_effects_are_those_of_the_papers_tables():
    def value(model, variant, stages, ssl, table=4):
        named = {"ssl": ssl} if ssl else {}
        cell = {"model": model, "variant": variant, "stages": stages}
        return paper_value("msatl", table, "auc", **cell, **named).value

    gains = {
        (m, v): value(m, v, "full", "ours") - value(m, v, "none", "")
        for m in msatl.MODELS
        for v in msatl.VARIANTS
    }
    extra = [
        (gains[m, "attn1"] + gains[m, "attn5"]) / 2 - gains[m, "baseline"] for m in msatl.MODELS
    ]
    assert BY_ID["01"].printed == pytest.approx(np.mean(extra))
    assert BY_ID["09"].printed == pytest.approx(np.mean(list(gains.values())))
    assert BY_ID["13"].printed is BY_ID["06"].printed is None
    deeper = [
        value("r101", v, "full", "ours") - value("r50", v, "full", "ours") for v in msatl.VARIANTS
    ]
    assert BY_ID["04"].printed == pytest.approx(np.mean(deeper) + msatl.MARGIN)
    # STL-N and STL-M of Table 5: the smaller of the two gains of attention speaks.
    assert BY_ID["10"].printed == pytest.approx((0.016 + 0.024) / 2)
    # Table 6 in print: attention's mean step minus the plain one's, the smaller of both steps.
    assert BY_ID["14"].printed == pytest.approx((0.007 + 0.005) / 2)
    assert BY_ID["15"].printed == pytest.approx(np.mean([10, 15, 18, 4, 17, 27]) / 1000)


def test_without_records_nothing_is_testable(tmp_path):
    found = ledger("msatl", CLAIMS, tmp_path)
    assert (found["verdict"] == NOT_TESTABLE).all()
    assert (found["reason"] != "").all()


def test_a_world_in_which_the_paper_is_right_supports_it(recorded):
    found = ledger("msatl", CLAIMS, recorded)
    for number in ("01", "02", "05", "09", "12"):
        row = found.loc[f"msatl-Q{number}"]
        assert row["verdict"] == SUPPORTED, f"{number}: {row['reason']}"
    assert found.loc["msatl-Q01", "effect"].units == 2
    assert found.loc["msatl-Q09", "effect"].units == 6
    assert found.loc["msatl-Q13", "verdict"] == NOT_TESTABLE
    # All seeds of a network go on from one STL-N: two backbones are two trainings.
    assert found.loc["msatl-Q10", "reason"].startswith("2 trainings per side, pre-training incl")


def test_seeds_that_share_their_pre_training_decide_nothing(tmp_path):
    found = ledger("msatl", CLAIMS, world(tmp_path, "laptop"))
    for number in ("01", "02"):  # two backbones, each pre-trained once
        row = found.loc[f"msatl-Q{number}"]
        assert row["effect"].low > 0, "the fine-tunings alone would support it"
        assert (row["effect"].runs, row["verdict"]) == (2, INCONCLUSIVE)
        assert row["needs"] == "3 trainings per side, pre-training included"
    assert found.loc["msatl-Q09", "verdict"] == SUPPORTED  # six networks


def test_units_without_runs_are_left_out(recorded):
    whole = BY_ID["09"].experiment
    half = Contrast(whole.plans, whole.units[:3])
    stranger = [(1.0, {"model": "r18"}), (-1.0, {"model": "r50"})]
    mixed = Contrast(whole.plans, (*whole.units[:3], stranger))
    assert mixed(recorded) == half(recorded)
    assert half(recorded).printed == half.printed != whole.printed  # as much of the paper's
    assert Contrast(whole.plans, (stranger,))(recorded) == "its runs are not recorded yet"
    assert Every((half, Contrast(whole.plans, (stranger,))))(recorded).startswith("its runs")


def test_heat_is_compared_where_both_maps_have_some_and_patient_by_patient(tmp_path):
    assert heat_in_lungs(tmp_path) == "its heatmaps are not recorded yet"
    plain = np.array([np.nan, 0.2, 0.3, 0.3])
    facts, area = {"phantom": False, "profile": "laptop"}, np.full(4, 0.3)
    names, patients = ("a", "b", "c", "d"), ("1", "1", "2", "2")
    shares = dict.fromkeys(KINDS, plain) | {ATTENTION: np.array([0.9, 0.3, 0.4, 0.6])}
    for kind, inside in shares.items():
        who = (KINDS[kind] or "baseline", 0, 224, (7, 7), names, patients)
        maps = np.zeros((4, 7, 7))
        write(HeatScores(kind, *who, inside, area, 1.0, {}, maps, facts), tmp_path)
    effect = heat_in_lungs(tmp_path)
    assert effect.value == pytest.approx((0.1 + 0.1 + 0.3) / 3) and effect.images == 3
    used = [Path(name).stem for name in effect.records]
    assert used == ["attention-map-attn5", "grad-cam-baseline"], "no bell, no third map"
    # Of two patients, one alone gives 0.1, the other 0.2: no draw of slices gives 0.3.
    assert (effect.low, effect.high) == pytest.approx((0.1, 0.2))


@pytest.mark.parametrize(("named", "runs"), [(True, 1), (False, 3)])
def test_heat_of_seeds_that_share_their_pre_training_is_of_one_training(tmp_path, named, runs):
    facts, names = {"phantom": False, "profile": "laptop"}, ("a", "b", "c", "d")
    for seed, pair in enumerate(networks("laptop", phantoms=False)):
        for kind, inside in ((ATTENTION, 0.5), (GRAD_CAM, 0.3)):
            key = pair[KINDS[kind]].key if named else f"{KINDS[kind]}-{seed}"
            who = (kind, key, seed, 224, (7, 7), names, names, np.full(4, inside), np.full(4, 0.3))
            write(HeatScores(*who, 1.0, {}, np.zeros((4, 7, 7)), facts), tmp_path)
    effect = heat_in_lungs(tmp_path)
    assert effect.value == pytest.approx(0.2)
    assert (effect.units, effect.runs) == (3, runs)
