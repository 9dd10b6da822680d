from dataclasses import fields, replace

import pytest

from covidlib.models.cxr_classifiers import PAPER_MODELS
from covidlib.plans import plan
from covidlib.plans.manet import SHORTCUTS, SIZES, segmenter
from covidlib.published import paper_value
from covidlib.runs.reference import in_order

NAMES = ("segmentation", "resnet50", "classification", "shortcuts")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("profile", SIZES)
def test_profiles_change_sizes_and_nothing_else(name, profile):
    ours = plan(f"manet/{name}", profile, phantoms=False)
    papers = plan(f"manet/{name}", "paper", phantoms=False)
    sizes = {"size", "epochs", "batch", "lr"}
    for mine, theirs in zip(ours.rows, papers.rows, strict=True):
        assert mine.label == theirs.label
        one, two = mine.specs[0], theirs.specs[0]
        assert one.network == two.network
        free = {n: getattr(two.training, n) for n in sizes}
        assert replace(one.training, **free) == replace(two.training, validate_every=1)
        names = {f.name for f in fields(one.data)} - {"preprocessing", "lungs"}
        assert all(getattr(one.data, n) == getattr(two.data, n) for n in names)


def test_the_paper_s_profile_has_the_paper_s_numbers():
    first = plan("manet/classification", "paper", phantoms=False).rows[0].specs
    chosen = first[0].training
    assert (chosen.size, chosen.epochs, chosen.batch, chosen.lr) == (512, 200, 64, 0.01)
    assert chosen.lr_at(200) == pytest.approx(0) and chosen.weight_decay == 0
    assert [spec.seed for spec in first] == [0, 1, 2]


def test_rows_find_the_paper_s_numbers():
    printed = [
        paper_value("manet", 2, "accuracy", **dict(row.cell)).printed
        for row in plan("manet/classification", "paper", phantoms=False).rows
    ]
    expected = "95.78 96.03 94.92 96.08 96.32 95.59 93.87 95.10 95.39 96.03"
    assert printed == expected.split() and len(printed) == len(PAPER_MODELS)


def test_all_images_of_a_profile_have_lungs_from_one_segmentation():
    wanted = segmenter("laptop", phantoms=False)
    assert wanted in plan("manet/segmentation", "laptop", phantoms=False).specs
    for name in ("resnet50", "classification", "shortcuts"):
        specs = plan(f"manet/{name}", "laptop", phantoms=False).specs
        assert {spec.data.lungs for spec in specs} == {wanted}


def test_folds_cover_every_image_once():
    specs = plan("manet/segmentation", "laptop", phantoms=False).specs
    assert [spec.data.fold for spec in specs] == list(range(5))
    assert {spec.data.folds for spec in specs} == {5}


def test_shortcuts_share_their_trainings_with_the_table():
    table = {s.key for s in plan("manet/resnet50", "laptop", phantoms=False).specs}
    rows = plan("manet/shortcuts", "laptop", phantoms=False).rows
    shared = [row.label for row in rows if row.specs[0].key in table]
    assert shared == ["ResNet50: lungs", "ResNet50 (MA): lungs", "ResNet50 (CBAM): lungs"]
    assert len(rows) == len(SHORTCUTS)


def test_seeds_can_be_asked_for():
    assert len(plan("manet/classification", "laptop", phantoms=True, seeds=1).specs) == 10
    assert len(plan("manet/segmentation", "laptop", phantoms=True, seeds=2).specs) == 10


def test_three_trials_of_resnet50_and_the_folds_are_recorded_first():
    ordered = in_order("manet", "laptop", phantoms=False)
    names = [spec.network.slug.split("-")[0] for spec in ordered]
    assert names[0] == "resunet" and ordered[0] == segmenter("laptop", phantoms=False)
    assert sorted(names[:14]) == ["resnet50"] * 9 + ["resunet"] * 5
    assert names[-6:] == ["vgg16"] * 6
    views = [spec.data.view for spec in ordered]
    assert views.index("shape") >= 14 and len(ordered) == 5 + 30 + 6
