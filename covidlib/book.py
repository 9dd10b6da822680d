"""What every page of the book starts with: its parameters, its banner, its glued numbers."""

import html
import logging
import math
import numbers
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from covidlib import alternative
from covidlib.errors import CovidlibError, DataError
from covidlib.paths import RESULTS, data_root, store_root

if TYPE_CHECKING:
    from covidlib.data import Dataset

PROFILES = {
    "smoke": "seconds on a CPU",
    "laptop": "minutes on a CPU",
    "paper": "the paper's settings, for a GPU",
}
PHANTOMS = "phantoms"
SMOKE = (
    "Networks of this profile see few and small images, a few times at most: what they score "
    "under “this run” shows that the code works, not what a method is worth."
)
GPU_ASKED = "COVIDLIB_GPU"  # a page must not run without a GPU where this is set
NOISY = ("lightning", "lightning.pytorch", "lightning.fabric", "pytorch_lightning", "distributed")


@dataclass(frozen=True)
class Parameters:
    """The three parameters that every notebook has.

    Args:
        profile: one of ``PROFILES``.
        data: "phantoms", or the folder that holds the data sets.
        seed: at least 0.

    Raises:
        CovidlibError: a value is not one of these.
        DataError: the data folder is not there.
    """

    profile: str = "smoke"
    data: str = PHANTOMS
    seed: int = 0

    def __post_init__(self) -> None:
        if self.profile not in PROFILES:
            raise CovidlibError(f"profile is one of {list(PROFILES)}, not {self.profile!r}")
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or self.seed < 0:
            raise CovidlibError(f"seed is a whole number from 0, not {self.seed!r}")
        if not isinstance(self.data, str) or not self.data:
            raise CovidlibError(f'data is "phantoms" or a folder, not {self.data!r}')
        if not self.phantom and not Path(self.data).expanduser().is_dir():
            raise DataError(f'data is "phantoms" or a folder; there is no folder {self.data!r}')

    @property
    def phantom(self) -> bool:
        """Whether the images are drawn."""
        return self.data == PHANTOMS

    def absolute(self) -> "Parameters":
        """Return the same parameters with a data folder that holds from every directory."""
        if self.phantom:
            return self
        return Parameters(self.profile, str(Path(self.data).expanduser().resolve()), self.seed)


class Banner:
    """The box at the top of a page that says which images and settings made it."""

    def __init__(self, parameters: Parameters) -> None:
        self.parameters = parameters

    def _lines(self) -> tuple[str, list[str]]:
        chosen = self.parameters
        settings = f"Profile {chosen.profile} ({PROFILES[chosen.profile]}), seed {chosen.seed}."
        if not chosen.phantom:
            small = chosen.profile == "smoke"
            return "Real images", [*([SMOKE] if small else []), settings]
        return "Phantoms: drawn images, not patients", [
            "Every image on this page was drawn by the library, and every number under "
            "“this run” was computed from such drawings. They show that the code works. "
            "They say nothing about any disease.",
            settings,
        ]

    def __repr__(self) -> str:
        title, lines = self._lines()
        return "\n".join([title, *lines])

    def _repr_html_(self) -> str:
        title, lines = self._lines()
        kind = "phantoms" if self.parameters.phantom else "real"
        body = "".join(f"<p>{html.escape(line)}</p>" for line in lines)
        return (
            f'<div class="covidlib-run {kind}">'
            f'<p class="covidlib-run-title">{html.escape(title)}</p>{body}</div>'
        )


@dataclass(frozen=True)
class Page:
    """What a notebook knows about its own run.

    Args:
        parameters: as injected into the notebook, checked.
        root: the folder of the data sets, None for phantoms.
        store: the folder of finished runs.
        recorded: the runs on real data that came with the book, ``book/results``.
    """

    parameters: Parameters
    root: Path | None
    store: Path
    recorded: Path
    _glued: set[str] = field(default_factory=set, repr=False)

    @property
    def profile(self) -> str:
        """One of ``PROFILES``."""
        return self.parameters.profile

    @property
    def seed(self) -> int:
        """The seed of this execution."""
        return self.parameters.seed

    @property
    def phantom(self) -> bool:
        """Whether the images are drawn."""
        return self.parameters.phantom

    def dataset(self, name: str, **settings: Any) -> "Dataset":
        """Open a data set: the real one under the root, or a phantom in its layout.

        Args:
            name: a card's name, "covid-ct".
            settings: of ``PhantomSettings``; they are ignored for real images.
        """
        from covidlib.data import open_dataset
        from covidlib.data.phantoms import PhantomSettings

        if not self.phantom:
            return open_dataset(name, self.root)
        return open_dataset(name, phantom=PhantomSettings(**{"seed": self.seed} | settings))

    def glue(self, name: str, value: Any) -> None:
        """Keep a value for the prose: ``{glue:text}`name:.3f```.

        Raises:
            CovidlibError: the name was glued before on this page, or the number is not finite.
        """
        from myst_nb import glue

        if name in self._glued:
            raise CovidlibError(f"{name!r} is glued twice; a sentence would show the later value")
        glue(name, plain(value, name), display=False)
        self._glued.add(name)


def plain(value: Any, name: str = "value") -> Any:
    """Return a number as Python's own, since a NumPy one would be glued as "np.float64(0.5)".

    Raises:
        CovidlibError: the number is NaN or infinite.

    >>> import numpy as np
    >>> plain(np.float32(0.5)), plain(np.int64(3)), plain("text")
    (0.5, 3, 'text')
    """
    if isinstance(value, bool):
        return value
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        if not math.isfinite(value):
            raise CovidlibError(f"{name!r} is {value}: a sentence needs a number")
        return float(value)
    return value


def start(profile: str, data: str, seed: int) -> Page:
    """Check the notebook's parameters, quieten progress bars, show the banner.

    Args:
        profile: "smoke", "laptop" or "paper".
        data: "phantoms" or the folder of the data sets.
        seed: at least 0.

    Returns:
        The page: data root, store, recorded results, and ``glue``.

    Raises:
        CovidlibError: a parameter is wrong, or a GPU was asked for and there is none.
    """
    from IPython.display import display

    parameters = Parameters(profile, data, seed)
    if os.environ.get(GPU_ASKED):
        require_gpu()
    # Bars turn into blank widgets or dozens of lines on a rendered page.
    os.environ["TQDM_DISABLE"] = "1"
    for logger in NOISY:
        logging.getLogger(logger).setLevel(logging.ERROR)
    _settle_backend()
    display(Banner(parameters))
    return Page(
        parameters=parameters,
        root=None if parameters.phantom else data_root(data),
        store=store_root(),
        recorded=RESULTS,
    )


def require_gpu() -> None:
    """Raise CovidlibError where torch sees no GPU; training would go on a CPU in silence."""
    import torch

    if not torch.cuda.is_available():
        raise CovidlibError(f"a GPU was asked for, and torch {torch.__version__} sees none")


def _settle_backend() -> None:
    """Let matplotlib choose its backend now, and figures describe themselves from then on.

    It otherwise does so at the first figure; where that is drawn inside ``rc_context``, leaving
    the context switches the notebook's display off again, and no later figure would appear.
    """
    import matplotlib.pyplot as plt

    plt.switch_backend(plt.get_backend())
    alternative.attach()
