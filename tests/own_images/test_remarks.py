"""What the audit makes of floors: a shown shortcut, one that cannot be excluded, none."""

import pytest

from covidlib.evaluation import Interval
from covidlib.own_images.auditing import floor_remarks


def floor(value, low, high):
    return Interval(value, low, high, runs=3, images=8)


CHANCE = floor(0.5, 0.5, 0.5)
WIDE = floor(1.0, 0.4, 1.0)
SHOWN = floor(0.94, 0.62, 1.0)
NONE = floor(0.52, 0.41, 0.63)
NAN = floor(*[float("nan")] * 3)


@pytest.mark.parametrize(
    ("floors", "kind", "text"),
    [
        # The larger value is not shown to be above chance; the smaller one is.
        ({"size and shape": WIDE, "grey statistics": SHOWN}, "beware", "only grey statistics"),
        ({"size and shape": WIDE, "frame": CHANCE}, "beware", "too few to say"),
        ({"size and shape": NONE, "frame": CHANCE}, "fine", "0.52 [0.41, 0.63]: no shortcut"),
        # What a network cannot see is no shortcut for it.
        ({"file type and colour mode": SHOWN, "frame": NONE}, "fine", "only frame"),
    ],
)
def test_the_gravest_floor_is_told(floors, kind, text):
    (remark,) = floor_remarks(floors)
    assert remark.kind == kind
    assert text in remark.text


def test_nothing_is_said_of_floors_that_have_no_value():
    assert floor_remarks({"frame": NAN}) == []
