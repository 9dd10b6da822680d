import importlib.util
import json
import math
import sys
from pathlib import Path

import pytest
import torch
import typer

from covidlib.book import Page, Parameters
from covidlib.pages import magsd_cost
from covidlib.pages.results import NOT_YET

FOLDER = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def benchmark(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    spec = importlib.util.spec_from_file_location("magsd_benchmark", FOLDER / "magsd.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    for name in ("turns", "per_image_views"):
        sys.modules.pop(name, None)


@pytest.fixture
def kept(benchmark, monkeypatch, tmp_path):
    """Times of two tiny batches, as the command keeps them."""
    about = {"commit": "c", "dirty": False, "versions": {"torch": "2.0"}}
    monkeypatch.setattr(benchmark, "software", lambda: about)
    folder = (tmp_path / magsd_cost.STEP).parent
    small = {"size": 32, "network": "resnet18", "rounds": 2, "device": "cpu", "keep": folder}
    benchmark.main(batch=[2, 3], **small)
    with pytest.raises(typer.BadParameter, match="is there"):
        benchmark.main(batch=[2], **small)
    return tmp_path


def test_times_of_tiny_steps_are_kept_and_shown(kept):
    body = json.loads((kept / magsd_cost.STEP).read_text("utf-8"))
    assert [one["batch"] for one in body["batches"]] == [2, 3]
    assert (body["size"], body["threads"]) == (32, torch.get_num_threads())
    assert "/" not in body["provenance"]["hardware"]
    for one in body["batches"]:
        assert list(one["steps"]) == [magsd_cost.FLOOR, magsd_cost.OURS]
        assert list(one["views"]) == [magsd_cost.VECTORISED, magsd_cost.LOOP]
        times = [*one["steps"].values(), *one["views"].values()]
        assert all(len(taken) == 2 and min(taken) > 0 for taken in times)
        assert one["waits"] == 0
    found = magsd_cost.step_table(Page(Parameters(), None, kept, kept))
    assert len(found.frame) == 8 and "resnet18, 32 pixels" in found.caption
    assert NOT_YET not in found.frame.to_numpy()


def test_a_library_that_is_not_committed_is_not_recorded(benchmark, monkeypatch, tmp_path):
    monkeypatch.setattr(benchmark, "software", lambda: {"dirty": True})
    with pytest.raises(typer.BadParameter, match="commit it first"):
        benchmark.main(batch=[2], keep=tmp_path)


def test_other_ways_to_make_views_take_part_where_asked(benchmark):
    found = benchmark.compare("resnet18", 32, 2, 1, torch.device("cpu"), variants=True)
    assert len(found["steps"]) == 4 and all(math.isfinite(t) for (t,) in found["steps"].values())


def test_a_step_stands_beside_four_plain_ones(tmp_path):
    page = Page(Parameters(), None, tmp_path, tmp_path)
    assert magsd_cost.step_table(page).frame.loc["MAG-SD", "seconds"] == NOT_YET
    steps = {magsd_cost.FLOOR: [1.0, 2.0, 4.0], magsd_cost.OURS: [1.5, 2.0, 10.0]}
    views = {magsd_cost.VECTORISED: [0.1, 0.1, 0.2], magsd_cost.LOOP: [0.2, 0.3, 0.8]}
    body = {"network": "resnet50", "size": 224, "threads": 1}
    body["batches"] = [{"batch": 16, "steps": steps, "views": views, "waits": 0}]
    body["provenance"] = {"device": "cpu", "versions": {"torch": "2.13.0+cpu"}}
    (tmp_path / magsd_cost.STEP).parent.mkdir(parents=True)
    (tmp_path / magsd_cost.STEP).write_text(json.dumps(body))
    found = magsd_cost.step_table(page)
    rows = {name: line.tolist() for (_, name), line in found.frame.iterrows()}
    assert rows["four plain steps"] == ["2 [1.5, 3]", "1", ""]
    assert rows["MAG-SD"] == ["2 [1.75, 6]", "1.5 [1.25, 2]", "four plain steps"]
    assert rows["its views, image by image"][1:] == ["3 [2.5, 3.5]", "its views, whole batch"]
    assert "1 thread, torch 2.13.0+cpu" in found.caption and "of 3 rounds" in found.caption
    assert "Processor time" in found.caption and "step: 0 at 16 images" in found.caption
