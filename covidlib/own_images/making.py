"""From images to a model with its card: audit, choose, train, evaluate, explain, save."""

from collections.abc import Callable
from pathlib import Path

from covidlib.errors import DataError, RunError
from covidlib.files import writable
from covidlib.own_images.auditing import Audit, audit
from covidlib.own_images.card import measured, model_card, of_one_run, verdict
from covidlib.own_images.choosing import Choice, choose
from covidlib.own_images.model import open_model, save_model
from covidlib.own_images.opening import open_own
from covidlib.own_images.training import own_spec, train
from covidlib.runs.rebuilding import rebuilt
from covidlib.runs.spec import RunSpec
from covidlib.runs.store import Store
from covidlib.settings import PROFILES
from covidlib.training.fit import Resources


def make_model(
    images: Path,
    target: Path,
    *,
    profile: str = "laptop",
    modality: str | None = None,
    positive: str | None = None,
    start: str | None = None,
    store: Path | None = None,
    seed: int = 0,
    resources: Resources | None = None,
    workers: int | None = 1,
    audited: Callable[[Audit], None] = lambda found: None,
    tell: Callable[[str], None] = lambda text: None,
) -> Path:
    """Return the folder of a model that was trained on a person's images.

    Args:
        images: a folder per class, or a CSV.
        target: the folder to write; it must not exist.
        profile: sizes, "smoke", "laptop" or "paper".
        modality, positive, seed: see ``open_own`` and ``inspect``.
        start: key of the run to start from, or a part of it; "scratch" for random weights; None
            chooses by transferability.
        store: where runs live, candidates and this one.
        resources: of the training.
        workers: processes that decode.
        audited: called with the audit.
        tell: called with a sentence after each step.

    Raises:
        DataError: images that cannot be used, see ``open_own``, ``inspect`` and the audit's stops.
        RunError: no such run to start from, or training stopped.
        CovidlibError: the store cannot be written to.
    """
    if profile not in PROFILES:
        raise DataError(f"profile is one of {', '.join(PROFILES)}, not {profile!r}")
    place = Store(store)
    writable(place.root)
    given = None if start in (None, "scratch") else find_start(place, str(start))
    found = audit(open_own(images, positive=positive, seed=seed), modality, workers)
    audited(found)
    if found.stops:
        text = "; ".join(remark.text for remark in found.stops)
        raise DataError(f"nothing was trained. {text}")
    own, modality = found.inspection.own, found.inspection.modality
    choice = None
    if start is None:
        choice = choose(
            own, place, own_spec(own, modality, profile, seed=seed), phantoms=own.dataset.phantom
        )
        given = choice.spec
        tell(explained(choice))
    spec = own_spec(own, modality, profile, given, seed)
    record = train(
        own,
        spec,
        place,
        profile=profile,
        resources=resources,
        progress=lambda spec, row: tell(_epoch(row)),
    )
    for name, interval in measured(record, own.positive).items():
        tell(f"{name}: {of_one_run(interval)}")
    tell(verdict(record, found))
    model = open_model(record.folder)
    card = model_card(model, found, choice)
    return save_model(target, record, positive=own.positive, modality=modality, card=card)


def find_start(store: Store, name: str) -> RunSpec:
    """Return the specification of the one run in a store whose key has this text.

    Raises:
        RunError: there is none, or there are several.
    """
    found = store.named(name)
    if len(found) != 1:
        raise RunError(f"{len(found)} runs in {store.root} have {name!r} in their keys; name one")
    return rebuilt(found[0])


def explained(choice: Choice) -> str:
    """Say what was chosen and against what."""
    if len(choice.scores) == 1:
        return (
            "The store has no run to start from, so the network starts from random weights. "
            "Sources come from plans, such as `covidlib run msatl/without_transfer --profile "
            "laptop --data FOLDER`."
        )
    best, second = choice.scores["N-LEEP"].iloc[:2]
    return (
        f"Start from {choice.name}: N-LEEP {best:.3f} on {choice.images} training images, the next "
        f"of {len(choice.scores)} has {second:.3f}."
    )


def _epoch(row: dict) -> str:
    shown = {name: value for name, value in row.items() if name != "lr"}
    return "  ".join(f"{name} {value:.4g}" for name, value in shown.items())
