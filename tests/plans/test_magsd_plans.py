from dataclasses import fields, replace

import pytest

from covidlib.data.augmentation import MAGSD_TABLE2
from covidlib.models.ma_net import MANetSettings
from covidlib.paths import RESULTS
from covidlib.plans import PLANS, plan
from covidlib.plans.magsd import ABLATIONS, ABOVE, OWN_RATES, PROPOSED, RIVALS
from covidlib.plans.magsd_ours import DIFFERENCES, LETTER
from covidlib.plans.magsd_runs import PAPER, SIZES
from covidlib.published import paper_value
from covidlib.runs.recorded import rows
from covidlib.runs.reference import in_order
from covidlib.settings import MAGSDSettings

TABLES = ("architectures", *ABLATIONS)
OURS = ("imbalance", "image_folds", "released_code")


@pytest.mark.parametrize("name", (*TABLES, *OURS, "own_rate"))
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
    own = {s.key for row in rows_of("own_rate").values() if row.rank for s in row.specs}
    assert len(own) == 5 * len(OWN_RATES)
    assert {s.key for s in order if s.training.lr != SIZES["laptop"].lr} == own
    assert {s.key for s in order[-len(own) :]} == own


def test_fewer_folds_on_request():
    rows = plan("magsd/scales", "laptop", phantoms=False, seeds=2).rows
    assert {len(row.specs) for row in rows} == {2}
    assert {len(row.specs) for row in plan("magsd/scales", "smoke", phantoms=True).rows} == {1}


def rows_of(name, profile="laptop"):
    return {row.label: row for row in plan(f"magsd/{name}", profile, phantoms=False).rows}


@pytest.mark.parametrize("name", OURS)
def test_our_own_rows_start_from_those_of_table_3(name):
    table = {
        row.label: row.specs for row in plan("magsd/architectures", "laptop", phantoms=False).rows
    }
    for label, row in rows_of(name).items():
        known = {"A: as in the paper": "A: MAG-SD"}.get(label, label)
        assert (row.rank == 0) == (known in table)
        assert row.rank in (0, 2) and len(row.specs) == 5
        if row.rank == 0:
            assert row.specs == table[known]
    keys = {spec.key for row in rows_of(name).values() for spec in row.specs}
    assert len(keys) == 5 * len(rows_of(name)), "every row is another training"


def test_our_own_rows_change_what_they_say():
    imbalance, folds = rows_of("imbalance"), rows_of("image_folds")
    for model in ("MAG-SD", "ResNet50"):
        one, two = (imbalance[f"A: {model}{more}"].specs[0] for more in ("", ", classes weighted"))
        assert two == replace(one, training=replace(one.training, class_weights="balanced"))
        one, two = (folds[f"A: {model}{more}"].specs[3] for more in ("", ", folds of images"))
        assert two == replace(one, data=replace(one.data, split="kfold-images"))
        assert "imagefold3" in two.key


@pytest.mark.parametrize("profile", SIZES)
def test_a_rival_with_its_own_rate_is_that_of_table_3_but_for_the_rate(profile):
    table = {dict(r.cell)["model"]: r.specs for r in rows_of("architectures", profile).values()
             if dict(r.cell)["dataset"] == "A"}  # fmt: skip
    for row in rows_of("own_rate", profile).values():
        model = dict(row.cell)["model"]
        for one, two in zip(table[model], row.specs, strict=True):
            lr = two.training.lr
            assert two == replace(one, training=replace(one.training, lr=lr))
            wanted = OWN_RATES.get(model, PAPER.lr) / PAPER.lr
            assert lr / SIZES[profile].lr == pytest.approx(wanted)


def test_own_rates_are_what_the_recorded_search_found():
    searched = rows(plan("magsd/learning_rate", "laptop", phantoms=False), RESULTS)
    last = {label: runs[0].curve.dropna().iloc[-1] for label, runs in searched.items() if runs}
    labels = {model: label for label, model, _ in RIVALS} | {"magsd": PROPOSED}
    for model in (*OWN_RATES, "magsd", "resnet50"):
        start = f"{labels[model]}, rate "
        known = {name.removeprefix(start): row for name, row in last.items() if start in name}
        assert len(known) >= 3 and (model not in OWN_RATES or set(map(float, known)) <= set(ABOVE))
        best = max(known, key=lambda rate: (known[rate]["val_accuracy"], -known[rate]["val_loss"]))
        assert float(best) == OWN_RATES.get(model, PAPER.lr)


def test_the_released_code_is_its_variant_at_the_sizes_of_the_profile():
    rows = rows_of("released_code", "paper")
    whole = rows["A: all of the released code"].specs[0]
    assert whole.network == MANetSettings.variant("authors")
    expected = MAGSDSettings.variant("authors", drop_last=True)
    assert whole.training == replace(expected, validate_every=whole.training.validate_every)
    paper = rows["A: as in the paper"].specs[0]
    for name in DIFFERENCES:
        one = rows[f"A: {name}"].specs[0]
        assert (one.training, one.network) != (paper.training, paper.network)
        pairs = {
            f.name: (getattr(one.training, f.name), getattr(paper.training, f.name))
            for f in fields(paper.training)
        }
        changed = {name for name, (mine, theirs) in pairs.items() if mine != theirs}
        assert changed == set(MAGSDSettings.AUTHORS.get(name, {}))
    assert LETTER == "A" and len(rows) == 2 + len(DIFFERENCES)


def test_our_own_rows_on_a_come_after_the_paper_s_on_a_and_before_other_rivals():
    order = in_order("magsd", "laptop", phantoms=False)
    places = {spec.key: number for number, spec in enumerate(order)}
    tables = [row for name in TABLES for row in rows_of(name).values() if row.rank < 2]
    papers = [places[spec.key] for row in tables for spec in row.specs]
    rivals = [s for r in rows_of("architectures").values() if r.rank == 4 for s in r.specs]
    ours = [places[s.key] for n in OURS for r in rows_of(n).values() if r.rank for s in r.specs]
    assert max(papers) < min(ours)
    assert max(ours) < min(places[spec.key] for spec in rivals)
