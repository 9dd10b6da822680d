import re
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest

from covidlib.audit import drawing
from covidlib.audit.overview import noise_overview, overview
from covidlib.audit.sentences import sentences
from covidlib.pages import audit as parts

SCRIPT = Path(__file__).parents[2] / "notebooks" / "across" / "audit.py"


@pytest.fixture
def ax():
    figure, ax = plt.subplots()
    yield ax
    plt.close(figure)


def test_the_overview_counts_every_check():
    frame = overview().set_index(["paper", "what was checked"])
    assert (frame["checked"] == frame["consistent"] + frame["not"]).all()
    assert frame.loc[("msatl", "accuracy is k of 203"), ["checked", "not"]].tolist() == [36, 24]
    assert frame.loc[("manet", "average of three trials"), "not"] == 1
    nats = frame.xs("LEEP above minus the entropy, in nats", level=1)
    assert nats[["checked", "consistent"]].to_numpy().tolist() == [[18, 0]]
    titles = re.findall(r"^# ## (\d)\.", SCRIPT.read_text(), re.MULTILINE)
    assert set(frame["section"]) <= set(titles)


def test_noise_is_counted_paper_by_paper():
    frame = noise_overview()
    assert frame["paper"].tolist() == ["msatl"] * 4 + ["magsd"] * 2 + ["manet"]
    assert frame["within noise"].tolist() == [0, 0, 12, 4, 34, 24, 6]


def test_every_quoted_number_is_glued_and_every_glued_number_quoted():
    quoted = set(re.findall(r"\{glue:text\}`(\w+)", SCRIPT.read_text()))
    assert quoted == set(sentences())
    assert all(np.isfinite(value) for value in sentences().values())


@pytest.mark.parametrize(
    "table",
    [
        parts.overview_table,
        parts.grim_table,
        parts.f1_rows,
        parts.differences_table,
        parts.averages_table,
        parts.readings_table,
        parts.noise_table,
        parts.trials_table,
    ],
)
def test_tables_have_cells_and_no_missing_numbers(table):
    html = table()._repr_html_()
    assert html.count("<td>") > 10
    assert not re.search(r"\b(nan|None|NaN)\b", html)


def test_tables_show_what_is_off_only():
    assert len(parts.differences_table().frame) == 8
    assert len(parts.averages_table().frame) == 4
    assert len(parts.f1_rows().frame) == 5


def test_the_grim_figure_shows_all_36_apart(ax):
    drawing.grim_dots(ax)
    possible, not_possible = (c.get_offsets().data for c in ax.collections)
    assert (len(possible), len(not_possible)) == (12, 24)
    everything = np.vstack([possible, not_possible])
    assert len(np.unique(everything.round(6), axis=0)) == 36


def test_the_f1_figure_colours_by_the_caps(ax):
    drawing.f1_caps(ax)
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert {"within both caps: 28", "above the COVID cap: 3", "above both caps: 5"} <= set(labels)
    for line in ax.lines[:2]:
        assert (np.diff(line.get_ydata()) > 0).all()


def test_the_leep_figure_has_its_bounds_on_both_sides(ax):
    drawing.leep_lines(ax)
    scores = np.concatenate([line.get_ydata() for line in ax.lines if len(line.get_ydata()) == 3])
    nats, bits = (line.get_ydata()[0] for line in ax.lines[-2:])
    assert len(scores) == 18 and bits < scores.min() and scores.max() < nats


def test_the_other_figures_show_every_row(ax):
    drawing.harmonic_gaps(ax)
    assert [len(c.get_offsets()) for c in ax.collections] == [21, 21, 21]
    ax.clear()
    drawing.spc_ranges(ax)
    assert [len(c.get_segments()) for c in ax.collections] == [19, 19]
    ax.clear()
    drawing.image_margins(ax)
    assert sum(len(c.get_offsets()) for c in ax.collections) == 26
