"""The one loop: Lightning, with a state file that survives any end of the process."""

import logging
import signal
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback, Checkpoint
from torch.multiprocessing import ProcessRaisedException

from covidlib.errors import DataError, RunError
from covidlib.training.method import Method
from covidlib.training.state import State, StateFile, check_identity, read_state

ACCELERATORS = ("auto", "cpu", "cuda")
Progress = Callable[[dict], None]

# Lightning's own code does what torch deprecates, once an epoch, and a user cannot help it. The
# filter stands here because spawned processes must have it too; it hides this one message.
warnings.filterwarnings(
    "ignore",
    message=r"`isinstance\(treespec, LeafSpec\)` is deprecated",
    category=FutureWarning,
    module=r"lightning\.pytorch\.utilities\._pytree",
)


@dataclass(frozen=True)
class Resources:
    """What a run may use; none of it belongs to the spec.

    Args:
        accelerator: "auto", "cpu" or "cuda".
        devices: processes of one run; more than one means distributed data parallel.
        checkpoint_seconds: least time between two writes of the state.
        threads: of torch, per process; None leaves what torch has. On a CPU another number
            rounds sums differently, so runs to be compared bit by bit need the same one.
    """

    accelerator: str = "auto"
    devices: int = 1
    checkpoint_seconds: float = 60.0
    threads: int | None = None

    def __post_init__(self) -> None:
        """Refuse what no machine has."""
        if self.accelerator not in ACCELERATORS:
            names = ", ".join(ACCELERATORS)
            raise RunError(f"accelerator is one of {names}, not {self.accelerator!r}")
        if min(self.devices, 1 if self.threads is None else self.threads) < 1:
            raise RunError("a run has at least one device and one thread")

    @property
    def device(self) -> torch.device:
        """Where networks and images go: the GPU if there is one and it is not refused."""
        cuda = self.accelerator != "cpu" and torch.cuda.is_available()
        return torch.device("cuda" if cuda else "cpu")


def check_device(resources: Resources) -> None:
    """Refuse a GPU where there is none, which the loop would do after the images are decoded.

    Raises:
        RunError: torch sees no CUDA device, or fewer than are asked for.
    """
    here = torch.cuda.device_count()
    wanted = resources.accelerator == "cuda" or resources.device.type == "cuda"
    if wanted and here < resources.devices:
        raise RunError(
            f"{resources.devices} CUDA device(s) are asked for, and torch sees {here}; leave the "
            "accelerator out, or say cpu"
        )


@dataclass(frozen=True)
class Trained:
    """What training leaves behind, apart from the weights.

    Args:
        curve: one row per epoch.
        earlier: facts of the interrupted sessions that this one went on from.
    """

    curve: list[dict]
    earlier: list[dict]


class Curve(Callback):
    """One row per epoch, part of the state so that a resumed run keeps it."""

    def __init__(self, progress: Progress | None = None) -> None:
        self.rows: list[dict] = []
        self.progress = progress

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: Method) -> None:
        """Add the row of the epoch that ends."""
        self.rows.append(pl_module.epoch_row())
        if self.progress is not None and trainer.is_global_zero:
            self.progress(self.rows[-1])

    def state_dict(self) -> dict:
        """Return the rows."""
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: dict) -> None:
        """Take the rows of the epochs before the interruption."""
        self.rows = list(state_dict["rows"])


def fit(
    method: Method,
    folder: Path,
    resources: Resources,
    progress: Progress | None = None,
    *,
    identity: dict[str, str],
    session: dict,
) -> Trained:
    """Train a method to its last epoch, from the state in ``folder`` where there is one.

    Args:
        method: changed in place; holds the trained weights afterwards.
        folder: keeps ``state.ckpt`` while the run is unfinished.
        resources: what the run may use.
        progress: called with each epoch's row; a module's function where there are more devices.
        identity: what the state must have been made with, by name.
        session: facts of this process, kept in the state.

    Raises:
        RunError: the loss or the weights are not finite, or the state cannot be read or written,
            or was made with something else.
        DataError: the images do not fill a batch, or leave a process without one.
        KeyboardInterrupt: Ctrl-C; the state stays.
    """
    path = folder / "state.ckpt"
    found = path.exists()
    if found:
        body = read_state(path)
        check_identity(path, body, identity)
        rows = _kept(body, "Curve")["rows"]
        if rows and rows[-1]["epoch"] == method.settings.epochs - 1:
            method.load_state_dict(body["state_dict"])
            return Trained(rows, _kept(body, "State")["sessions"])
        del body  # Lightning reads it again; two copies of a large network are enough
    state = State(path, resources.checkpoint_seconds, identity, session, resources.threads)
    curve = Curve(progress)
    trainer = make_trainer(method, resources, [curve, state])
    with _own_endings(trainer):
        trainer.fit(method, ckpt_path=path if found else None)
    if resources.devices == 1:
        return Trained(curve.rows, state.earlier)
    # The state file is how spawned processes hand back what they made.
    body = read_state(path)
    method.load_state_dict(body["state_dict"])
    return Trained(_kept(body, "Curve")["rows"], _kept(body, "State")["sessions"][:-1])


def _kept(body: dict, callback: str) -> dict:
    return body["callbacks"][callback]


def make_trainer(method: Method, resources: Resources, callbacks: list[Callback]) -> L.Trainer:
    """Return the trainer of one run: no bars, no logs, no files but what the callbacks write."""
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    many, asked = resources.devices > 1, resources.accelerator
    return L.Trainer(
        # Lightning's "auto" also takes what the library was never tried on, such as a Mac's GPU.
        accelerator=resources.device.type if asked == "auto" else asked,
        devices=resources.devices,
        strategy="ddp_spawn" if many else "auto",
        sync_batchnorm=many and resources.device.type == "cuda",
        precision=method.settings.precision,
        max_epochs=method.settings.epochs,
        callbacks=callbacks,
        plugins=[StateFile()],
        logger=False,
        enable_checkpointing=any(isinstance(own, Checkpoint) for own in callbacks),
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,  # epoch_order gives every process its own rows
        reload_dataloaders_every_n_epochs=1,
    )


@contextmanager
def _own_endings(trainer: L.Trainer) -> Iterator[None]:
    """Give a caller the usual exceptions.

    Lightning answers Ctrl-C by leaving the interpreter, and with Ctrl-C switched off; an error in
    a spawned process arrives as the text of its traceback.
    """
    main = threading.current_thread() is threading.main_thread()
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit as error:
        if not isinstance(error.__context__, KeyboardInterrupt):
            raise
        if trainer.strategy.launcher is not None:
            trainer.strategy.launcher.kill(signal.SIGKILL)  # the state file survives that
        raise KeyboardInterrupt from error
    except ProcessRaisedException as error:
        name, _, message = str(error).strip().splitlines()[-1].partition(": ")
        for kind in (RunError, DataError):
            if name.endswith(kind.__name__):
                raise kind(message) from error
        raise
    finally:
        if main and handler is not None:
            signal.signal(signal.SIGINT, handler)
