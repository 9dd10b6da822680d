"""The plans of msatl: every printed row, shared stages, recorded keys."""

from pathlib import Path

import pytest

from covidlib.plans import PLANS, plan
from covidlib.plans.msatl_sizes import PAPERS, SIZES, STAND_INS
from covidlib.plans.msatl_stages import chain, stl_m, stl_n
from covidlib.plans.msatl_tables import NETWORKS
from covidlib.published import paper_value, published
from covidlib.runs.executor import distinct

RESULTS = Path(__file__).parents[2] / "book/results/msatl"
TABLES = {
    "supervised_transfer": (1, "top1"),
    "overall": (2, "accuracy"),
    "ssl_comparison": (3, "accuracy"),
    "attention_benefit": (4, "accuracy"),
    "ablation": (5, "accuracy"),
    "leep_scores": (6, "leep"),
}
# What was recorded before there were stages must be found for ever.
RECORDED = (
    "covid-ct-r101-baseline-scratch-supervised-s0-1c11afde69",
    "covid-ct-r50-attn1-scratch-supervised-s0-3e7ebd2cd9",
    "covid-ct-r50-attn5-scratch-supervised-s0-673e14015f",
    "covid-ct-r50-baseline-scratch-supervised-s0-1158bf0109",
    "covid-ct-r50-baseline-scratch-supervised-s0-18ae055dc4",
    "covid-ct-r50-baseline-scratch-supervised-s0-5012577216",
    "covid-ct-r50-baseline-scratch-supervised-s0-bd7923f92f",
    "covid-ct-r50-baseline-scratch-supervised-s0-dc1bae98cf",
    "covid-ct-r50-baseline-scratch-supervised-s1-b4216279c8",
    "covid-ct-r50-baseline-scratch-supervised-s2-6c171f6130",
)


def trainings(*names: str, profile: str = "laptop", **options) -> list:
    """Return every distinct training of some plans, stages included."""
    options = {"phantoms": False, **options}
    specs = [s for name in names for s in plan(f"msatl/{name}", profile, **options).specs]
    return [spec for generation in distinct(specs) for spec in generation]


@pytest.mark.parametrize("name", TABLES)
def test_every_row_finds_its_printed_cell_and_every_printed_row_its_row(name):
    number, metric = TABLES[name]
    chosen = plan(f"msatl/{name}", "smoke", phantoms=True)
    assert chosen.table == f"msatl_table{number}"
    for row in chosen.rows:
        assert paper_value("msatl", number, metric, **dict(row.cell)).value
    printed = published("msatl", number)[["model", "variant", "stages", "ssl"]].drop_duplicates()
    rows = {tuple(dict({"ssl": ""}, **dict(r.cell))[c] for c in printed) for r in chosen.rows}
    cells = {tuple(line) for line in printed.itertuples(index=False)}
    if name in ("overall", "attention_benefit", "ssl_comparison"):
        assert rows == cells
    else:  # their cells name no self-supervision
        assert {row[:3] for row in rows} == {cell[:3] for cell in cells}
    assert len({row.label for row in chosen.rows}) == len(chosen.rows) == len(cells)


def test_recorded_keys_have_not_changed():
    known = {s.key for s in trainings("without_transfer", "learning_rate")}
    assert set(RECORDED) <= known
    assert all((RESULTS / key / "record.json").exists() for key in RECORDED)


def test_tables_share_their_stages():
    full = trainings("attention_benefit", seeds=1)
    # six networks: STL-N, STL-M, SSTL-M, the target with and without them
    assert len(full) == 6 * 5
    assert len(trainings("attention_benefit", "overall", seeds=1)) == 6 * 5
    every = trainings(*TABLES, seeds=1)
    # six more: STL-M alone, two more targets, MoCo and SimCLR with a target each
    assert len(every) == 6 * 12
    assert len({spec.key for spec in every}) == len(every)
    # the targets after STL-N and STL-M, and SSTL-M alone and transductive, with targets
    assert len(trainings(*TABLES, "unprinted", seeds=1)) == 6 * 12 + 3 * 5


def test_the_stages_follow_each_other_in_the_papers_order():
    network = NETWORKS[2]
    last = chain("full", network, "laptop", False)
    assert last.stage == "sstl-m" and last.chain == ("stl-n", "stl-m")
    assert last.init.training.slug == "stl-m" and last.init.init == stl_n(network, "laptop", False)
    assert chain("none", network, "laptop", False) is None
    alone = chain("stl_m", network, "laptop", False)
    assert alone.init is None and alone == stl_m(network, "laptop", False)
    moco = chain("full", network, "laptop", False, ssl="moco")
    assert moco.stage == "moco" and moco.init == last.init
    every = chain("full_all", network, "laptop", False)
    assert every.training.images == "all" and every.init == last.init
    assert last.training.images == "train" and "-all" in every.stage
    with pytest.raises(KeyError):
        chain("stl_x", network, "laptop", False)


def test_seeds_share_pre_training_on_a_laptop_and_have_their_own_on_a_gpu():
    network = NETWORKS[0]
    small = {chain("full", network, "laptop", False, seed).key for seed in range(3)}
    large = [chain("full", network, "paper", False, seed) for seed in range(5)]
    assert len(small) == 1 and len({spec.key for spec in large}) == 5
    assert len({spec.init.init.key for spec in large}) == 1  # STL-N once
    rows = {row.label: len(row.specs) for row in trainings_rows("attention_benefit", "laptop")}
    assert rows["R-50 5 ATTNs w TL"] == rows["R-50 baseline w/o TL"] == 3
    assert rows["R-101 5 ATTNs w TL"] == 1


def trainings_rows(name: str, profile: str):
    return plan(f"msatl/{name}", profile, phantoms=False).rows


def test_profiles_change_sizes_and_the_paper_profile_has_the_papers():
    network = NETWORKS[1]
    natural, medical = (
        chain(stages, network, "paper", False, sources=PAPERS) for stages in ("stl_n", "stl_m")
    )
    assert natural.data.dataset == "imagenet" and medical.data.dataset == "covidx"
    assert natural.data.preprocessing.size == 256 and natural.data.preprocessing.colour
    chosen = natural.training
    assert (chosen.size, chosen.epochs, chosen.batch, chosen.lr) == (224, 90, 512, 0.1)
    assert natural.network.dropout == pytest.approx(1 - 0.8)
    chosen = medical.training
    assert (chosen.epochs, chosen.batch, chosen.lr) == (30, 64, 2e-4)
    assert medical.network.dropout == pytest.approx(1 - 0.5)
    last = chain("full", network, "paper", False).training
    assert (last.epochs, last.batch, last.lr, last.temperature) == (200, 256, 0.3, 0.07)
    for profile in SIZES:
        specs = trainings("attention_benefit", profile=profile, phantoms=True, seeds=1)
        assert {s.network.variant for s in specs} == {"baseline", "attn1", "attn5"}
        assert {s.network.depth for s in specs} == {50, 101}


def test_smoke_is_small_whatever_the_images():
    for phantoms in (True, False):
        for spec in trainings(*TABLES, "unprinted", profile="smoke", phantoms=phantoms, seeds=1):
            assert spec.training.epochs == 1 and spec.training.size == 40
            assert (spec.data.phantom is not None) == phantoms
            assert phantoms or spec.data.limit <= 12


def test_other_weights_and_stand_ins_are_on_request_and_say_so():
    start = plan("msatl/torchvision_start", "laptop", phantoms=False)
    assert start.on_request and all("torchvision" in row.label for row in start.rows)
    assert all("torchvision" in spec.key for spec in start.specs)
    assert all(row.cell == () for row in start.rows)
    here = plan("msatl/stand_ins", "paper", phantoms=False)
    assert here.on_request and all("stand-ins" in row.label for row in here.rows)
    sets = {s.data.dataset for g in distinct(here.specs) for s in g}
    assert sets == {"covid-ct", STAND_INS.natural, STAND_INS.medical}
    assert not any(plan(f"msatl/{name}", "paper", phantoms=False).on_request for name in TABLES)


def test_r50_comes_first_in_every_table():
    for name in (name for name in PLANS if name.startswith("msatl/")):
        for row in plan(name, "smoke", phantoms=True).rows:
            assert all((spec.network.depth == 101) == (row.rank == 1) for spec in row.specs)


def test_leep_has_no_run_without_a_source():
    rows = plan("msatl/leep_scores", "laptop", phantoms=False).rows
    for row in rows:
        stages = dict(row.cell)["stages"]
        assert [spec.stage for spec in row.specs] == {
            "none": [], "stl_n": ["stl-n"], "stl_n+stl_m": ["stl-m"]
        }[stages]  # fmt: skip
