"""The specification of one training run, and the key that names it."""

import hashlib
import json
from dataclasses import MISSING, dataclass, fields, is_dataclass
from typing import Any

from covidlib.errors import RunError
from covidlib.settings import DataSettings, NetworkSettings, TrainingSettings


@dataclass(frozen=True)
class RunSpec:
    """Everything that decides a run's result, and nothing else.

    Args:
        network: settings of one network.
        data: which images, split and preprocessing.
        training: settings of one method; their type says what a step is.
        seed: of initial weights, order, augmentation and dropout.
        init: the stage this run starts from; None means random weights.
        stage: what the run is called when others start from it, such as "stl-n".

    Raises:
        RunError: the network takes other channels, or larger images, than the training gives it.
    """

    network: NetworkSettings
    data: DataSettings
    training: TrainingSettings
    seed: int = 0
    init: "RunSpec | None" = None
    stage: str = "target"

    def __post_init__(self) -> None:
        """Refuse a network that cannot take the images, before any are decoded."""
        name, given = self.network.slug, self.training
        taken = getattr(self.network, "channels", 3)  # not every network lets one choose
        if taken != given.channels:
            raise RunError(
                f"{name} takes images of {taken} channel(s) and training.channels is "
                f"{given.channels}: they must be the same"
            )
        if given.size < (least := getattr(self.network, "least", 1)):
            raise RunError(f"training.size is {given.size} pixels: {name} takes {least} or more")

    @property
    def parents(self) -> "tuple[RunSpec, ...]":
        """The runs that come first: the stage this one starts from, and whoever finds the lungs."""
        return tuple(parent for parent in (self.init, self.data.lungs) if parent is not None)

    @property
    def chain(self) -> tuple[str, ...]:
        """Names of the stages before this run, first one first."""
        return () if self.init is None else (*self.init.chain, self.init.stage)

    @property
    def slug(self) -> str:
        """The readable part of the key."""
        start = "-".join(self.chain) or "scratch"
        return f"{self.data.slug}-{self.network.slug}-{start}-{self.training.slug}-s{self.seed}"

    @property
    def key(self) -> str:
        """Slug and hash of the canonical form, parents included."""
        text = json.dumps(canonical(self), sort_keys=True)
        return f"{self.slug}-{hashlib.sha256(text.encode()).hexdigest()[:10]}"


def seed_of(key: str) -> str:
    """Return the seed that a run's key names.

    >>> seed_of("covid-ct-r50-baseline-scratch-supervised-s12-0123456789")
    's12'
    """
    return key.rsplit("-", 2)[1]


def name_of(key: str) -> str:
    """Return the readable part of a run's key, which runs of other seeds share.

    >>> name_of("covid-ct-r50-baseline-scratch-supervised-s12-0123456789")
    'covid-ct-r50-baseline-scratch-supervised'
    """
    return key.rsplit("-", 2)[0]


def canonical(value: Any) -> Any:
    """Return nested dictionaries without the fields that stand at their defaults.

    A setting added later, at a default that keeps the old behaviour, thus keeps every old key.
    ``described`` keeps all fields; a record holds that form and is checked against it.
    """
    return _plain(value, keep_defaults=False)


def described(value: Any) -> Any:
    """Return nested dictionaries with every field, for a record."""
    return _plain(value, keep_defaults=True)


def _plain(value: Any, keep_defaults: bool) -> Any:
    if is_dataclass(value):
        kept = [f for f in fields(value) if keep_defaults or getattr(value, f.name) != _default(f)]
        body = {f.name: _plain(getattr(value, f.name), keep_defaults) for f in kept}
        return {"is": type(value).__name__, **body}
    if isinstance(value, tuple | list):
        return [_plain(item, keep_defaults) for item in value]
    if value is None or isinstance(value, str | int | float):
        return value
    raise TypeError(f"a spec holds dataclasses, tuples and literals, not {type(value).__name__}")


def _default(field: Any) -> Any:
    if field.default is not MISSING:
        return field.default
    return field.default_factory() if field.default_factory is not MISSING else MISSING
