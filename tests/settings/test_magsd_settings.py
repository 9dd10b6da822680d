from dataclasses import replace

import pytest

from covidlib.models.ma_net import MANetSettings
from covidlib.runs.spec import canonical
from covidlib.settings import MAGSDSettings
from covidlib.settings.magsd import VIEWS


def test_the_defaults_are_what_section_4_prints():
    paper = MAGSDSettings()
    assert (paper.epochs, paper.batch, paper.size) == (100, 32, 224)
    assert (paper.lr, paper.momentum, paper.weight_decay) == (1e-3, 0.9, 1e-6)
    assert (paper.confidence, paper.dimming_factor) == (0.7, 0.1)
    assert paper == MAGSDSettings.variant("paper")
    assert canonical(paper) == {"is": "MAGSDSettings"}


@pytest.mark.parametrize("settings", [MAGSDSettings, MANetSettings])
def test_each_difference_of_the_authors_is_a_switch_of_its_own(settings):
    """Every named change changes something, no two the same thing, and all make the variant."""
    paper, touched = settings(), []
    for change in settings.AUTHORS.values():
        assert replace(paper, **change) != paper
        touched += change
    assert len(touched) == len(set(touched))
    authors = settings.variant("authors")
    differing = {name for name in vars(paper) if getattr(paper, name) != getattr(authors, name)}
    assert differing == set(touched)


def test_a_variant_takes_changes():
    found = MAGSDSettings.variant("authors", epochs=3)
    assert (found.epochs, found.batch) == (3, 16)


def test_slugs_tell_tables_7_and_8_apart():
    slugs = [MAGSDSettings(views=VIEWS[:count]).slug for count in range(4)]
    assert slugs == ["magsd-0aug", "magsd-1aug", "magsd-2aug", "magsd"]
    assert MAGSDSettings(regularisation="l2").slug == "magsd-l2"


@pytest.mark.parametrize(
    "wrong",
    [
        {"views": ("mixup", "mixup")},
        {"views": ("cutout",)},
        {"regularisation": "l1"},
        {"soft_label": "always"},
        {"reduction": "max"},
        {"space": "logit"},
        {"confidence": 1.1},
        {"mix": -0.1},
        {"dimming_threshold": float("nan")},
        {"weight": -1.0},
        {"views": ["mixup"]},
        {"mix": "0.5"},
        {"nesterov": True, "momentum": 0.0},
    ],
)
def test_what_cannot_be_is_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        MAGSDSettings(**wrong)
    with pytest.raises(ValueError, match="variant"):
        MAGSDSettings.variant("both")
