"""``covidlib workflow``: lungs first, then the class, for a folder of X-rays (manet sec. 3.1)."""

from pathlib import Path
from typing import Annotated

import typer

from covidlib.terminal import Runs, plain_errors, say

workflow_app = typer.Typer(
    no_args_is_help=True, help="Segment, clean, mask, classify, explain: manet's two stages."
)


@workflow_app.command("save")
def save_workflow(
    key: Annotated[str, typer.Argument(help="of a finished classifier of manet")],
    target: Annotated[Path, typer.Argument(help="the folder to write")],
    store: Runs = None,
) -> None:
    """Take a classifier and the segmentation behind it out of a store, into one folder."""
    from covidlib.errors import RunError
    from covidlib.runs.rebuilding import rebuilt
    from covidlib.runs.store import Store
    from covidlib.workflow.two_stages import Workflow

    with plain_errors():
        place = Store(store)
        record = next((one for one in place.records() if one.key == key), None)
        if record is None:
            raise RunError(f"no finished run {key} in {place.root}")
        made = Workflow.of(rebuilt(record), place)
        say(f"{made.save(target)}: tells apart {', '.join(made.classes)}")


@workflow_app.command("apply")
def apply_workflow(
    workflow: Annotated[Path, typer.Argument(help="a folder that save wrote")],
    images: Annotated[Path, typer.Argument(help="a folder of X-rays, or one")],
    out: Annotated[Path, typer.Option(help="a new folder: results.csv, lungs, heatmaps")],
    explain: Annotated[bool, typer.Option(help="write Grad-CAM heatmaps as well")] = False,
) -> None:
    """Say what a saved workflow makes of each image, with what speaks against it."""
    from covidlib.own_images.model import free
    from covidlib.workflow.reading import write
    from covidlib.workflow.two_stages import Workflow

    with plain_errors():
        target = free(out)  # before the work, whose result would be lost otherwise
        table = write(Workflow.load(workflow).readings(images, explain=explain), target)
        for row in table.to_dict("records"):
            chance = row[f"p_{row['label']}"]
            beware = f" ({row['warning']})" if row["warning"] else ""
            say(f"{Path(row['path']).name}: {row['label']} {chance:.2f}{beware}")
        say(f"{target}: results.csv and pictures. Not for clinical use.")
