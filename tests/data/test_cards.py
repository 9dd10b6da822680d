import re

import pytest

from covidlib.data.cards import ANY, CARDS, card
from covidlib.data.layouts import READERS
from covidlib.data.manifests import manifests, packaged
from covidlib.errors import DataError

ALL = list(CARDS.values())


@pytest.mark.parametrize("one", ALL, ids=lambda c: c.name)
def test_card_is_complete(one):
    for fact in ("title", "source", "licence", "citation", "homepage"):
        assert getattr(one, fact), fact
    assert re.fullmatch(r"[a-z0-9]+", one.citation)
    assert one.homepage.startswith(("https://", "http://"))
    assert one.modality in ("ct", "cxr", "natural")
    assert one.task in ("classification", "segmentation")
    assert one.layout in READERS
    assert one.traps
    assert one.downloads or one.access, "neither an address nor instructions"


@pytest.mark.parametrize("one", ALL, ids=lambda c: c.name)
def test_counts_speak_of_the_classes(one):
    for (split, label), number in one.counts.items():
        assert split in ("", "train", "val", "test")
        assert label == ANY or label in one.classes
        assert number > 0


@pytest.mark.parametrize("one", ALL, ids=lambda c: c.name)
def test_digests_have_the_form_of_sha256(one, tmp_path):
    for download in one.downloads:
        assert download.sha256 is None or re.fullmatch(r"[0-9a-f]{64}", download.sha256)
    for manifest in manifests(one.name, tmp_path).values():
        for path, (sha256, size) in manifest.items():
            assert re.fullmatch(r"[0-9a-f]{64}", sha256)
            assert size > 0
            assert not path.startswith("/")
            assert ".." not in path.split("/")


def test_the_paper_s_counts():
    ct = card("covid-ct")
    splits = {s: sum(n for (t, _), n in ct.counts.items() if t == s) for s in ("train", "val")}
    assert (ct.images, splits) == (746, {"train": 425, "val": 118})
    covidx = card("covidx")
    totals = {c: sum(n for (_, k), n in covidx.counts.items() if k == c) for c in covidx.classes}
    assert totals == {"normal": 8066, "pneumonia": 5559, "COVID-19": 573}


def test_positive_class_is_the_last_of_two():
    assert card("covid-ct").classes == ("NonCOVID", "COVID")
    assert card("montgomery").classes[-1] == card("shenzhen").classes[-1] == "tuberculosis"


def test_published_manifest_of_covid_ct_covers_every_image(tmp_path):
    published = manifests("covid-ct", tmp_path)["published"]
    assert len(published) == 746
    assert card("covid-ct").checksums == "covid-ct.published.csv"
    assert card("kermany").checksums is None
    assert set(packaged("covid-ct")) == {"published", "reduced"}


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(DataError, match=r"covid-tc.*covid-ct"):
        card("covid-tc")


def test_cards_cannot_be_changed():
    with pytest.raises(TypeError):
        CARDS["covid-ct"] = None
