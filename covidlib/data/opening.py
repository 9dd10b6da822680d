"""Open a data set by its name: under the data root, from a zip there, or drawn as phantoms."""

from pathlib import Path
from typing import TYPE_CHECKING

from covidlib.data import lung_masks
from covidlib.data.card_types import Card
from covidlib.data.cards import CARDS
from covidlib.data.compositions import COMPOSITIONS
from covidlib.data.layouts import read
from covidlib.data.layouts.listed import image_list
from covidlib.data.table import Dataset
from covidlib.errors import DatasetMissing
from covidlib.files import digest_file, once
from covidlib.paths import cache_root, data_root

if TYPE_CHECKING:
    from covidlib.data.phantoms import PhantomSettings

LIST = ".csv"


def open_dataset(
    name: str, root: str | Path | None = None, *, phantom: "PhantomSettings | None" = None
) -> Dataset:
    """Return one data set as a table.

    Args:
        name: a card's name, a composition's, "manet-masks" (every set with lung masks), or a folder
            of class folders or a list of images (``.csv``) under the data root.
        root: the data root; without it COVIDLIB_DATA.
        phantom: draw the data set instead of reading it: same layout, same reader, other pixels.

    Raises:
        DatasetMissing: it is not there; the message names the command that gets it.
        DataError: it is there and breaks its contract.
    """
    if name == lung_masks.NAME:
        return lung_masks.open_lung_masks(root, phantom=phantom)
    if name.lower().endswith(LIST) and phantom is None:
        return listed_images(name, root)
    if name in COMPOSITIONS:
        from covidlib.data.composing import compose

        return compose(COMPOSITIONS[name], root, phantom=phantom)
    card = CARDS.get(name) or own_images(name)
    if phantom is None:
        folder = locate(card, root)
    else:
        from covidlib.data.phantoms import materialise

        folder = materialise(name, phantom)
    table = read(card, folder)
    classes = card.classes or tuple(sorted(table["label"].dropna().unique()))
    return Dataset(
        name=name, table=table, classes=classes, phantom=phantom is not None or drawn(folder)
    )


def listed_images(name: str, root: str | Path | None = None) -> Dataset:
    """Return the images that a CSV under the data root lists."""
    home = data_root(root)
    if home is None:
        raise DatasetMissing(f"{name}: no data root is set. {_advice(own_images(name))}")
    table = image_list(home / name)
    classes = tuple(sorted(table["label"].dropna().unique()))
    homes = {folder for path in table["path"] for folder in Path(path).parents}
    return Dataset(name=name, table=table, classes=classes, phantom=any(map(drawn, homes)))


def drawn(folder: Path) -> bool:
    """Whether a folder says that its images were drawn by this library."""
    return (folder / "phantom.json").is_file()


def own_images(name: str) -> Card:
    """Return the card of a user's own folder of class folders."""
    return Card(
        name=name,
        title="own images",
        modality="own",
        task="classification",
        source="the folder itself",
        licence="unknown",
        citation="",
        homepage="",
        layout="image_folder",
        classes=(),
        traps=(),
    )


def locate(card: Card, root: str | Path | None = None) -> Path:
    """Return the folder of a data set; a zip of it in the data root is unpacked into the cache.

    Raises:
        DatasetMissing: there is neither.
    """
    place = located(card, root)
    return place if place.is_dir() else unpacked(place, card)


def located(card: Card, root: str | Path | None = None) -> Path:
    """Return where a data set lies under the data root: its folder, else its zip.

    Raises:
        DatasetMissing: there is neither.
    """
    home = data_root(root)
    if home is None:
        raise DatasetMissing(f"{card.name}: no data root is set. {_advice(card)}")
    for name in (card.name, *card.folders):
        if (home / name).is_dir():
            return home / name
        if (home / f"{name}.zip").is_file():
            return home / f"{name}.zip"
    raise DatasetMissing(f"{card.name} is not under {home}. {_advice(card)}")


def _advice(card: Card) -> str:
    known = card.name in CARDS
    get = f"Run `covidlib data get {card.name}`" if known else "Put the folder there"
    return f"{get}, or point COVIDLIB_DATA (or the argument root) at the folder that holds it."


def unpacked(archive: Path, card: Card) -> Path:
    """Unpack an archive of the data root once into the cache and return the folder inside."""
    from covidlib.data.extraction import Limits, extract

    target = cache_root() / "unpacked" / f"{card.name}-{digest_file(archive)[:16]}"
    limits = Limits(files=card.max_files, bytes=card.max_bytes)
    return once(target, lambda folder: extract(archive, folder, limits=limits, strip=1))
