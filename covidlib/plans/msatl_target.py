"""Training on COVID19-CT itself, the last step of every chain of msatl."""

from dataclasses import dataclass, replace

from covidlib.data.augmentation import MSATL_CT
from covidlib.plans.msatl_sizes import SIZES as STAGE_SIZES
from covidlib.settings import SupervisedSettings

NAMES = {"baseline": "baseline", "attn1": "1 ATTN", "attn5": "5 ATTNs"}


@dataclass(frozen=True)
class Sizes:
    """What a profile changes: epochs, batch, seeds, and the rate that follows the batch."""

    epochs: int
    batch: int
    seeds: dict[str, int]  # runs per network, by slug; "" for all others
    validate_every: int = 5
    rate: float = 0.1  # share of the scaled rate, as ``learning_rate`` found on validation images


R50 = dict.fromkeys(("r50-baseline", "r50-attn1", "r50-attn5"), 3)
SIZES = {
    "smoke": Sizes(epochs=1, batch=8, seeds={"": 1}, validate_every=1),
    "laptop": Sizes(epochs=60, batch=32, seeds={"": 1, **R50}),
    "paper": Sizes(epochs=200, batch=256, seeds={"": 5}, rate=1.0),  # msatl sec. 6.2
}


PAPER = SupervisedSettings()
# The paper's rate of 0.3 for 256 images, linear in the batch (Goyal et al. 2017), ...
SCALED = {name: PAPER.lr * sizes.batch / PAPER.batch for name, sizes in SIZES.items()}
RATES = (1.0, 0.3, 0.1, 0.03)  # ... and its shares, compared on validation images


def target(profile: str) -> SupervisedSettings:
    """Return the settings of training on COVID19-CT (msatl sec. 6.2)."""
    sizes = SIZES[profile]
    return replace(
        PAPER,
        size=STAGE_SIZES[profile].pixels,
        augmentation=MSATL_CT,
        epochs=sizes.epochs,
        batch=sizes.batch,
        lr=SCALED[profile] * sizes.rate,
        validate_every=sizes.validate_every,
    )
