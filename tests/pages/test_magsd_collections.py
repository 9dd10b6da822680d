import json
import shutil
from dataclasses import replace

import pandas as pd
import pytest

from covidlib.book import Page, Parameters
from covidlib.data.composing import compose
from covidlib.data.compositions import Composition, Part
from covidlib.data.phantoms import PhantomSettings, write
from covidlib.errors import DataError
from covidlib.pages import magsd_collections, magsd_data
from covidlib.pages.results import NOT_YET
from covidlib.paths import RESULTS

COHEN, CXNET, NIH = "covid-chestxray-dataset", "covid-cxnet", "chestxray8-subset"
SMALL = Composition(
    name="small",
    title="two classes of three collections",
    source="a test",
    classes=("healthy", "COVID-19"),
    parts=(
        Part((COHEN,), {"COVID-19": "COVID-19", "normal": "healthy"}),
        Part((CXNET,), {"COVID-19": "COVID-19"}),
        Part(("rsna", NIH), {"No_findings": "healthy"}),
    ),
    sizes={"healthy": 1_000, "COVID-19": 5},
    traps=("drawn",),
)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """The composition on a root that has two of its three collections."""
    root = tmp_path_factory.mktemp("root")
    for name in (COHEN, NIH):
        write(name, root / name, PhantomSettings(images=40, size=48))
        shutil.rmtree(root / name / "phantom_masks")
    with pytest.MonkeyPatch.context() as patch:  # phantoms resemble each other more than X-rays do
        patch.setattr("covidlib.data.same_pictures.DISTANCE", -1)
        return compose(SMALL, root)


@pytest.fixture
def known(monkeypatch):
    monkeypatch.setattr(magsd_collections, "COMPOSITIONS", {"small": SMALL})


def test_what_is_there_and_what_is_missing_is_counted(small, known):
    cohen, cxnet, nih = magsd_collections.collections(small)
    table = small.table
    here = table.groupby([table["part"], table["label"]]).size()
    assert (cohen["here"], cohen["missing"]) == (COHEN, [])
    assert cohen["classes"]["COVID-19"]["used"] == here[COHEN, "COVID-19"] == 5
    assert cohen["classes"]["COVID-19"]["available"] > 5
    assert (cxnet["here"], cxnet["missing"]) == (None, [CXNET])
    assert cxnet["classes"] == {"COVID-19": {"available": 0, "copies": 0, "used": 0}}
    assert (nih["here"], nih["missing"], nih["releases"]) == (NIH, ["rsna"], ["rsna", NIH])
    assert nih["classes"]["healthy"]["used"] == here[NIH, "healthy"]


def test_a_real_set_is_kept_and_a_drawn_one_is_not(small, known, tmp_path):
    with pytest.raises(DataError, match="real"):
        magsd_collections.write({"small": small}, tmp_path)
    real = replace(small, phantom=False)
    path = magsd_collections.write({"small": real}, tmp_path)
    kept = magsd_collections.read(tmp_path)["small"]
    healthy = int((small.table["label"] == "healthy").sum())
    assert kept["classes"] == {
        "healthy": {"paper": 1_000, "here": healthy, "missing": 1_000 - healthy},
        "COVID-19": {"paper": 5, "here": 5, "missing": 0},
        "total": {"paper": 1_005, "here": healthy + 5, "missing": 1_000 - healthy},
    }
    assert kept["collections"] == magsd_collections.collections(small)
    assert "/" not in path.read_text("utf-8")  # no path of this machine, no name of an image
    assert set(json.loads(path.read_text("utf-8"))["provenance"]) == {"commit", "dirty"}
    assert magsd_collections.absent(tmp_path) == f"{CXNET}, rsna"


def test_the_recorded_collections_stand_beside_those_of_this_run(small, known, tmp_path):
    before = magsd_collections.table({"small": small}, tmp_path).frame
    assert set(before["recorded from"]) == {NOT_YET} and before["used"].isna().all()
    magsd_collections.write({"small": replace(small, phantom=False)}, tmp_path)
    frame = magsd_collections.table({"small": small}, tmp_path).frame
    assert frame.loc[("Small", CXNET, "COVID-19"), "recorded from"] == "nothing"
    assert frame.loc[("Small", CXNET, "COVID-19"), "missing"] == CXNET
    line = frame.loc[("Small", f"rsna or {NIH}", "healthy")]
    assert (line["recorded from"], line["missing"]) == (NIH, "rsna")
    assert line["used, this run"] == f"phantoms: {line['used']}"
    assert pd.isna(frame.loc[("Small", COHEN, "healthy"), "missing"])


def test_the_page_reads_what_is_recorded(tmp_path):
    page = Page(Parameters(), None, tmp_path, RESULTS)
    found = magsd_data.datasets(page)
    recorded = magsd_collections.read(page.recorded)
    sizes = magsd_data.read(page.recorded)
    frame = magsd_data.classes(found, page.recorded).frame
    for name in magsd_data.NAMES:
        kept = recorded[name]["classes"]
        assert {label: counts["here"] for label, counts in kept.items()} == sizes[name]
        assert all(
            frame.loc[(name, label), "missing"] == max(0, counts["paper"] - counts["here"])
            for label, counts in kept.items()
            if label != "total"
        )
        used = [
            c["used"] for part in recorded[name]["collections"] for c in part["classes"].values()
        ]
        assert sum(used) == sizes[name]["total"]
    table = magsd_collections.table(found, page.recorded).frame
    assert len(table) == 20 and NOT_YET not in set(table["recorded from"])
    assert magsd_data.sentences(found, page.recorded)["absent"] == "rsna, chestxray8, kermany"


@pytest.mark.slow
def test_recorded_collections_are_those_under_the_data_root(real_data, tmp_path):
    magsd_data.write(real_data, tmp_path)
    assert magsd_collections.read(tmp_path) == magsd_collections.read(RESULTS)
