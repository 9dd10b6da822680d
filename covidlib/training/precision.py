"""Precision of the forward pass outside of a trainer."""

import torch


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """Return the context that matches Lightning's precision name."""
    kinds = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}
    if precision not in (*kinds, "32-true"):
        raise ValueError(f"precision is one of {[*kinds, '32-true']}, not {precision!r}")
    return torch.autocast(
        device.type, dtype=kinds.get(precision, torch.bfloat16), enabled=precision in kinds
    )
