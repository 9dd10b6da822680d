from dataclasses import fields, replace

import pytest

from covidlib.data.augmentation import MAGSD_TABLE2
from covidlib.plans import PLANS, plan
from covidlib.plans.magsd import ABLATIONS, SIZES
from covidlib.published import paper_value
from covidlib.runs.reference import in_order

TABLES = ("architectures", *ABLATIONS)


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("profile", SIZES)
def test_profiles_change_sizes_and_nothing_else(name, profile):
    ours = plan(f"magsd/{name}", profile, phantoms=False)
    papers = plan(f"magsd/{name}", "paper", phantoms=False)
    sizes = {"size", "epochs", "batch", "lr", "validate_every"}
    for mine, theirs in zip(ours.rows, papers.rows, strict=True):
        assert (mine.label, mine.cell, mine.rank) == (theirs.label, theirs.cell, theirs.rank)
        one, two = mine.specs[0], theirs.specs[0]
        assert one.network == two.network
        free = {n: getattr(two.training, n) for n in sizes}
        assert replace(one.training, **free) == two.training
        names = {f.name for f in fields(one.data)} - {"preprocessing", "limit"}
        assert all(getattr(one.data, n) == getattr(two.data, n) for n in names)
        preprocessing = replace(one.data.preprocessing, size=two.data.preprocessing.size)
        assert preprocessing == two.data.preprocessing


def test_the_paper_s_profile_has_the_paper_s_numbers():
    for row in plan("magsd/architectures", "paper", phantoms=False).rows:
        for spec in row.specs:
            chosen = spec.training
            assert (chosen.size, chosen.epochs, chosen.batch) == (224, 100, 32)
            assert (chosen.lr, chosen.momentum, chosen.weight_decay) == (1e-3, 0.9, 1e-6)
            assert chosen.augmentation == MAGSD_TABLE2
            assert chosen.normalisation == "zscore"
        assert [spec.data.fold for spec in row.specs] == list(range(5))


@pytest.mark.parametrize("name", TABLES)
def test_every_row_finds_the_paper_s_number(name):
    chosen = plan(f"magsd/{name}", "laptop", phantoms=False)
    table = int(chosen.table[-1])
    for row in chosen.rows:
        if "ours" not in row.label:
            assert paper_value("magsd", table, "accuracy", **dict(row.cell)).std > 0


def test_the_proposed_row_is_one_training_in_all_tables():
    keys = set()
    for name in TABLES:
        row = next(
            row
            for row in plan(f"magsd/{name}", "laptop", phantoms=False).rows
            if row.label
            in {
                "A: MAG-SD", "A: CLAHE", "A: 7 and 14", "A: attention pooling",
                "A: mix-up, dimming, patching", "A: soft distance",
            }
        )  # fmt: skip
        keys.add(row.specs[0].key)
    assert len(keys) == 1


def test_rows_differ_in_what_their_names_say():
    def spec(name, label):
        rows = plan(f"magsd/{name}", "laptop", phantoms=False).rows
        return next(row.specs[0] for row in rows if row.label == label)

    whole = spec("architectures", "A: MAG-SD")
    assert spec("preprocessing", "A: without CLAHE").data.preprocessing.clahe_clip is None
    assert whole.data.preprocessing.clahe_clip == 4
    assert spec("scales", "A: 7").network == replace(whole.network, scales=1)
    assert spec("pooling", "A: GMP").network == replace(whole.network, pooling="gmp")
    only = spec("augmentation_count", "A: mix-up").training
    assert only == replace(whole.training, views=("mixup",))
    rival = spec("regularisation", "A: L2").training
    assert rival == replace(whole.training, regularisation="l2")
    plain = spec("architectures", "A: MAG-SD without augmentation")
    assert plain.training == replace(whole.training, views=())
    assert plain.network == whole.network


def test_transfer_models_alone_start_from_photographs():
    for row in plan("magsd/architectures", "laptop", phantoms=False).rows:
        expected = ("stl-n",) if "Narin" in row.label else ()
        assert row.specs[0].chain == expected
        assert row.specs[0].training.size >= getattr(row.specs[0].network, "least", 0)


def test_what_is_worth_most_comes_first():
    order = in_order("magsd", "laptop", phantoms=False)
    assert {s.network.slug for s in order[:15]} == {"ma-resnet50", "resnet50"}
    assert {s.data.dataset for s in order[:15]} == {"magsd-a"}
    assert {s.data.fold for s in order[:15]} == set(range(5))
    ablations = order[15 : 15 + 9 * 5]
    assert {s.data.dataset for s in ablations} == {"magsd-a"}
    assert {type(s.training).__name__ for s in ablations} == {"MAGSDSettings"}
    assert "magsd/learning_rate" in PLANS
    assert all(s.training.lr == SIZES["laptop"].lr for s in order)


def test_fewer_folds_on_request():
    rows = plan("magsd/scales", "laptop", phantoms=False, seeds=2).rows
    assert {len(row.specs) for row in rows} == {2}
    assert {len(row.specs) for row in plan("magsd/scales", "smoke", phantoms=True).rows} == {1}
