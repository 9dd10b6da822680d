"""What commands share: how they print and refuse, and the options that several of them take."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.markup import escape

from covidlib.errors import CovidlibError

console = Console()
errors = Console(stderr=True)

Paper = Annotated[str, typer.Argument(help="msatl, magsd, manet or across")]
Profile = Annotated[str, typer.Option(help="smoke, laptop or paper: sizes only")]
Data = Annotated[str, typer.Option(help="'phantoms' or the data root")]
Runs = Annotated[Path | None, typer.Option(help="folder of runs")]
Results = Annotated[Path, typer.Option(help="folder of recorded results")]
History = Annotated[Path | None, typer.Option(help="file; default: in results")]
Only = Annotated[str, typer.Option(help="run only keys that contain this text")]
Seeds = Annotated[int | None, typer.Option(min=1, help="seeds per row")]
Devices = Annotated[int, typer.Option(min=1, help="processes of one run (DDP)")]
Threads = Annotated[int | None, typer.Option(help="of each process; default: torch's")]
Accelerator = Annotated[str, typer.Option(help="auto, cpu or cuda")]

# Of commands that score what was trained on real images.
RealProfile = Annotated[Literal["laptop", "paper"], typer.Option()]
RealData = Annotated[
    Path, typer.Option(exists=True, file_okay=False, help="the folder of the data sets")
]
Weights = Annotated[Path | None, typer.Option(help="folder of runs, with weights")]


def say(text: str) -> None:
    """Print a text as it is."""
    console.print(escape(text), highlight=False, soft_wrap=True)


@contextmanager
def plain_errors() -> Iterator[None]:
    """Show an error of the library or of a disk as a sentence, and an interruption as one."""
    try:
        yield
    except (CovidlibError, OSError) as error:
        errors.print(f"[red]error[/] {escape(str(error))}", highlight=False, soft_wrap=True)
        raise typer.Exit(1) from error
    except KeyboardInterrupt:
        say("interrupted; the same command goes on from here")
        raise typer.Exit(130) from None


def run_alone(command: Callable[..., None]) -> None:
    """Run a module's only command; its errors are sentences, as those of ``covidlib`` are."""

    @wraps(command)
    def told(*arguments: object, **options: object) -> None:
        with plain_errors():
            command(*arguments, **options)

    typer.run(told)
