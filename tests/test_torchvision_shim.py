import subprocess
import sys
import textwrap

import pytest
import torch

from covidlib import _torchvision


def fresh(code):
    """Run code in a process of its own: operators are declared once for a whole process."""
    code = textwrap.dedent(code)
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


def succeeds(code):
    done = fresh(code)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_torchvision_imports_and_computes_after_the_shim():
    said = succeeds("""
        import covidlib._torchvision
        import torch, torchvision
        from torchvision.transforms import v2
        network = torchvision.models.resnet18(num_classes=2).eval()
        image = v2.RandomCrop(32)(torch.rand(1, 3, 40, 40))
        print(tuple(network(image).shape))
    """)
    assert said == "(1, 2)\n"


def test_importing_covidlib_costs_no_torch():
    assert succeeds("import sys, covidlib; print('torch' in sys.modules)") == "False\n"


def test_installing_and_declaring_twice_is_harmless():
    said = succeeds("""
        import sys
        from covidlib import _torchvision
        before = len(sys.meta_path)
        _torchvision.install()
        print(len(sys.meta_path) - before)
        _torchvision.declare_missing_operators()
        print(_torchvision.declare_missing_operators())
        import torchvision
        _torchvision.install()
        print(len(sys.meta_path) - before)
    """)
    assert said.split() == ["0", "[]", "-1"]


def test_operators_that_someone_else_declared_are_left_alone():
    said = succeeds("""
        import torch
        library = torch.library.Library("torchvision", "FRAGMENT")
        library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        from covidlib import _torchvision
        print("nms" in _torchvision.declare_missing_operators())
        import torchvision
    """)
    assert said == "False\n"


def test_someone_else_may_declare_the_rest_later():
    """FRAGMENT, because a second whole TORCH_LIBRARY of that name would end the process."""
    succeeds("""
        from covidlib import _torchvision
        _torchvision.declare_missing_operators()
        import torch
        library = torch.library.Library("torchvision", "FRAGMENT")
        library.define("another(Tensor x) -> Tensor")
        import torchvision
    """)


@pytest.fixture
def build(tmp_path, monkeypatch):
    """A torchvision folder with an extension, of which the test says whether it loads."""

    class Spec:
        origin = str(tmp_path / "__init__.py")

    (tmp_path / "_C.so").touch()
    monkeypatch.setattr(_torchvision, "find_spec", lambda name: Spec)
    monkeypatch.setattr(_torchvision, "SCHEMAS", {"shim_probe": "shim_probe(Tensor x) -> Tensor"})
    return tmp_path


def test_a_build_that_fits_is_loaded_and_nothing_is_declared(build, monkeypatch):
    loaded, libraries = [], []

    def load(path):
        loaded.append(path)
        library = torch.library.Library("torchvision", "FRAGMENT")
        library.define("shim_probe(Tensor x) -> Tensor")
        libraries.append(library)

    monkeypatch.setattr(torch.ops, "load_library", load)
    assert _torchvision.declare_missing_operators() == []
    assert loaded == [str(build / "_C.so")]


def test_a_build_that_does_not_fit_gets_its_operators(build, monkeypatch):
    def refuse(path):
        raise OSError("undefined symbol")

    monkeypatch.setattr(_torchvision, "SCHEMAS", {"shim_late": "shim_late(Tensor x) -> Tensor"})
    monkeypatch.setattr(torch.ops, "load_library", refuse)
    assert _torchvision.declare_missing_operators() == ["shim_late"]
    assert _torchvision.declare_missing_operators() == []


def test_without_torchvision_nothing_happens(monkeypatch):
    monkeypatch.setattr(_torchvision, "find_spec", lambda name: None)
    assert _torchvision.declare_missing_operators() == []
