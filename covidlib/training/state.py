"""The state of an unfinished run: one file, written whole or not at all, read as plain values."""

import math
import os
import pickle
import time
import zipfile
from pathlib import Path

import lightning as L
import torch
from lightning.pytorch.callbacks import Checkpoint
from lightning.pytorch.plugins.io import TorchCheckpointIO

from covidlib.errors import RunError
from covidlib.files import sync

UNREADABLE = (
    OSError,
    EOFError,
    KeyError,
    ValueError,
    RuntimeError,
    zipfile.BadZipFile,
    pickle.UnpicklingError,
)


class StateFile(TorchCheckpointIO):
    """How Lightning writes and reads the state.

    Its own way goes through the system's temporary folder, where every killed writer leaves a
    file behind, and reads whatever a pickle asks for.
    """

    def save_checkpoint(self, checkpoint: dict, path: str | Path, storage_options=None) -> None:
        """Write beside the file, flush to the disk, rename.

        Raises:
            RunError: the disk is full or fails; the file that was there is as it was.
        """
        path = Path(path)
        draft = path.with_name(f"{path.name}.draft")
        try:
            with open(draft, "wb") as file:
                torch.save(checkpoint, file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(draft, path)
        except (OSError, RuntimeError) as error:  # torch turns a failed write into RuntimeError
            draft.unlink(missing_ok=True)
            raise RunError(
                f"{path} cannot be written ({_reason(error)}); make room and run again, it goes on "
                "from the state before, where there is one"
            ) from error
        sync(path.parent)

    def load_checkpoint(
        self, path: str | Path, map_location=None, weights_only: bool | None = None
    ) -> dict:
        """Read the state, whatever Lightning's version does about pickles."""
        return read_state(Path(path))


def read_state(path: Path) -> dict:
    """Return what a state file holds; nothing in it is executed.

    Every byte is compared with the checksums inside the file, which torch alone does not do.

    Raises:
        RunError: it is damaged, or holds more than tensors and plain values.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if (broken := archive.testzip()) is not None:
                raise zipfile.BadZipFile(f"{broken} differs from its checksum")
        body = torch.load(path, map_location="cpu", weights_only=True)
    except UNREADABLE as error:
        raise RunError(
            f"{path} is damaged, or not the state of a run ({_reason(error)}); "
            "delete it to train from the start"
        ) from error
    return body


def _reason(error: Exception) -> str:
    """Return the first line of the error that came first, which says what happened."""
    first = error.__context__ if isinstance(error.__context__, OSError) else error
    return (str(first) or type(first).__name__).splitlines()[0]


class State(Checkpoint):
    """Write the state at ends of epochs.

    Args:
        path: the file.
        every_seconds: least time between two writes; the first and the last epoch are written
            whatever it says.
        identity: what a run that goes on from this state must have in common with this one.
        session: facts of this process, kept beside those of the sessions before.
        threads: of torch in every process; None leaves them.
    """

    def __init__(
        self,
        path: Path,
        every_seconds: float,
        identity: dict[str, str],
        session: dict,
        threads: int | None = None,
    ) -> None:
        self.path = path
        self.every_seconds = every_seconds
        self.identity = identity
        self.session = session
        self.threads = threads
        self.earlier: list[dict] = []
        self.started = time.time()  # not monotonic: spawned processes count from here too
        self.written = -math.inf

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Fix the number of threads, which spawned processes choose for themselves otherwise."""
        if self.threads is not None:
            torch.set_num_threads(self.threads)

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Write when enough time has passed."""
        last = trainer.current_epoch == pl_module.settings.epochs - 1
        due = last or time.monotonic() - self.written >= self.every_seconds
        if trainer.strategy.broadcast(due):  # all processes write together or none does
            trainer.save_checkpoint(self.path)
            self.written = time.monotonic()

    def state_dict(self) -> dict:
        """Return whose state this is and who worked on it for how long."""
        now = self.session | {"seconds": round(time.time() - self.started, 1)}
        return {"identity": self.identity, "sessions": [*self.earlier, now]}

    def load_state_dict(self, state_dict: dict) -> None:
        """Keep the sessions before this one."""
        self.earlier = list(state_dict["sessions"])


def check_identity(path: Path, body: dict, identity: dict[str, str]) -> None:
    """Raise RunError unless a state belongs to the run that wants to go on from it."""
    found = body.get("callbacks", {}).get("State", {}).get("identity") or dict.fromkeys(identity)
    # What an older state does not say, the split, cannot speak against it.
    if names := [name for name, value in identity.items() if found.get(name, value) != value]:
        raise RunError(
            f"{path} was made with other {' and '.join(names)} than those of now; "
            "delete it to train from the start"
        )
