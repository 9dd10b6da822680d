import json

import pytest
from small_book import TINY

from covidlib.publish.pairing import pair, pair_all, paired
from covidlib.publish.places import PublishError


def test_two_conversions_give_the_same_bytes(quick):
    script = quick.scripts[0]
    assert paired(script) == paired(script)


def test_pair_holds_the_cells_in_order_without_outputs(tmp_path):
    script = tmp_path / "tiny.py"
    script.write_text(TINY)
    notebook = json.loads(pair(script).read_text())
    cells = notebook["cells"]
    assert [cell["id"] for cell in cells] == [f"tiny-{n:03d}" for n in range(len(cells))]
    kinds = ["markdown", *["code"] * 7, "markdown"]
    assert [cell["cell_type"] for cell in cells] == kinds
    assert all(not cell["outputs"] for cell in cells if cell["cell_type"] == "code")
    assert cells[1]["metadata"] == {"tags": ["parameters"]}
    assert cells[3]["metadata"]["mystnb"]["figure"]["name"] == "tiny-wave"
    assert notebook["metadata"] == {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}
    }


def test_an_unchanged_pair_is_not_written_again(quick):
    target = pair(quick.scripts[0])
    before = target.stat().st_mtime_ns
    pair(quick.scripts[0])
    assert target.stat().st_mtime_ns == before


def test_a_hand_edited_notebook_is_overwritten_by_its_script(quick):
    target = pair(quick.scripts[0])
    original = target.read_text()
    target.write_text(original.replace("A quick page", "An edit that would be lost later"))
    pair_all(quick)
    assert target.read_text() == original


def test_a_notebook_without_a_script_is_refused(quick):
    (quick.root / "notebooks" / "demo" / "orphan.ipynb").write_text("{}")
    with pytest.raises(PublishError, match=r"notebooks/demo/orphan\.ipynb"):
        pair_all(quick)
