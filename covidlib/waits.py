"""Operations after which the host must wait for its device.

On a GPU each of them costs the time in which the queue runs empty. CUDA can name them itself. On a
machine without a GPU the "meta" device stands for one: its tensors have shapes and no values, so a
step that runs there has not looked at any, and whatever it copies there is seen.
"""

import warnings
from collections.abc import Callable

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

# Reading a value, and everything whose output's shape depends on values.
READING = {
    "aten::_local_scalar_dense",
    "aten::item",
    "aten::nonzero",
    "aten::masked_select",
    "aten::is_nonzero",
    "aten::equal",
    "aten::unique_dim",
    "aten::_unique2",
    "aten::repeat_interleave",
}
INDEXING = {"aten::index", "aten::index_put", "aten::index_put_"}


class Waits(TorchDispatchMode):
    """Notes every operation on a device for which its host must wait.

    Args:
        device: the one that is watched; "cpu" takes the CPU for an accelerator.
    """

    def __init__(self, device: torch.device | str = "cpu") -> None:
        super().__init__()
        self.device = torch.device(device)
        self.found: list[str] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name, kwargs = func.name().split(".")[0], kwargs or {}
        if self._waits(name, args, kwargs):
            self.found.append(name)
        return func(*args, **kwargs)

    def _waits(self, name: str, args: tuple, kwargs: dict) -> bool:
        if name == "aten::_to_copy":
            target = kwargs.get("device") or args[0].device
            return self._crosses(args[0].device, target) and not kwargs.get("non_blocking")
        if name == "aten::copy_":
            free = kwargs.get("non_blocking") or (len(args) > 2 and args[2])
            return self._crosses(args[0].device, args[1].device) and not free
        if not (isinstance(args[0] if args else None, Tensor) and self._watched(args[0].device)):
            return False
        return name in READING or (name in INDEXING and any(map(_is_mask, args[1])))

    def _watched(self, device: torch.device | str) -> bool:
        return torch.device(device).type == self.device.type

    def _crosses(self, one: torch.device | str, two: torch.device | str) -> bool:
        return self._watched(one) != self._watched(two)


def _is_mask(index: Tensor | None) -> bool:
    return index is not None and index.dtype in (torch.bool, torch.uint8)


def waits(step: Callable[[], object], device: torch.device | str) -> list[str]:
    """Return what made the host wait during a step, by name; nothing is best.

    Args:
        step: what to watch; it should have run before, since first calls choose algorithms.
        device: where it runs: "cuda" asks CUDA, which names no operation; another is watched here.
    """
    device = torch.device(device)
    if device.type != "cuda":
        with Waits(device) as watch:
            step()
        return watch.found
    mode = torch.cuda.get_sync_debug_mode()
    torch.cuda.set_sync_debug_mode("warn")
    try:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            step()
    finally:
        torch.cuda.set_sync_debug_mode(mode)
    return [str(one.message) for one in told if "synchroniz" in str(one.message)]
