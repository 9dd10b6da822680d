"""Let torchvision import beside a torch it was not compiled for.

The registry's torchvision is built for CUDA. Beside a CPU-only torch its compiled part cannot
load, and its import stops at "operator torchvision::nms does not exist", although none of the
networks need that operator. Declaring the two operators that its Python part refers to is enough.
"""

import sys
from importlib.abc import MetaPathFinder
from importlib.util import find_spec
from pathlib import Path

SCHEMAS = {
    "nms": "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}
_declared = []  # a Library undoes its declarations when it is collected


class _BeforeTorchvision(MetaPathFinder):
    """Declare the operators at the moment torchvision is first looked for."""

    def find_spec(self, fullname, path=None, target=None):
        if fullname == "torchvision":
            sys.meta_path.remove(self)
            declare_missing_operators()
        return None


def install() -> None:
    """Make the next ``import torchvision`` safe; costs nothing where it is never imported."""
    waiting = any(isinstance(finder, _BeforeTorchvision) for finder in sys.meta_path)
    if "torchvision" not in sys.modules and not waiting:
        sys.meta_path.insert(0, _BeforeTorchvision())


def declare_missing_operators() -> list[str]:
    """Declare the operators that torchvision's own extension could not; return their names."""
    spec = find_spec("torchvision")
    if spec is None:
        return []
    import torch

    for extension in Path(spec.origin).parent.glob("_C*"):
        if extension.suffix not in (".so", ".pyd"):  # .pyd on Windows
            continue
        try:
            torch.ops.load_library(str(extension))
        except OSError:  # compiled for another torch
            continue
    missing = [name for name in SCHEMAS if not hasattr(torch.ops.torchvision, name)]
    for name in missing:
        library = torch.library.Library("torchvision", "FRAGMENT")
        library.define(SCHEMAS[name])
        _declared.append(library)
    return missing
