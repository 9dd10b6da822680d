"""What a folder of decoded images says about itself, and whether it is still true."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import PIL

from covidlib.data.preprocessing import Preprocessing
from covidlib.files import digest_file, digest_text, sync


def damaged(folder: Path) -> list[str]:
    """Read a finished cache against its SHA-256 and name the files that differ.

    >>> damaged(Path("no-such-cache"))
    ['manifest.json']
    """
    manifest = read_manifest(folder)
    if manifest is None:
        return ["manifest.json"]
    facts = manifest["files"].items()
    return [name for name, fact in facts if _describe(folder / name) != fact]


def essential(settings: Preprocessing) -> dict:
    """Return the settings without colour where it is not asked for: older caches keep their key."""
    return {k: v for k, v in asdict(settings).items() if k != "colour" or v}


def write_manifest(
    folder: Path, names: list[str], skipped: list[tuple[int, str]], settings: Preprocessing
) -> None:
    """Write what the arrays of a folder are, and make all of it survive a power cut."""
    files = [folder / f"{name}.npy" for name in names]
    body = {
        "files": {file.name: _describe(file) for file in files},
        "settings": essential(settings),
        "skipped": skipped,
        "versions": {"numpy": np.__version__, "pillow": PIL.__version__},
    }
    text = json.dumps(body, indent=1)
    (folder / "manifest.json").write_text(json.dumps({"sha256": digest_text(text), "body": text}))
    for path in [*files, folder / "manifest.json", folder]:
        sync(path)


def read_manifest(folder: Path) -> dict | None:
    """Return the manifest, None if it is absent or was altered."""
    try:
        outer = json.loads((folder / "manifest.json").read_bytes())
        return json.loads(outer["body"]) if digest_text(outer["body"]) == outer["sha256"] else None
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def _describe(file: Path) -> dict[str, int | str]:
    if not file.is_file():
        return {}
    return {"bytes": file.stat().st_size, "sha256": digest_file(file)}
