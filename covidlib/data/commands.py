"""``covidlib data``: what there is, get it, check it, describe it."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Column, Table

from covidlib.errors import DatasetMissing
from covidlib.terminal import console, plain_errors

data_app = typer.Typer(help="Data sets: list, get, verify, describe.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="A data set's name, see `covidlib data list`.")]
Root = Annotated[
    Path | None, typer.Option("--data", help="The data root; without it COVIDLIB_DATA.")
]


@data_app.command("list")
def list_command(data: Root = None) -> None:
    """List the data sets, and which of them are here."""
    from covidlib.data.cards import CARDS
    from covidlib.data.compositions import COMPOSITIONS

    # A name that is cut short cannot be typed.
    table = Table(Column("name", no_wrap=True), "what", "kind", "images", "here", "get")
    for card in CARDS.values():
        images = f"{card.images:,}" if card.images else "-"
        way = "download" if card.downloads else "by hand"
        here = "yes" if _present(card, data) else "no"
        table.add_row(card.name, card.title, card.modality, images, here, way)
    console.print(table)
    console.print(f"put together from them: {', '.join(COMPOSITIONS)}")


@data_app.command("get")
def get_command(
    name: Name,
    data: Root = None,
    accept_unverified: Annotated[
        bool, typer.Option(help="Install files of which no checksum was ever published.")
    ] = False,
) -> None:
    """Download a data set from its original address, check it, install it."""
    from covidlib.data.cards import card
    from covidlib.data.download import get
    from covidlib.paths import data_root

    with plain_errors():
        root = data_root(data)
        if root is None:
            raise DatasetMissing("say where to put it: --data FOLDER, or set COVIDLIB_DATA")
        chosen = card(name)
        console.print(f"licence: {escape(chosen.licence)}\nread first: {chosen.homepage}")
        folder = get(chosen, root, accept_unverified=accept_unverified)
        console.print(f"{name} is in {escape(str(folder))}")


@data_app.command("verify")
def verify_command(name: Name, data: Root = None) -> None:
    """Compare every file of a data set with the checksums on record."""
    from covidlib.data.cards import card
    from covidlib.data.manifests import verify
    from covidlib.data.opening import located

    with plain_errors():
        result = verify(name, located(card(name), data))
        for reason, files in (("differs", result.wrong), ("absent", result.absent)):
            for file in files[:20]:
                console.print(f"{reason}: {escape(file)}")
            if len(files) > 20:
                console.print(f"… and {len(files) - 20} more")
        verdict = "match" if result.passed else "only match"
        console.print(f"{result.matching:,} files {verdict} the {result.manifest} checksums")
        if not result.passed:
            raise typer.Exit(1)


@data_app.command("describe")
def describe_command(name: Name, data: Root = None) -> None:
    """Show a data set's card and, where it is here, what its folder holds."""
    from covidlib.data.cards import card
    from covidlib.data.compositions import COMPOSITIONS

    with plain_errors():
        if name in COMPOSITIONS:
            return _describe_composition(name, data)
        chosen = card(name)
        for fact in ("title", "task", "source", "licence", "citation", "homepage", "layout"):
            console.print(f"[bold]{fact}[/bold]  {escape(str(getattr(chosen, fact)))}")
        console.print(f"[bold]classes[/bold]  {', '.join(chosen.classes) or 'as the folders say'}")
        for trap in chosen.traps:
            console.print(f"[yellow]beware[/yellow]  {escape(trap)}")
        if chosen.access:
            console.print(f"[bold]to get it[/bold]  {escape(chosen.access)}")
        if _present(chosen, data):
            _describe_folder(name, data)
        else:
            console.print(f"not here: covidlib data get {name}")


def _describe_composition(name: str, data: Path | None) -> None:
    from covidlib.data.composition_report import classes_table, parts_table
    from covidlib.data.compositions import COMPOSITIONS
    from covidlib.data.opening import open_dataset

    chosen = COMPOSITIONS[name]
    console.print(f"[bold]{escape(chosen.title)}[/bold]  {escape(chosen.source)}")
    for trap in chosen.traps:
        console.print(f"[yellow]beware[/yellow]  {escape(trap)}")
    dataset = open_dataset(name, data)
    for frame in (parts_table(dataset), classes_table(dataset, chosen).reset_index()):
        shown = Table(*frame.columns)
        for row in frame.astype(str).itertuples(index=False):
            shown.add_row(*row)
        console.print(shown)
    if absent := [c for c in chosen.classes if c not in dataset.classes]:
        console.print(f"[yellow]without[/yellow]  {', '.join(absent)}: no image of it is here")


def _describe_folder(name: str, data: Path | None) -> None:
    from covidlib.data.cards import card
    from covidlib.data.layouts import left_out
    from covidlib.data.opening import open_dataset

    table = open_dataset(name, data).table
    filled = table.assign(split=table["split"].fillna("-"), label=table["label"].fillna("unknown"))
    counts = filled.groupby(["split", "label"]).size()
    shown = Table("split", "label", "images here", "published")
    published = card(name).counts
    for (split, label), number in list(counts.items())[:30]:
        told = published.get((split.replace("-", ""), label))
        shown.add_row(split, label, f"{number:,}", "" if told is None else f"{told:,}")
    console.print(shown)
    if len(counts) > 30:
        console.print(f"… and {len(counts) - 30} more classes")
    patients, unknown = table["patient"].nunique(), int(table["patient"].isna().sum())
    console.print(f"{len(table):,} images, {patients:,} patients, {unknown:,} without a patient")
    for reason, number in left_out(table)["reason"].value_counts().items():
        console.print(f"left out: {number:,} {escape(reason)}")


def _present(card, data: Path | None) -> bool:
    from covidlib.data.opening import located

    try:
        located(card, data)
    except DatasetMissing:
        return False
    return True
