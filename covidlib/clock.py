"""Times that compare with each other on a machine that others use too."""

import time
from collections.abc import Callable

import torch

Clock = Callable[[], float]  # seconds, from some beginning


def own_clock(device: torch.device) -> Clock:
    """Return a clock for the work of this process on a device.

    On a CPU it counts what this process got, of all its threads together: others on the machine
    must not count. A GPU has no such count, and work on it has ended only after ``wait``.
    """
    return time.perf_counter if device.type == "cuda" else time.process_time


def wait(device: torch.device) -> None:
    """Let everything that was queued on a GPU finish."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
