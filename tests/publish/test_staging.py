import nbformat
import pytest
from small_book import INTRO

from covidlib.book import Parameters
from covidlib.publish.execution import execute
from covidlib.publish.places import PublishError
from covidlib.publish.staging import build, cleaned, stage


def test_stage_holds_the_executed_pages_and_no_trace_of_this_machine(built):
    text = (built.stage / "notebooks" / "demo" / "tiny.ipynb").read_text()
    notebook = nbformat.reads(text, as_version=4)
    assert str(built.root) not in text
    assert "papermill" not in notebook.metadata
    tags = [cell.metadata.get("tags", []) for cell in notebook.cells]
    assert ["parameters"] in tags
    assert not any("injected-parameters" in own for own in tags)
    assert sum(bool(cell.get("outputs")) for cell in notebook.cells) >= 4


def test_figures_tell_what_they_show_unless_the_script_does(built, tmp_path):
    def words(change):
        path = built.executed(Parameters()) / "notebooks" / "demo" / "tiny.ipynb"
        notebook = nbformat.read(path, as_version=4)
        drawn = [c for c in notebook.cells if "figure" in c.metadata.get("mystnb", {})]
        change(drawn[0])
        nbformat.write(notebook, tmp_path / "tiny.ipynb")
        cells = nbformat.reads(cleaned(tmp_path / "tiny.ipynb"), as_version=4).cells
        found = next(c for c in cells if "figure" in c.metadata.get("mystnb", {}))
        return found.metadata["mystnb"]["image"]["alt"]

    assert words(lambda cell: None) == "lines"
    assert words(lambda cell: cell.metadata["mystnb"].update(image={"alt": "A sine"})) == "A sine"
    assert words(lambda cell: cell.outputs[0].metadata.clear()) == "A wave."


def test_recorded_results_travel_with_the_book(copy):
    run = copy.root / "book" / "results" / "msatl" / "run"
    run.mkdir(parents=True)
    (run / "record.json").write_text("{}")
    stage(copy, Parameters())
    assert not (copy.stage / "book" / "results").exists()
    assert (copy.stage / "assets" / "results" / "msatl" / "run" / "record.json").is_file()
    assert (copy.stage / "book" / "intro.md").is_file()


def test_launch_buttons_follow_one_address_and_are_absent_without_it(copy):
    page, config = copy.html / "notebooks" / "demo" / "tiny.html", copy.root / "_config.yml"
    services = ("mybinder.org", "colab.research.google.com")
    assert not any(service in page.read_text() for service in services)
    assert not any(service in (copy.stage / "_config.yml").read_text() for service in services)
    text, address = config.read_text(), "https://github.com/someone/some-book"
    assert text.count('url: ""') == 1
    config.write_text(text.replace('url: ""', f"url: {address}"))
    stage(copy, Parameters())
    assert build(copy)
    shown, where = page.read_text(), "notebooks/demo/tiny.ipynb"
    assert f"{services[1]}/github/someone/some-book/blob/main/{where}" in shown
    assert f"{services[0]}/v2/gh/someone/some-book/main?urlpath=lab/tree/{where}" in shown
    config.write_text(text.replace('url: ""', "url: some-book"))
    with pytest.raises(PublishError, match="should look like"):
        stage(copy, Parameters())


def test_the_stage_is_emptied_first(copy):
    (copy.stage / "book" / "stale.md").write_text("# Stale")
    stage(copy, Parameters())
    assert not (copy.stage / "book" / "stale.md").exists()


def test_pages_without_a_source_or_an_execution_are_refused(copy):
    with pytest.raises(PublishError, match="was not executed with these parameters"):
        stage(copy, Parameters(seed=3))
    toc = copy.root / "_toc.yml"
    toc.write_text(toc.read_text() + "      - file: notebooks/demo/absent\n")
    with pytest.raises(PublishError, match=r"no notebooks/demo/absent\.md"):
        stage(copy, Parameters())


def test_an_unchanged_stage_is_not_built_again(built):
    page = built.html / "book" / "intro.html"
    before = page.stat().st_mtime_ns
    stage(built, Parameters())
    assert not build(built)
    assert page.stat().st_mtime_ns == before


def test_every_warning_is_told_and_fails_the_build(copy):
    lines = [
        "See {doc}`absent-page`.",
        "See [](#absent-target).",
        "![a picture](absent.png)",
        "{cite}`absent2020`",
        "{glue:text}`absent-value:.2f`",
    ]
    (copy.root / "book" / "intro.md").write_text("\n\n".join([INTRO, *lines]))
    stage(copy, Parameters())
    with pytest.raises(PublishError) as caught:
        build(copy)
    for name in ("absent-page", "absent-target", "absent.png", "absent2020", "absent-value"):
        assert name in str(caught.value)
    with pytest.raises(PublishError):
        build(copy)  # a failed build must not pass for an up-to-date one


def test_the_build_leaves_the_sources_alone(built):
    sources = {path.name for path in built.root.iterdir()}
    assert sources == {
        *("_build", "_config.yml", "_toc.yml", "assets", "book", "covidlib", "ext", "notebooks")
    }
    assert {path.suffix for path in (built.root / "notebooks" / "demo").iterdir()} == {
        ".py",
        ".ipynb",
    }
    assert execute(built, Parameters())[0].reused


def test_the_parameters_cell_shows_what_the_page_was_made_with(tmp_path):
    own = nbformat.v4.new_code_cell('profile = "smoke"  # sizes\ndata = "phantoms"  # or\nseed = 0')
    own.metadata["tags"] = ["parameters"]
    book = nbformat.v4.new_notebook(cells=[own])
    used = {"profile": "laptop", "data": "/home/me/images", "seed": 3}
    book.metadata["papermill"] = {"parameters": used}
    nbformat.write(book, tmp_path / "page.ipynb")
    (cell,) = nbformat.reads(cleaned(tmp_path / "page.ipynb"), as_version=4).cells
    assert cell.source == 'profile = "laptop"  # sizes\ndata = "FOLDER"  # or\nseed = 3'
