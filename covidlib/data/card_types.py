"""What a data set's card holds."""

from collections.abc import Mapping
from dataclasses import dataclass, field

ANY = "*"


@dataclass(frozen=True)
class Download:
    """One file at its original address.

    Args:
        url: the address the authors published.
        sha256: digest of the file as published, or None where nobody recorded one.
        into: folder of the data set that receives it, relative, empty for the data set itself.
        strip: leading path components of an archive's members to drop.
        keep: only members whose stripped path starts with one of these; empty keeps all.
        unpack: whether the file is an archive.
    """

    url: str
    sha256: str | None = None
    into: str = ""
    strip: int = 0
    keep: tuple[str, ...] = ()
    unpack: bool = True


@dataclass(frozen=True)
class Card:
    """The facts of one data set.

    Args:
        name: folder under the data root, and the name on the command line.
        modality: "ct", "cxr" or "natural".
        task: "classification" or "segmentation".
        source: who published it, and where.
        licence: as the authors state it.
        citation: key in the book's references.
        homepage: the page a person reads before use.
        layout: which reader of ``covidlib.data.layouts`` understands the folder.
        classes: fixed order, positive last when binary; empty where the folders name them.
        counts: images per (split, label) as published; split "" where there is no official
            split, label "*" where only the total is known, label "" for images without a label.
        traps: what misled people before.
        downloads: the original addresses that a program may fetch.
        access: what a person must do where an account or a click-through stands before the files.
        folders: other folder names under the data root that hold the same thing.
        max_bytes: refuse archives that unpack to more.
        max_files: refuse archives that hold more.
    """

    name: str
    title: str
    modality: str
    task: str
    source: str
    licence: str
    citation: str
    homepage: str
    layout: str
    classes: tuple[str, ...]
    traps: tuple[str, ...]
    counts: Mapping[tuple[str, str], int] = field(default_factory=dict)
    downloads: tuple[Download, ...] = ()
    access: str | None = None
    folders: tuple[str, ...] = ()
    max_bytes: int = 20 * 2**30
    max_files: int = 200_000

    @property
    def images(self) -> int | None:
        """Number of images as published, None where the card has no counts."""
        return sum(self.counts.values()) or None

    @property
    def checksums(self) -> str | None:
        """Name of the manifest of the published files, None where none was recorded."""
        from covidlib.data.manifests import packaged

        return packaged(self.name).get("published")
