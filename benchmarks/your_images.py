"""How long a person waits: the four commands on a copy of a folder of images, from start to exit.

``python benchmarks/your_images.py FOLDER TIMES.json --patient '^(\\d+)_'`` copies the folder, runs
``covidlib list``, ``audit``, ``train`` and ``predict`` in an empty place with an empty cache, and
writes seconds and seconds of CPU of each. The page on your images shows
``book/results/across/your_images/times.json``.
"""

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer


def main(
    folder: Path,
    target: Path,
    patient: Annotated[str, typer.Option(help="regular expression of the patient")],
    store: Annotated[Path | None, typer.Option(help="runs to start from; they are copied")] = None,
    profile: str = "laptop",
    threads: int = 1,
) -> None:
    """Run the commands and write how long each took."""
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        shutil.copytree(folder, home / "scans")
        if store is not None:
            shutil.copytree(store, home / "store")
        image = next(path for path in sorted((home / "scans").rglob("*")) if path.is_file())
        options = ["--store", "store"]
        commands = {
            "list": ["scans", "images.csv", "--patient", patient],
            "audit": ["images.csv"],
            "train": ["images.csv", "--profile", profile, "--threads", str(threads), *options],
            "predict": ["--model", "images-model", str(image), *options],
        }
        steps = {step: timed(home, step, *words) for step, words in commands.items()}
        count = len((home / "images.csv").read_text("utf-8").splitlines()) - 1
    about = (
        f"Measured on {count} real images of {folder.name} in the profile {profile}, on {threads} "
        f"of {os.cpu_count()} cores, with an empty cache at the start."
    )
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps({"about": about, "steps": steps}, indent=1) + "\n", "utf-8")


def timed(home: Path, *words: str) -> dict[str, float]:
    """Run one command and return its seconds, of the clock and of CPU.

    Raises:
        CalledProcessError: the command failed.
    """
    surroundings = os.environ | {"COVIDLIB_CACHE": str(home / "cache")}
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    code = "from covidlib.cli import app; app()"
    subprocess.run([sys.executable, "-c", code, *words], cwd=home, env=surroundings, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"seconds": round(time.monotonic() - start, 1), "cpu_seconds": round(cpu, 1)}


if __name__ == "__main__":
    typer.run(main)
