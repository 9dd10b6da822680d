"""Where a number comes from."""

import os
import platform
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import torch

PACKAGES = ("covidlib", "torch", "torchvision", "lightning", "numpy", "scikit-learn")


@cache
def software() -> dict:
    """Return commit, whether the tree differed from it, and versions of what computes.

    Asked once per process, before the first training: a commit made while hours of training go by
    is not the one whose code was loaded.
    """
    return {"commit": _git("rev-parse", "HEAD"), "dirty": _dirty(), "versions": _versions()}


def hardware(device: "torch.device") -> dict:
    """Return what a run was computed on."""
    import torch

    name = torch.cuda.get_device_name(device) if device.type == "cuda" else _processor()
    return {"device": device.type, "hardware": name, "threads": torch.get_num_threads()}


class Seen(Protocol):
    """Images that were measured."""

    @property
    def fingerprint(self) -> str:
        """Of their data set."""

    @property
    def phantom(self) -> bool:
        """Whether they were drawn."""


def of_images(images: Seen, profile: str, *, versions: bool = False) -> dict:
    """Return commit, images and profile of a measurement.

    Args:
        images: that were measured.
        profile: of the networks that were asked.
        versions: whether those of the packages are told too; the networks' own records have them.
    """
    names = ("commit", "dirty", "versions") if versions else ("commit", "dirty")
    facts = {name: software()[name] for name in names}
    seen = {"fingerprint": images.fingerprint, "phantom": images.phantom}
    return facts | seen | {"profile": profile}


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:  # an optional one, or the package runs from its source tree
            continue
    return found


def _git(*arguments: str) -> str:
    """Return git's answer; COVIDLIB_COMMIT speaks for a tree that travels without its history."""
    told = os.environ.get("COVIDLIB_COMMIT")
    if told:
        return told if arguments[0] == "rev-parse" else ""
    folder = Path(__file__).parent
    try:
        done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True)
    except OSError:  # no git on this machine
        return "unknown"
    return done.stdout.strip() if done.returncode == 0 else "unknown"


def _dirty() -> bool:
    """Whether the library differs from its commit; pages and tests do not change a result."""
    package = str(Path(__file__).parents[1])
    return bool(_git("status", "--porcelain", "--untracked-files=no", "--", package))


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
