"""Sliders made of figures and tables."""

import pytest
from matplotlib.figure import Figure

from covidlib.figures.images import STAMP
from covidlib.widgets import browser


def stamped(figure: Figure) -> bool:
    return any(text.get_gid() == STAMP for text in figure.texts)


@pytest.mark.parametrize("phantom", [True, False])
def test_every_figure_of_a_slider_says_whether_it_shows_phantoms(phantom):
    figures = {name: Figure() for name in ("first", "last")}
    browser({**figures, "table": "<p>words</p>"}, "map", phantom=phantom)
    assert [stamped(figure) for figure in figures.values()] == [phantom, phantom]


def test_the_slider_moves_the_frames_in_the_browser():
    slider, stack = browser({"one": "<p>1</p>", "two": "<p>2</p>"}, "step").children
    assert (slider.min, slider.max, stack.selected_index) == (0, 1, 0)
    assert [page.children[0].value for page in stack.children] == ["<b>one</b>", "<b>two</b>"]


def test_one_frame_is_nothing_to_choose_from():
    with pytest.raises(ValueError, match="two frames or more"):
        browser({"one": "<p>1</p>"}, "step")
