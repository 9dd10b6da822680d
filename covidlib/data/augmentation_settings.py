"""What augmentation may do, and the settings of the three papers."""

from dataclasses import dataclass, replace
from typing import Literal, get_args

Border = Literal["zeros", "border", "reflection"]
OPERATIONS = ("crop", "flip_x", "flip_y", "shift", "zoom", "angle")
OPERATIONS += ("brightness", "contrast", "offset", "grey")


def _check_probability(probability: float) -> None:
    if not 0 <= probability <= 1:
        raise ValueError(f"a probability is in [0, 1], got {probability}")


@dataclass(frozen=True)
class Range:
    """A number drawn uniformly from [low, high], in a share ``probability`` of the samples."""

    low: float
    high: float
    probability: float = 1.0

    def __post_init__(self) -> None:
        if not self.low <= self.high:
            raise ValueError(f"low is at most high, got [{self.low}, {self.high}]")
        _check_probability(self.probability)


@dataclass(frozen=True)
class Augmentation:
    """What may happen to each sample; None and 0 mean never.

    Geometry comes first, as one warp: crop, then rotation and zoom about the middle of the crop,
    then shift, then flips. A rotated crop shows the image that lies beyond the crop, where there
    is any. Grey values follow: brightness, contrast, offset, grey, each clipped to [0, 1].
    Saturation and hue are not here: they change nothing in a grey image.

    Args:
        crop: side of the window over side of the image, so 224 of 256 pixels is 0.875 at any size.
        centred: whether the window lies in the middle instead of anywhere.
        flip_x, flip_y: probability of a mirror image, left-right and top-bottom.
        shift: share of the side, drawn for each axis; positive is right and down.
        zoom: factor, above 1 enlarges.
        angle: degrees, counter-clockwise.
        brightness: factor.
        contrast: factor of the distance from the image's mean grey.
        offset: grey value added, white is 1.
        grey: probability that a colour image loses its colour.
        random_number: draw how many operations happen, 0 to all of those named, each number
            equally likely, then which; the probabilities of the operations play no part.
        border: what lies outside an image: "zeros", "border" (its edge) or "reflection".
    """

    crop: Range | None = None
    centred: bool = False
    flip_x: float = 0.0
    flip_y: float = 0.0
    shift: Range | None = None
    zoom: Range | None = None
    angle: Range | None = None
    brightness: Range | None = None
    contrast: Range | None = None
    offset: Range | None = None
    grey: float = 0.0
    random_number: bool = False
    border: Border = "zeros"

    def __post_init__(self) -> None:
        for probability in (self.flip_x, self.flip_y, self.grey):
            _check_probability(probability)
        if self.crop and not 0 < self.crop.low <= self.crop.high <= 1:
            raise ValueError(f"crop is a share of the side in (0, 1], got {self.crop}")
        if self.zoom and self.zoom.low <= 0:
            raise ValueError(f"zoom is a factor above 0, got {self.zoom}")
        for name in ("brightness", "contrast"):
            if (chosen := getattr(self, name)) and chosen.low < 0:
                raise ValueError(f"{name} is a factor of 0 or more, got {chosen}")
        if self.border not in get_args(Border):
            raise ValueError(f"border is one of {get_args(Border)}, not {self.border!r}")

    def probabilities(self) -> tuple[float, ...]:
        """Return the probability of each operation, in the order of ``OPERATIONS``."""
        chosen = (getattr(self, name) for name in OPERATIONS)
        return tuple(c.probability if isinstance(c, Range) else float(c or 0) for c in chosen)

    def centre(self) -> "Augmentation":
        """Return what evaluation does: the crop that training always takes, from the middle.

        An augmentation that does not always crop to one size is evaluated on whole images.

        >>> MSATL_CT.centre() == EVAL, MAGSD_TABLE2.centre() == NONE
        (True, True)
        """
        always = self.crop and self.crop.probability == 1 and not self.random_number
        if always and self.crop.low == self.crop.high:
            return Augmentation(crop=self.crop, centred=True)
        return Augmentation()


NONE = Augmentation()
# msatl sec. 6.2: "center-cropped patch with size 224" of 256. (Its other words, "other augmentation
# techniques are the same", would make every test result random: not followed.)
EVAL = Augmentation(crop=Range(0.875, 0.875), centred=True)
# msatl sec. 6.2, STL-N.
MSATL_NATURAL = Augmentation(crop=Range(0.875, 0.875), flip_x=0.5)
# msatl sec. 6.2, STL-M: which operations, and 0.5 for each. The ranges are those of COVID-Net's
# released code (data.py), whose list of operations msatl repeats; black outside, as there.
MSATL_CXR = Augmentation(
    shift=Range(-0.1, 0.1, 0.5),
    angle=Range(-10, 10, 0.5),
    flip_x=0.5,
    brightness=Range(0.9, 1.1, 0.5),
)
# msatl sec. 6.2, SSTL-M and fine-tuning. The strength of the jitter is 0.4 as in the first MoCo's
# code; one 0.5 for brightness and one for contrast, their order fixed: ours.
MSATL_CT = Augmentation(
    crop=Range(0.875, 0.875),
    flip_x=0.5,
    brightness=Range(0.6, 1.4, 0.5),
    contrast=Range(0.6, 1.4, 0.5),
    grey=0.5,
)
# magsd Table 2 and sec. 4.2 ("Random number of transformations"). The range of the crop is ours,
# the table gives none; that [0, 120] is degrees and counter-clockwise too.
MAGSD_TABLE2 = Augmentation(
    crop=Range(0.75, 1),
    angle=Range(0, 120),
    flip_x=0.5,
    flip_y=0.5,
    brightness=Range(0.5, 1),
    contrast=Range(0.7, 1),
    random_number=True,
)
# manet sec. 2.3, 0.5 for each operation (the paper could also mean for all of them together). In
# Albumentations, which the paper names, "contrast" multiplies and "brightness" adds a share of
# white: here brightness and offset, drawn apart although they are one item of the paper's list.
# Its default border reflects.
MANET = Augmentation(
    shift=Range(-0.0625, 0.0625, 0.5),
    zoom=Range(0.8, 1.2, 0.5),
    angle=Range(-30, 30, 0.5),
    brightness=Range(0.8, 1.2, 0.5),
    offset=Range(-0.2, 0.2, 0.5),
    border="reflection",
)
# manet sec. 2.2: the segmentation network turns less and leaves grey values alone.
MANET_SEGMENTATION = replace(MANET, angle=Range(-10, 10, 0.5), brightness=None, offset=None)

PRESETS = {
    "none": NONE,
    "eval": EVAL,
    "msatl-natural": MSATL_NATURAL,
    "msatl-cxr": MSATL_CXR,
    "msatl-ct": MSATL_CT,
    "magsd-table2": MAGSD_TABLE2,
    "manet": MANET,
    "manet-segmentation": MANET_SEGMENTATION,
}
