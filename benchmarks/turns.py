"""What the benchmarks share: contestants that take turns on one machine, and their times."""

# covidlib first: it lets torchvision import beside a CPU torch.
import covidlib

# isort: split
import itertools
import threading
import time
from collections.abc import Iterator

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback

from covidlib.clock import Clock, wait
from covidlib.training.fit import Resources, make_trainer
from covidlib.training.method import Method

Contestant = Iterator[object]  # one step at each next(), for ever


def chosen_device(name: str) -> torch.device:
    """Return the device of that name, the best there is if it is empty."""
    torch.backends.cudnn.benchmark = True
    return torch.device(name) if name else Resources().device


def described(device: torch.device) -> str:
    """Say where a table was measured."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    return f"{name}, {torch.get_num_threads()} threads, covidlib {covidlib.__version__}"


def measure(
    contestants: dict[str, Contestant],
    rounds: int,
    steps: int,
    device: torch.device,
    clock: Clock = time.perf_counter,
) -> dict[str, list[float]]:
    """Return the seconds per step of each contestant in each round, after one round unmeasured.

    Another contestant begins each round, so that a slow minute of the machine hits all of them.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    turns = list(contestants.items())
    for number in range(rounds + 1):
        first = number % len(turns)
        for name, contestant in turns[first:] + turns[:first]:
            wait(device)
            start = clock()
            for _ in itertools.islice(contestant, steps):
                pass
            wait(device)
            if number:
                seconds[name].append((clock() - start) / steps)
    return seconds


def in_the_loop(method: Method, device: torch.device) -> Contestant:
    """Train through the library's own loop, which waits for its turn after every step."""
    turns = Turns(device)
    trainer = make_trainer(method, Resources(accelerator=device.type), [turns])
    thread = threading.Thread(target=trainer.fit, args=(method,), daemon=True)
    thread.start()
    while True:
        turns.go.release()
        while not turns.done.acquire(timeout=1):
            if not thread.is_alive():
                raise RuntimeError("the training has ended, see above")
        yield


class Turns(Callback):
    """Hold a trainer between its steps; fetching the next batch belongs to the next step.

    Args:
        device: where it trains.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.go, self.done = threading.Semaphore(0), threading.Semaphore(0)

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Wait for the first turn."""
        self.go.acquire()

    def on_train_batch_end(self, *_: object) -> None:
        """Say that a step is done, wait for the next turn."""
        wait(self.device)
        self.done.release()
        self.go.acquire()
