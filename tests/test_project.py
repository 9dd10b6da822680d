"""The project keeps its own rules: notebooks, contents, versions, documents."""

import ast
import re
import subprocess
import sys
import tomllib
from collections import Counter
from importlib.metadata import packages_distributions
from pathlib import Path

import jupytext
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from covidlib.publish.pairing import paired
from covidlib.publish.places import Places

ROOT = Path(__file__).resolve().parents[1]
PLACES = Places(ROOT, ROOT / "_build")
SCRIPTS = [pytest.param(path, id=path.stem) for path in PLACES.scripts]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
DOCUMENTS = ["README.md", "DEVELOPERS.md"]
HEADER = """\
# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---
"""


def cells(script: Path, kind: str) -> list:
    return [cell for cell in jupytext.read(script).cells if cell.cell_type == kind]


def requirements() -> dict[str, Requirement]:
    groups = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    parsed = [Requirement(line) for lines in groups for line in lines]
    return {canonicalize_name(found.name): found for found in parsed}


def constraints() -> dict[str, Requirement]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    parsed = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(found.name): found for found in parsed}


# The contents


def test_every_page_is_in_the_contents_and_every_entry_has_a_source():
    sources = {path.relative_to(ROOT).with_suffix("").as_posix() for path in PLACES.scripts}
    sources |= {f"book/{path.stem}" for path in (ROOT / "book").glob("*.md")}
    assert set(PLACES.pages) == sources


def test_every_paper_has_its_pages_written_or_to_come():
    text = (ROOT / "_toc.yml").read_text()
    named = re.findall(r"file: notebooks/(\w+)/\w+", text)
    counted = Counter(named)
    assert counted["msatl"] >= 12
    assert counted["magsd"] >= 11
    assert counted["manet"] >= 6


# The notebooks


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_notebook_starts_with_the_header_and_one_title(script):
    assert script.read_text().startswith(HEADER)
    titles = [
        line
        for cell in cells(script, "markdown")
        for line in cell.source.splitlines()
        if line.startswith("# ")
    ]
    first = jupytext.read(script).cells[0]
    assert first.cell_type == "markdown"
    assert titles == [first.source.splitlines()[0]]


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_notebook_has_one_cell_of_parameters_with_the_small_defaults(script):
    tagged = [c for c in cells(script, "code") if "parameters" in c.metadata.get("tags", [])]
    assert len(tagged) == 1
    found = {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in ast.parse(tagged[0].source).body
    }
    assert found == {"profile": "smoke", "data": "phantoms", "seed": 0}


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_notebook_is_short_and_defines_nothing(script):
    code = cells(script, "code")
    assert len(jupytext.read(script).cells) <= 25
    longest = max(code, key=lambda cell: len(cell.source.splitlines()))
    assert len(longest.source.splitlines()) <= 15, longest.source
    text = "\n".join(cell.source for cell in code)
    assert "book.start(profile, data, seed)" in text
    nodes = list(ast.walk(ast.parse(text)))
    assert not [node.name for node in nodes if isinstance(node, ast.ClassDef | ast.FunctionDef)]


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_notebook_is_what_its_script_says(script):
    assert script.with_suffix(".ipynb").read_text() == paired(script), "run: make pair"


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_notebook_says_in_short_what_runs_found(script):
    first = jupytext.read(script).cells[0].source
    _, found, rest = first.partition("```{admonition} In short\n")
    assert found, "the first cell has no admonition In short"
    assert "{glue:text}" in rest.partition("```")[0], "its numbers come from runs"


@pytest.mark.parametrize("script", SCRIPTS)
def test_code_that_a_page_shows_is_there(script):
    asked = re.findall(
        r"\{literalinclude\} (\S+)\n(?:# )?:pyobject: (\S+)", script.read_text(encoding="utf-8")
    )
    for place, name in asked:
        tree: ast.AST = ast.parse((script.parent / place).resolve().read_text(encoding="utf-8"))
        for part in name.split("."):
            found = [n for n in tree.body if getattr(n, "name", "") == part]
            assert found, f"{place} has no {name}"
            tree = found[0]


def test_figure_names_are_unique_in_the_book():
    names = Counter(
        cell.metadata["mystnb"]["figure"]["name"]
        for path in PLACES.scripts
        for cell in cells(path, "code")
        if "figure" in cell.metadata.get("mystnb", {})
    )
    assert [name for name, times in names.items() if times > 1] == []


# Versions


def test_every_dependency_has_an_exact_version_within_its_range():
    exact = constraints()
    for name, wanted in requirements().items():
        assert name in exact, f"constraints.txt has no version of {name}"
        (pin,) = exact[name].specifier
        assert pin.operator == "=="
        assert "+" not in pin.version, "a local version is one machine's build"
        assert wanted.specifier.contains(pin.version, prereleases=True), f"{name} {pin}"


def test_the_ranges_admit_the_gpu_machine():
    ranges = requirements()
    for name, version in {"torch": "2.11.0", "torchvision": "0.26.0"}.items():
        assert ranges[name].specifier.contains(version)


def test_every_import_of_the_library_is_declared():
    owners = packages_distributions()
    declared = set(requirements())
    strangers = {}
    for path in sorted((ROOT / "covidlib").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module]
            for name in {full.split(".")[0] for full in names}:
                if name in sys.stdlib_module_names or name in ("covidlib", "_pytest"):
                    continue
                packages = {canonicalize_name(owner) for owner in owners.get(name, [name])}
                if not packages & declared:
                    strangers[name] = str(path.relative_to(ROOT))
    assert strangers == {}


def test_conda_opens_the_door_to_the_same_versions():
    spec = yaml.safe_load((ROOT / "environment.yml").read_text())
    assert set(spec) == {"name", "channels", "dependencies"}
    plain = [entry for entry in spec["dependencies"] if isinstance(entry, str)]
    (inner,) = [entry for entry in spec["dependencies"] if isinstance(entry, dict)]
    assert all(re.fullmatch(r"[a-z0-9-]+(=[0-9.]+)?", entry) for entry in plain)
    assert {"pip", "make"} <= {entry.split("=")[0] for entry in plain}
    constraint, package = inner["pip"]
    assert (ROOT / constraint.removeprefix("-c ")).is_file()
    extras = re.fullmatch(r"-e \.\[([a-z,]+)\]", package).group(1).split(",")
    assert set(extras) == set(PROJECT["optional-dependencies"])
    makefile = (ROOT / "Makefile").read_text()
    assert f".[{','.join(extras)}]" in makefile


def test_workflows_only_call_the_recipe():
    for path in (ROOT / ".github" / "workflows").glob("*.yml"):
        jobs = yaml.safe_load(path.read_text())["jobs"]
        runs = [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
        assert runs, path.name
        assert all("\n" not in run.strip() for run in runs), "logic belongs into .ci/run"


# What a reader and a program meet first


@pytest.mark.parametrize("module", ["covidlib", "covidlib.book", "covidlib.publish.places"])
def test_importing_is_light(module):
    code = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.parametrize("name", DOCUMENTS)
def test_documents_name_only_what_exists(name):
    text = (ROOT / name).read_text()
    local = [link for link in re.findall(r"\]\(([^)#\s]+)\)", text) if "://" not in link]
    assert [link for link in local if not (ROOT / link).exists()] == []
    verbs = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"`make ([a-z]+)", text)) <= verbs
    assert not re.search(r"TODO|TBD|FIXME|lorem|coming soon", text, re.IGNORECASE)


def test_every_data_set_cited_by_a_card_is_in_the_references():
    cards = pytest.importorskip("covidlib.data.cards")
    keys = set(re.findall(r"@\w+\{(\w+),", (ROOT / "book" / "references.bib").read_text()))
    assert {card.citation for card in cards.CARDS.values() if card.citation} <= keys


def test_vendored_scripts_have_their_licences():
    for folder in (path for path in (ROOT / "assets" / "vendor").iterdir() if path.is_dir()):
        assert (folder / "LICENSE").stat().st_size > 1000, folder.name
        assert list(folder.glob("*.js")), folder.name
