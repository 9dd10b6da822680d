"""Sizes and images of the stages of msatl, by profile."""

from dataclasses import dataclass

from covidlib.data.phantoms import PhantomSettings
from covidlib.data.preprocessing import Preprocessing
from covidlib.settings import DataSettings


@dataclass(frozen=True)
class Sources:
    """Which images the supervised stages learn from.

    Args:
        natural: data set of STL-N; "torchvision" takes finished weights instead.
        medical: data set of STL-M.
    """

    natural: str = "tiny-imagenet-100"
    medical: str = "covidx-here"


STAND_INS = Sources()
PAPERS = Sources("imagenet", "covidx")  # msatl sec. 6.1
TORCHVISION = "torchvision"


@dataclass(frozen=True)
class StageSizes:
    """What a profile changes in the stages before the target.

    Args:
        pixels: side of every network input.
        stln_epochs, stln_batch, stlm_epochs, stlm_batch, ssl_epochs, ssl_batch: their lengths.
        stlm_rate, sstlm_rate: shares of these stages' rates, scaled to the batch.
        queue, regions, neighbours: see ``SstlmSettings``; None leaves the paper's.
        seeds: how many chains have pre-training of their own; STL-N is always trained once.
    """

    pixels: int
    stln_epochs: int
    stln_batch: int
    stlm_epochs: int
    stlm_batch: int
    ssl_epochs: int
    ssl_batch: int
    stlm_rate: float = 1.0
    sstlm_rate: float = 1.0
    queue: int = 256
    regions: int | None = None
    neighbours: int = 20
    seeds: int = 1


SIZES = {
    "smoke": StageSizes(40, 1, 8, 1, 8, 1, 8, sstlm_rate=0.1, queue=16, regions=1, neighbours=3),
    # A core takes 16 ms for an image of 64 pixels, forward and back: 12, 6 and 12 minutes. STL-M
    # takes a tenth of the paper's 6,660 steps, so its rate is ten times the paper's for a step.
    # SSTL-M has the target's rate in the paper, and a tenth of it here, as the target has.
    "laptop": StageSizes(64, 4, 32, 18, 32, 40, 32, stlm_rate=20.0, sstlm_rate=0.1, regions=8),
    "paper": StageSizes(224, 90, 512, 30, 64, 200, 256, regions=64, seeds=5),
}
# Images of each class in each split in smoke; pictures of 12 or 100 classes are few anyway.
LIMITS = {"tiny-imagenet-100": 1, "imagenet": 1, "covid-ct": 12}
LIMIT = 8


def images(name: str, profile: str, phantoms: bool, number: int = 40, **fields) -> DataSettings:
    """Return the images of one stage; ``smoke`` takes few, drawn or acquired.

    Args:
        name: of the data set.
        profile: which sizes.
        phantoms: whether they are drawn.
        number: how many are drawn in ``smoke``.
        **fields: of ``DataSettings``.
    """
    smoke = profile == "smoke"
    drawn = PhantomSettings(images=number, size=48) if smoke else PhantomSettings()
    limit = LIMITS.get(name, LIMIT) if smoke else None
    if phantoms and name in LIMITS:
        limit = None  # so few are drawn
    return DataSettings(name, phantom=drawn if phantoms else None, limit=limit, **fields)


def cached(pixels: int) -> int:
    """Return the side of which a crop of so many pixels is 0.875 (msatl sec. 6.2: 224 of 256).

    >>> cached(224), cached(64)
    (256, 73)
    """
    return round(pixels * 8 / 7)


def target_images(profile: str, phantoms: bool) -> DataSettings:
    """Return COVID19-CT with its official split, scaled to a square (msatl sec. 6.2)."""
    size = cached(SIZES[profile].pixels)
    return images("covid-ct", profile, phantoms, preprocessing=Preprocessing(size=size))
