"""Small numbers on their way to the device."""

import torch
from torch import Tensor


def to_device(
    values: Tensor, device: torch.device | str, dtype: torch.dtype | None = None
) -> Tensor:
    """Copy a CPU tensor to a device without waiting for what the device is doing.

    A copy from pageable memory makes the host wait for a GPU; one from pinned memory is queued
    behind the work that is there. Torch keeps the pinned memory until the copy is done.

    Args:
        values: on the CPU; any shape.
        device: where they go; nothing is copied to a CPU.
        dtype: what they become, before the copy; None leaves it.
    """
    device = torch.device(device)
    values = values.to(dtype or values.dtype)
    if device.type == "cuda":
        values = values.pin_memory()
    return values.to(device, non_blocking=device.type != "cpu")
