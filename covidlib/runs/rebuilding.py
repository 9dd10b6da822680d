"""From a record back to the specification that made it."""

import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from types import MappingProxyType
from typing import Any

from covidlib.errors import RunError
from covidlib.runs.record import Record
from covidlib.runs.spec import RunSpec

# Where the dataclasses of specifications are defined.
HOMES = (
    "covidlib.settings",
    "covidlib.models",
    "covidlib.data.augmentation_settings",
    "covidlib.data.preprocessing",
    "covidlib.data.phantoms.settings",
)


def rebuilt(record: Record, known: Mapping[str, type] | None = None) -> RunSpec:
    """Return the specification of a record.

    Args:
        record: a finished run.
        known: further dataclasses by name, of networks that the library does not define.

    Raises:
        RunError: a class or a setting is not known here, or the specification has another key
            than the record: it was made by another version of the library.
    """
    try:
        spec = _made(record.body["spec"], {**classes(), **(known or {})})
    except (KeyError, TypeError, ValueError) as error:
        text = f"{record.key} was made by another version of the library: {error}"
        raise RunError(text) from error
    if not isinstance(spec, RunSpec) or spec.key != record.key:
        raise RunError(f"{record.key} does not follow from its own settings in this version")
    return spec


def _made(value: Any, known: Mapping[str, type]) -> Any:
    if isinstance(value, dict):
        body = {name: _made(item, known) for name, item in value.items() if name != "is"}
        return known[value["is"]](**body)
    # A specification holds tuples, which JSON writes as lists.
    return tuple(_made(item, known) for item in value) if isinstance(value, list) else value


@cache
def classes() -> Mapping[str, type]:
    """Return every dataclass that a specification may hold, by its name."""
    found: dict[str, type] = {"RunSpec": RunSpec}
    for home in HOMES:
        module = importlib.import_module(home)
        names = [home]
        if hasattr(module, "__path__"):
            names += [f"{home}.{part.name}" for part in pkgutil.iter_modules(module.__path__)]
        for name in names:
            for value in vars(importlib.import_module(name)).values():
                if isinstance(value, type) and is_dataclass(value) and fields(value):
                    found[value.__name__] = value
    return MappingProxyType(found)
