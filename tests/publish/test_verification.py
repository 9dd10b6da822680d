import re

import nbformat
import pytest

from covidlib.book import Parameters
from covidlib.publish.places import PublishError
from covidlib.publish.verification import verify

TINY, INTRO = "notebooks/demo/tiny", "book/intro"


def test_a_whole_book_has_no_problem_and_is_counted(built):
    report = verify(built, Parameters())
    assert report.problems == []
    counts = report.counts
    assert (counts["pages"], counts["notebook pages"]) == (2, 1)
    assert (counts["figures"], counts["tables"], counts["widgets"]) == (2, 2, 1)
    assert counts["links"] > 5
    assert counts["formulas"] >= 1


FAULTS = [
    (TINY, r'<div class="covidlib-run phantoms">', "<div>", "the banner does not say 'phantoms'"),
    (TINY, r"<td>0.000000</td>", "<td>nan</td>", "an output shows 'nan'"),
    (TINY, r"<td>0.000000</td>", "<td>-inf</td>", "an output shows '-inf'"),
    (TINY, r"<table.*?</table>", "", "2 tables were made, 1 are on the page"),
    (TINY, r"<tbody>.*?</tbody>", "<tbody></tbody>", "a table has no cells"),
    (TINY, r'<figure[^>]*id="tiny-wave".*?</figure>', "", "'tiny-wave' is not on the page"),
    (TINY, r'src="([^"]*\.png)"', r'src="gone-\1"', "which is missing"),
    (TINY, r'href="#tiny-wave"', 'href="#gone"', "an anchor that is not there"),
    (TINY, r'class="output text_html"', 'class="output stderr"', "wrote to standard error"),
    (TINY, r'type="application/vnd.jupyter.widget-state\+json"', "", "a widget has no state"),
    (INTRO, r'(<article.*?)href="[^"#]*tiny\.html"', r'\1href="gone.html"', "ends nowhere"),
    (INTRO, r"</article>", '<img src="https://example.org/a.png"></article>', "from outside"),
    (INTRO, r"</article>", '<script src="//example.org/a.js"></script></article>', "from outside"),
    (TINY, r'alt="lines[^"]*"', 'alt=""', "has no alternative text"),
    (TINY, r'alt="lines[^"]*"', 'alt="../a.png"', "has no alternative text"),
    (INTRO, r"Not for clinical use", "For use", "the footer does not say"),
    (INTRO, r"(<article.*?)<h1>.*?</h1>", r"\1", "no article with a title"),
    (INTRO, r"<p>Its only page.*?</p>", "", "nearly empty"),
]


@pytest.mark.parametrize(("page", "pattern", "planted", "complaint"), FAULTS)
def test_a_planted_fault_is_reported(copy, page, pattern, planted, complaint):
    path = copy.html / f"{page}.html"
    text, times = re.subn(pattern, planted, path.read_text(), count=1, flags=re.DOTALL)
    assert times == 1, "the fault was not planted"
    path.write_text(text)
    problems = verify(copy, Parameters()).problems
    assert any(problem.startswith(page) and complaint in problem for problem in problems), problems


def test_an_empty_output_and_a_traceback_are_reported(copy):
    path = copy.html / f"{TINY}.html"
    planted = (
        '<div class="cell_output docutils container"></div>'
        '<div class="cell_output docutils container">Traceback (most recent call last)</div>'
    )
    path.write_text(path.read_text().replace("</article>", planted + "</article>"))
    found = " ".join(verify(copy, Parameters()).problems)
    assert "a cell has an empty output" in found
    assert "a cell ends in an error" in found


def test_a_table_is_no_figure(copy):
    path = copy.stage / f"{TINY}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    cell = next(c for c in notebook.cells if "figure" in c.metadata.get("mystnb", {}))
    assert not any("not drawn" in problem for problem in verify(copy, Parameters()).problems)
    table = nbformat.v4.new_output("display_data", {"text/html": "<table><td>1</td></table>"})
    cell.outputs = [table]
    nbformat.write(notebook, path)
    assert any(
        "declared but not drawn" in problem for problem in verify(copy, Parameters()).problems
    )


def test_missing_pages_and_an_empty_picture_are_reported(copy):
    next((copy.html / "_images").glob("*.png")).write_bytes(b"")
    (copy.html / f"{INTRO}.html").unlink()
    problems = verify(copy, Parameters()).problems
    assert f"{INTRO}: the page is missing" in problems
    assert any("which is empty" in problem for problem in problems)


def test_a_style_sheet_that_fetches_from_outside_is_reported(copy):
    sheet = copy.html / "book.css"
    sheet.write_text(sheet.read_text() + "\n@import url('https://example.org/font.css');\n")
    assert any("book.css loads https" in problem for problem in verify(copy, Parameters()).problems)


def test_a_phantom_page_cannot_pass_for_a_real_one(built, tmp_path):
    problems = verify(built, Parameters("smoke", str(tmp_path))).problems
    assert any("the banner does not say 'real'" in problem for problem in problems)


def test_a_page_that_names_this_machine_is_reported(copy):
    path = copy.html / f"{INTRO}.html"
    path.write_text(path.read_text().replace("</article>", f"{copy.root}</article>"))
    assert any("of the machine that built it" in p for p in verify(copy, Parameters()).problems)


def test_an_empty_book_is_refused(copy, tmp_path):
    (copy.stage / f"{TINY}.ipynb").unlink()
    with pytest.raises(PublishError, match="no page made from a notebook"):
        verify(copy, Parameters())
    copy.html.rename(tmp_path / "elsewhere")
    with pytest.raises(PublishError, match="there is no book"):
        verify(copy, Parameters())
