from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from covidlib import data_page
from covidlib.data import card, open_dataset
from covidlib.data.findings import read
from covidlib.data.floors import FLOORS
from covidlib.data.leaks import audit

KEPT = Path(__file__).parents[1] / "book" / "results" / "msatl" / "data"


@pytest.fixture(scope="module")
def recorded():
    return read(KEPT)


def as_phantoms(found):
    return replace(found, provenance=dict(found.provenance) | {"phantom": True})


def test_counts_are_the_papers_and_sizes_are_not(recorded):
    frame = data_page.counts_table(recorded, recorded).frame
    assert frame.loc["training set, COVID, images"].tolist() == [191, 191, 191, "reproduced"]
    assert frame.loc["test set, NonCOVID, images"].tolist() == [105, 105, 105, "reproduced"]
    assert frame.loc["shortest side, pixels"].tolist() == [153, 61, 61, "below"]
    assert frame.loc["longest side, pixels"].tolist() == [1853, 1671, 1671, "below"]


def test_this_run_says_that_it_saw_phantoms(recorded):
    drawn = as_phantoms(recorded)
    assert data_page.counts_table(recorded, drawn).frame["this run"].str.match("phantoms: ").all()
    for table in (data_page.classes_table, data_page.leaks_table):
        assert "this run (phantoms)" in table(recorded, drawn)._repr_html_()
        assert "phantoms" not in table(recorded, recorded)._repr_html_()


def test_the_recorded_counts_are_those_of_the_card(recorded):
    for (part, label), count in card("covid-ct").counts.items():
        assert recorded.counts.loc[label, part] == count


def test_floors_stand_under_the_papers_rows_without_verdict(recorded):
    frame = data_page.floors_table(recorded, as_phantoms(recorded)).frame
    printed = frame.loc[("paper's best, R-101 5 ATTNs", "accuracy"), "paper"]
    assert printed.value == pytest.approx(0.942)
    line = frame.loc[("floor: all file properties", "AUC")]
    assert line["recorded"].value == pytest.approx(0.977, abs=0.01)
    assert line["paper"] is None and line["phantom"]
    assert (frame["verdict"] == "").all()


def test_missing_values_are_dashes_and_text_is_escaped():
    frame = pd.DataFrame({"<b>": pd.array([1, pd.NA], dtype="Int64")}, index=["x", "y & z"])
    html = data_page.PlainTable(frame, "a < b")._repr_html_()
    assert "&lt;b&gt;" in html and "y &amp; z" in html and "a &lt; b" in html
    assert "<td>1</td>" in html and "<td>–</td>" in html
    assert "NA" not in html


def test_every_floor_is_explained():
    assert data_page.exploitable_table().frame.index.tolist() == list(FLOORS)


def test_across_table_names_the_pictures_with_two_labels(recorded):
    frame = data_page.across_table(recorded).frame
    assert frame["image a"].tolist() == [
        "kjr-21-e24-p5-29.png: test, COVID",
        "kjr-21-e24-p5-31.png: test, COVID",
    ]
    assert frame["image b"].tolist() == [
        "71%0.jpg: training, NonCOVID",
        "71%1.jpg: training, NonCOVID",
    ]


def test_sentences_quote_the_record(recorded):
    quoted = data_page.sentences(recorded)
    assert quoted["papers_shared"] == 3 and quoted["papers_images"] == 7
    assert quoted["opposite"] == 2 and quoted["test_images"] == 203
    assert (quoted["paper_accuracy"], quoted["paper_auc"]) == (0.942, 0.978)
    assert quoted["floor_accuracy"] == pytest.approx(0.90, abs=0.02)
    assert quoted["grey_auc"] == pytest.approx(0.79, abs=0.03)


def test_the_record_is_of_the_real_images(recorded, real_data):
    dataset = open_dataset("covid-ct", real_data)
    assert recorded.provenance["phantom"] is False and recorded.provenance["dirty"] is False
    report = audit(dataset)
    pd.testing.assert_frame_equal(recorded.leaks, report.summary(), check_dtype=False)
    # What the page says: no source has images of both classes.
    assert dataset.table.groupby("source")["label"].agg(lambda group: len(set(group))).max() == 1


def test_the_most_similar_images_stand_in_for_pairs(real_data, recorded):
    dataset = open_dataset("covid-ct", real_data)
    dataset = replace(dataset, table=dataset.table.iloc[:30].reset_index(drop=True))
    pairs = data_page.most_alike(replace(recorded, pairs=recorded.pairs.head(0)), dataset, 3)
    assert len(pairs) == 3 and (pairs["kind"] == "most similar").all()
    assert pairs["path_a"].map(lambda path: Path(path).is_file()).all()
