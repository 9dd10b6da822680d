"""Learning without labels: MoCo, SimCLR, and the lobe-aware SSTL-M of msatl.

425 training images are three thousand times fewer than MoCo and SimCLR were made for. What had to
give way is said beside each value; ``book/deviations.md`` gives the reasons.
"""

import math
from dataclasses import dataclass, replace
from typing import Literal, get_args

from covidlib.data.augmentation import MSATL_CT, Augmentation
from covidlib.settings.training import TrainingSettings

Seen = Literal["train", "all"]
Tempered = Literal["all", "positive"]
Reduction = Literal["mean", "sum"]
Box = tuple[float, float, float, float]

# A mirrored right lobe looks like a left one, so regions are never mirrored: ours. The text (msatl
# sec. 6.2) names the whole scheme for regions too, which is MSATL_CT; figure 2 shows none, NONE.
REGION_AUGMENTATION = replace(MSATL_CT, flip_x=0.0)
# Centre, width and height of ru, rm, rl, lu, ll as shares of the lung box. The paper's own numbers
# are "from Figure 2", which prints none: ours. The patient's right lung is on the image's left.
LOBE_BOXES: tuple[Box, ...] = (
    (0.25, 1 / 6, 0.5, 1 / 3),
    (0.25, 3 / 6, 0.5, 1 / 3),
    (0.25, 5 / 6, 0.5, 1 / 3),
    (0.75, 1 / 4, 0.5, 1 / 2),
    (0.75, 3 / 4, 0.5, 1 / 2),
)


def _one_of(name: str, value: str, kind: object) -> None:
    if value not in get_args(kind):
        raise ValueError(f"{name} is one of {get_args(kind)}, not {value!r}")


@dataclass(frozen=True)
class ContrastiveSettings(TrainingSettings):
    """What the contrastive methods share.

    Args:
        images: which images are learnt from: "train", or "all", validation and test images
            included but never their labels, which the paper may have done (transductive).
        temperature: of the softmax over similarities.
        projection: length D of the vectors that are compared.
        hidden: whether a hidden layer as wide as the features stands before the projection.
        neighbours: images of the training split that vote in the probe of the curve.
    """

    augmentation: Augmentation = MSATL_CT  # msatl sec. 6.2; the same for all three methods: ours
    images: Seen = "train"
    temperature: float = 0.07  # msatl sec. 6.2
    projection: int = 128  # MoCo sec. 3.3, SimCLR sec. 2.2
    hidden: bool = False
    neighbours: int = 20

    def __post_init__(self) -> None:
        super().__post_init__()
        _one_of("images", self.images, Seen)
        if not self.temperature > 0:
            raise ValueError(f"a temperature is above 0, got {self.temperature}")
        if self.projection < 1 or self.neighbours < 1:
            raise ValueError("projection and neighbours are 1 or more")


@dataclass(frozen=True)
class MocoSettings(ContrastiveSettings):
    """Momentum contrast, version 1 (He et al. 2020), with a queue that fits 425 images.

    The paper's queue of 65,536 keys would hold every training image 154 times. Here it holds 256,
    and a key of the query's own image is no negative.

    Args:
        queue: keys of earlier steps that serve as negatives, Q.
        key_momentum: m of equation 3. At batch 256 a run has 400 steps: with MoCo's 0.999 the key
            encoder would keep two thirds of its first weights to the end.
        own_keys: whether older keys of the query's own image count as negatives. Equation 2 of
            msatl has "different CT images", so they do not.
        tempered: what the temperature divides in equation 2: "all" similarities as in MoCo, or
            the "positive" one only, as printed.
    """

    lr: float = 0.03  # MoCo sec. 4: "an initial learning rate of 0.03" at batch 256
    queue: int = 256  # MoCo: 65536
    key_momentum: float = 0.99  # MoCo: 0.999; msatl sec. 5.2: "usually ... such as 0.999"
    own_keys: bool = False
    tempered: Tempered = "all"

    def __post_init__(self) -> None:
        super().__post_init__()
        _one_of("tempered", self.tempered, Tempered)
        if self.queue < 1:
            raise ValueError(f"a queue holds 1 key or more, got {self.queue}")
        if not 0 <= self.key_momentum <= 1:
            raise ValueError(f"key_momentum is in [0, 1], got {self.key_momentum}")


@dataclass(frozen=True)
class SimclrSettings(ContrastiveSettings):
    """SimCLR (Chen et al. 2020), with a batch that fits 425 images.

    The paper's batch of 4,096 cannot be filled; LARS was there for such batches, so this is SGD.
    Epochs are those of the other methods (SimCLR: 100 to 1000).

    Args:
        warmup: share of the epochs in which the rate rises to ``lr``; a cosine follows.
    """

    lr: float = 0.3  # SimCLR sec. 2.2: 0.3 for each 256 images
    weight_decay: float = 1e-6  # SimCLR sec. 2.2
    temperature: float = 0.1  # SimCLR table 5, the best
    hidden: bool = True  # SimCLR sec. 2.2
    warmup: float = 0.1  # SimCLR sec. 2.2: 10 of 100 epochs

    def lr_at(self, epoch: int) -> float:
        """Return the rate of one epoch: linear up, then half a cosine down.

        >>> [round(SimclrSettings(epochs=10, lr=1.0).lr_at(e), 2) for e in (0, 1, 5, 9)]
        [1.0, 1.0, 0.59, 0.03]
        """
        first = round(self.warmup * self.epochs)
        if epoch < first:
            return self.lr * (epoch + 1) / first
        return self.lr / 2 * (1 + math.cos(math.pi * (epoch - first) / (self.epochs - first)))


@dataclass(frozen=True)
class SstlmSettings(MocoSettings):
    """SSTL-M: MoCo on whole images and a five-way task on lobes (msatl sec. 5 and 6.2).

    Args:
        alpha_image, alpha_region: the weights of equation 6.
        region_loss: the second bracket of equation 6, with the step's other images as the negative
            ones. "mean" divides it by the number of images, which is also what figure 2 shows;
            "sum" is as printed, so it grows with the batch.
        region_images: how many of a step's images have their lobes learnt; None is all of them. A
            lobe costs as much as an image, and five times 256 of them do not fit on a GPU.
        region_augmentation: what happens to every lobe after it was cropped and resized.
        regions: centre x, centre y, width, height of ru, rm, rl, lu, ll, shares of the lung box.
    """

    lr: float = 0.3  # msatl sec. 6.2; ten times MoCo's, all other values of the recipe are MoCo's
    alpha_image: float = 0.8  # msatl sec. 6.2
    alpha_region: float = 0.8  # msatl sec. 6.2
    region_loss: Reduction = "mean"
    region_images: int | None = None
    region_augmentation: Augmentation = REGION_AUGMENTATION
    regions: tuple[Box, ...] = LOBE_BOXES

    def __post_init__(self) -> None:
        super().__post_init__()
        _one_of("region_loss", self.region_loss, Reduction)
        if self.region_images is not None and self.region_images < 1:
            raise ValueError(f"region_images is 1 or more, got {self.region_images}")
        for box in self.regions:
            x, y, width, height = box
            edges = (x - width / 2, x + width / 2, y - height / 2, y + height / 2)
            if not (width > 0 and height > 0 and min(edges) >= 0 and max(edges) <= 1):
                raise ValueError(f"a region lies in the lung box, got {box}")
