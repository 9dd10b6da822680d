"""A watch for operations after which the host must wait for the device."""

import torch
from torch.utils._python_dispatch import TorchDispatchMode

# Reading a value, and everything whose output's shape depends on values. On a CPU they cost
# nothing, which is why only a watch can tell.
WAITING = {
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


class Forbidden(AssertionError):
    """An operation that would wait."""


class forbid_waiting(TorchDispatchMode):
    """Raise at the first operation that would make an accelerator's host wait."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.name().split(".")[0]
        if name in WAITING or (name in INDEXING and any(map(_is_mask, args[1]))):
            raise Forbidden(name)
        return func(*args, **(kwargs or {}))


def _is_mask(index) -> bool:
    return index is not None and index.dtype in (torch.bool, torch.uint8)
