"""What the audit says of floors and of strange images, and how its report is read."""

import pandas as pd
import pytest
from own_folders import photographs, slices, xrays

from covidlib.evaluation import Interval
from covidlib.own_images import html
from covidlib.own_images.auditing import audit, floor_remarks
from covidlib.own_images.card import in_words
from covidlib.own_images.opening import open_own
from covidlib.own_images.report import audit_page


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
        ({"size and shape": WIDE, "grey statistics": SHOWN}, "beware", "only 16 grey values"),
        ({"size and shape": WIDE, "frame": CHANCE}, "beware", "too few to say"),
        ({"size and shape": NONE, "frame": CHANCE}, "fine", "0.52 [0.41, 0.63]: no shortcut"),
        # What a network cannot see is no shortcut for it.
        ({"file type and colour mode": SHOWN, "frame": NONE}, "fine", "only the border"),
    ],
)
def test_the_gravest_floor_is_told(floors, kind, text):
    (remark,) = floor_remarks(floors)
    assert remark.kind == kind
    assert text in remark.text


def test_nothing_is_said_of_floors_that_have_no_value():
    assert floor_remarks({"frame": NAN}) == []


def test_a_colour_photograph_among_xrays_stops_and_a_slice_is_pointed_at(tmp_path):
    folder = xrays(tmp_path / "scans", images=60)
    first = min(photographs(tmp_path / "pets").rglob("*.png"))
    (folder / "Pneumonia" / "cat.png").write_bytes(first.read_bytes())
    for path in sorted(slices(tmp_path / "drawn").rglob("*.png"))[:4]:
        (folder / "Pneumonia" / f"slice-{path.name}").write_bytes(path.read_bytes())
    found = audit(open_own(folder))
    (stop,) = found.stops
    assert "Colour photographs" in stop.text and stop.text.endswith("Remove Pneumonia/cat.png.")
    strange = [remark.text for remark in found.remarks if "do not look like" in remark.text]
    assert strange == [] or "cat.png" not in strange[0]
    page = audit_page(found)
    assert "Do not train on these images yet: mend the 1 marked stop" in page
    assert str(tmp_path) not in page, "where a folder lies is nobody's business"


def test_a_table_has_no_empty_header_and_takes_the_keyboard():
    frame = pd.DataFrame({"images": [3]}, index=pd.Index(["a<b"], name="class"))
    text = html.table(frame, "how many")
    assert "<th>class</th>" in text and "a&lt;b" in text and "<th></th>" not in text
    assert 'tabindex="0"' in text and 'aria-label="how many"' in text
    assert "<th></th>" not in html.table(frame.rename_axis(index=None))


def test_a_confusion_matrix_is_said_in_words():
    counts = pd.DataFrame([[5, 0], [1, 2]], index=["ill", "well"], columns=["ill", "well"])
    assert in_words(counts) == "Of 5 ill: 5 called ill; Of 3 well: 1 called ill, 2 called well."
