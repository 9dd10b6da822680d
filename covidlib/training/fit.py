"""The one loop: Lightning, with a state file that survives any end of the process."""

import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback, Checkpoint

from covidlib.runs.store import sync
from covidlib.training.method import Method

Progress = Callable[[dict], None]


@dataclass(frozen=True)
class Resources:
    """What a run may use; none of it belongs to the spec.

    Args:
        accelerator: "auto", "cpu" or "cuda".
        devices: processes of one run; more than one means distributed data parallel.
        checkpoint_seconds: least time between two writes of the state.
    """

    accelerator: str = "auto"
    devices: int = 1
    checkpoint_seconds: float = 60.0


class Curve(Callback):
    """One row per epoch, part of the state so that a resumed run keeps it."""

    def __init__(self, progress: Progress | None = None) -> None:
        self.rows: list[dict] = []
        self.progress = progress

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: Method) -> None:
        """Add the row of the epoch that ends."""
        self.rows.append(pl_module.epoch_row())
        if self.progress is not None:
            self.progress(self.rows[-1])

    def state_dict(self) -> dict:
        """Return the rows."""
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: dict) -> None:
        """Take the rows of the epochs before the interruption."""
        self.rows = list(state_dict["rows"])


class State(Checkpoint):
    """Write the training state at ends of epochs: temporary file, fsync, rename."""

    def __init__(self, path: Path, every_seconds: float) -> None:
        self.path = path
        self.every_seconds = every_seconds
        self.written = time.monotonic()

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: Method) -> None:
        """Write when enough time has passed, and after the last epoch."""
        last = trainer.current_epoch == pl_module.settings.epochs - 1
        due = last or time.monotonic() - self.written >= self.every_seconds
        if not trainer.strategy.broadcast(due):  # all processes write together or none does
            return
        draft = self.path.with_suffix(".draft")
        trainer.save_checkpoint(draft)
        if trainer.is_global_zero:
            sync(draft)
            os.replace(draft, self.path)
            sync(self.path.parent)
        self.written = time.monotonic()


def fit(
    method: Method, folder: Path, resources: Resources, progress: Progress | None = None
) -> list[dict]:
    """Train a method to its last epoch, from the state in ``folder`` where there is one.

    Args:
        method: changed in place; holds the trained weights afterwards.
        folder: keeps ``state.ckpt`` while the run is unfinished.
        resources: what the run may use.
        progress: called with each epoch's row.

    Returns:
        The curve, one row per epoch.
    """
    state = folder / "state.ckpt"
    curve = Curve(progress)
    if state.exists() and _finished(state, method):
        return _load(state, method)
    trainer = _trainer(method, state, resources, curve)
    trainer.fit(method, ckpt_path=state if state.exists() else None, weights_only=True)
    if trainer.interrupted:
        raise KeyboardInterrupt
    return _load(state, method)


def _trainer(method: Method, state: Path, resources: Resources, curve: Curve) -> L.Trainer:
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    many = resources.devices > 1
    return L.Trainer(
        accelerator=resources.accelerator,
        devices=resources.devices,
        strategy="ddp_spawn" if many else "auto",
        sync_batchnorm=many and resources.accelerator != "cpu" and torch.cuda.is_available(),
        precision=method.settings.precision,
        max_epochs=method.settings.epochs,
        callbacks=[curve, State(state, resources.checkpoint_seconds)],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,  # epoch_order gives every process its own rows
        reload_dataloaders_every_n_epochs=1,
    )


def _read(state: Path) -> dict:
    return torch.load(state, map_location="cpu", weights_only=True)


def _finished(state: Path, method: Method) -> bool:
    rows = _curve(_read(state))
    return bool(rows) and rows[-1]["epoch"] == method.settings.epochs - 1


def _load(state: Path, method: Method) -> list[dict]:
    """Take the weights from the state file, which is also how spawned processes hand them back."""
    body = _read(state)
    method.load_state_dict(body["state_dict"])
    return _curve(body)


def _curve(body: dict) -> list[dict]:
    states = [value for key, value in body["callbacks"].items() if key.startswith("Curve")]
    return states[0]["rows"] if states else []
