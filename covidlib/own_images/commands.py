"""``covidlib list``, ``audit``, ``train`` and ``predict``: a person's own images."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Column, Table

from covidlib.errors import CovidlibError
from covidlib.files import writable
from covidlib.terminal import console, errors, plain_errors, say

Images = Annotated[Path, typer.Argument(help="a folder per class, or a CSV with path and label")]
Modality = Annotated[str | None, typer.Option(help="ct or cxr; default: as most images look")]
Positive = Annotated[str | None, typer.Option(help="the class that is looked for")]
Seed = Annotated[int, typer.Option(help="of a drawn split, of weights and order")]
Workers = Annotated[int, typer.Option(help="processes that decode; 0: one per core")]
Place = Annotated[Path | None, typer.Option("--store", help="folder of runs")]


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.command("list")(list_command)
    app.command("audit")(audit_command)
    app.command("train")(train_command)
    app.command("predict")(predict_command)


def list_command(
    folder: Annotated[Path, typer.Argument(help="a folder per class")],
    target: Annotated[Path, typer.Argument(help="the CSV to write")],
    patient: Annotated[
        str | None, typer.Option(help=r"regular expression; its group is the patient: '^(\d+)_'")
    ] = None,
    join: Annotated[bool, typer.Option(help="equal pixels, same patient")] = False,
) -> None:
    """Write a CSV of a folder's images, with patients read out of the files' names."""
    from covidlib.own_images.listing import list_images

    with plain_errors():
        listed = list_images(folder, target, patient=patient, join=join)
        for problem in listed.left_out:
            say(f"left out: {problem.path.name}: {problem.reason}")
        people, unknown = listed.table["patient"].nunique(), listed.table["patient"].isna().sum()
        say(f"{target}: {len(listed.table)} images, {people} patients, {unknown} without one")
        if join:
            say(f"{listed.joined} images now share a patient with one of equal pixels")


def audit_command(
    images: Images,
    modality: Modality = None,
    positive: Positive = None,
    out: Annotated[Path | None, typer.Option(help="the report; default: NAME-audit.html")] = None,
    seed: Seed = 0,
    workers: Workers = 1,
) -> None:
    """Look for leaks, imbalance and shortcuts in your images, and write a report."""
    from covidlib.files import save
    from covidlib.own_images.auditing import audit
    from covidlib.own_images.opening import open_own
    from covidlib.own_images.report import audit_page

    with plain_errors():
        target = out or Path(f"{_stem(images)}-audit.html")
        if target.is_dir():
            raise CovidlibError(f"{target} is a folder; name a file, such as {target / 'a.html'}")
        writable(target.parent)
        found = audit(open_own(images, positive=positive, seed=seed), modality, workers or None)
        _show_audit(found)
        say(f"the report: {save(target, audit_page(found))}")
        if found.stops:
            raise typer.Exit(1)


def train_command(
    images: Images,
    profile: Annotated[str, typer.Option(help="smoke, laptop or paper: sizes only")] = "laptop",
    modality: Modality = None,
    positive: Positive = None,
    start: Annotated[
        str | None, typer.Option(help="key of the run to start from, or 'scratch'; default: best")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="the model's folder; default: NAME-model")
    ] = None,
    store: Place = None,
    seed: Seed = 0,
    threads: Annotated[int | None, typer.Option(help="of torch; default: torch's")] = None,
    workers: Workers = 1,
) -> None:
    """Audit, choose a start, train, evaluate, explain, and write a model card."""
    from covidlib.own_images.making import make_model
    from covidlib.own_images.model import CARD, free
    from covidlib.training.fit import Resources

    with plain_errors():
        made = make_model(
            images,
            free(out or Path(f"{_stem(images)}-model")),
            profile=profile,
            modality=modality,
            positive=positive,
            start=start,
            store=store,
            seed=seed,
            resources=Resources(threads=threads),
            workers=workers or None,
            audited=_show_audit,
            tell=say,
        )
        say(f"the model card: {made / CARD}")
        say(f"to use it: covidlib predict --model {made} IMAGE …")


def predict_command(
    images: Annotated[list[Path], typer.Argument(help="image files")],
    model: Annotated[str, typer.Option(help="a model's folder, or a run's key")],
    heatmaps: Annotated[Path, typer.Option(help="folder of the heatmaps")] = Path("heatmaps"),
    store: Place = None,
) -> None:
    """Print class probabilities with what they are worth, and write heatmaps."""
    from covidlib.own_images.model import open_model
    from covidlib.own_images.predicting import ask, write_heatmaps
    from covidlib.runs.store import Store

    with plain_errors():
        writable(heatmaps)
        opened = open_model(model, Store(store))
        answer = ask(opened, images)
        if len(answer.table):
            _show_answer(answer.table, opened.classes)
            say(answer.note)
            if hasattr(opened.network, "last_convolution"):
                for path in write_heatmaps(opened, answer.table, heatmaps):
                    say(f"heatmap: {path}")
            else:
                say("no heatmap: this network names no last convolution")
        for problem in answer.refused:
            text = f"[red]refused[/] {escape(str(problem.path))}: {escape(problem.reason)}"
            errors.print(text, highlight=False, soft_wrap=True)
        if answer.refused:
            raise typer.Exit(1)


def _show_answer(table, classes: tuple[str, ...]) -> None:
    named = map(escape, classes)
    shown = Table(Column("image", overflow="fold"), *named, "predicted", "how that turned out")
    for row in table.to_dict("records"):
        values = [f"{row[f'p_{name}']:.3f}" for name in classes]
        words = (escape(row[name]) for name in ("predicted", "likeness"))
        shown.add_row(escape(Path(row["path"]).name), *values, *words)
    console.print(shown)


def _show_audit(found) -> None:
    from covidlib.own_images.report import counts, summary

    say(summary(found))
    frame = counts(found)
    table = Table("class", *frame.columns)
    for name, row in frame.iterrows():
        table.add_row(escape(str(name)), *map(str, row))
    console.print(table)
    colours = {"stop": "red", "beware": "yellow", "fine": "green"}
    for remark in found.remarks:
        text = f"[{colours[remark.kind]}]{remark.kind:7}[/] {escape(remark.text)}"
        console.print(text, highlight=False, soft_wrap=True)


def _stem(images: Path) -> str:
    return images.expanduser().resolve().stem
