"""Ask a model about images: refuse what it cannot know, say what its probabilities are worth."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from covidlib.data.decoding import Problem
from covidlib.errors import DataError
from covidlib.evaluation.calibration import (
    at_temperature,
    calibration_error,
    chance_error,
    reliability,
)
from covidlib.own_images.modality import COLOURED, KINDS, NAMES, Look, look_at_all
from covidlib.own_images.model import Model
from covidlib.own_images.opening import positive_last

BINS = 5


@dataclass(frozen=True)
class Answer:
    """What a model says of some images.

    Args:
        table: one row per image that was accepted: path, ``p_<class>``, predicted, likeness (how
            test images of a similar probability turned out).
        refused: the others, and why.
        note: what the probabilities are worth.
    """

    table: pd.DataFrame
    refused: tuple[Problem, ...]
    note: str


def ask(model: Model, paths: Sequence[str | Path]) -> Answer:
    """Predict images, all but those that are not of the model's modality.

    Raises:
        DataError: no image is named.
    """
    if not paths:
        raise DataError("name one image or more")
    paths = [Path(path) for path in paths]
    window = model.spec.data.preprocessing.window
    looks = look_at_all([str(path) for path in paths], window=window)
    reasons = [_reason(model, look) for look in looks]
    pairs = list(zip(paths, reasons, strict=True))
    refused = tuple(Problem(path, why) for path, why in pairs if why)
    taken = [path for path, why in pairs if not why]
    if not taken:
        return Answer(pd.DataFrame(), refused, "")
    table = model.predict(taken).drop(columns=[f"raw_{name}" for name in model.classes])
    columns = [f"p_{name}" for name in model.classes]
    table["predicted"] = [name.removeprefix("p_") for name in table[columns].idxmax(axis=1)]
    table["likeness"] = likeness(model, table)
    return Answer(table, refused, note(model))


def _reason(model: Model, look: Look | Problem) -> str:
    """Return why an image is refused, or an empty text."""
    if isinstance(look, Problem):
        if not look.path.exists():
            return "there is no such file"
        return f"it cannot be decoded: {look.reason}"
    if look.coloured > COLOURED:
        return f"{look.coloured:.0%} of it is in colour; this model knows grey scans only"
    if model.modality and look.excludes(model.modality):
        chance = look.probabilities[KINDS.index(model.modality)]
        article = "a chest X-ray" if model.modality == "cxr" else "a CT slice"
        return (
            f"it looks like a {NAMES[look.kind]}, and this model was trained on "
            f"{NAMES[model.modality]}s (chance of being {article}: {chance:.1%})"
        )
    return ""


def calibrated(model: Model) -> pd.DataFrame:
    """Return the model's predictions of its own test images as it gives them now."""
    value = model.temperature.value if model.temperature else 1.0
    return positive_last(at_temperature(model.record.test, value), model.positive)


def likeness(model: Model, table: pd.DataFrame) -> list[str]:
    """Say of each image how the test images of a similar probability turned out."""
    tested = reliability(calibrated(model), BINS)
    columns = [f"p_{name}" for name in model.classes]
    binary = len(columns) == 2
    positive = model.positive or model.classes[-1]
    sure = table[f"p_{positive}"] if binary else table[columns].max(axis=1)
    middles = tested["sure"].to_numpy()
    texts = []
    for value in sure:
        near = tested.iloc[int(abs(middles - value).argmin())]
        what = f"were {positive}" if binary else "were what was predicted"
        texts.append(
            f"of {near['images']:.0f} test images near {near['sure']:.2f}, {near['right']:.0%} "
            f"[{near['low']:.0%}, {near['high']:.0%}] {what}"
        )
    return texts


def note(model: Model) -> str:
    """Say what the probabilities are worth."""
    cooled, tested = model.temperature, model.record.test
    given = calibrated(model)
    error, chance = calibration_error(given, BINS), chance_error(given, BINS)
    said = (
        "The probabilities are as the network gave them: there were no validation images to "
        "calibrate on."
        if cooled is None
        else f"The probabilities are at temperature {cooled.value:.2f}, fitted on "
        f"{cooled.images} validation images"
        + (", which do not say how sure to be (it stands at the edge)." if cooled.at_edge else ".")
    )
    share = (tested["label"] == (model.positive or model.classes[-1])).mean()
    mix = f" ({share:.0%} {model.positive})" if model.positive else ""
    return (
        f"{said} On {len(tested)} test images{mix} they were off by {error:.2f} on average "
        f"({BINS} bins of equal mass); on as few, probabilities that are all true would be off by "
        f"{chance:.2f}. Where patients, scanners or the share of the ill differ "
        "from those, the probabilities mean something else. This is not a diagnosis."
        + ("" if model.modality else " The model's modality is not known, so it was not checked.")
        + (
            " The model was trained on phantoms, which are drawings."
            if model.record.phantom
            else ""
        )
    )


def write_heatmaps(model: Model, table: pd.DataFrame, folder: Path) -> list[Path]:
    """Write one PNG per image: what the network saw, and the map of the predicted class.

    Returns:
        The files, in the order of the table; an older file of the same name is replaced.
    """
    import matplotlib.pyplot as plt

    from covidlib import figures

    paths = [Path(path) for path in table["path"]]
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for path, row in zip(paths, table.to_dict("records"), strict=True):
        # One at a time, so that a folder of any size fits in memory.
        (image,), (heat,) = model.heatmaps([path], [row["predicted"]])
        chance = row[f"p_{row['predicted']}"]
        with figures.style():
            fig, axes = plt.subplots(1, 2, figsize=(7, 4))
            figures.image_grid(axes[0], [image])
            axes[0].set_title("as the network sees it", fontsize="small", weight="normal")
            figures.overlay(axes[1], image, heat)
            title = f"for {row['predicted']}, {chance:.2f}"
            axes[1].set_title(title, fontsize="small", weight="normal")
            if model.record.phantom:
                figures.phantom_stamp(fig)
            target = folder / f"{_name(path, paths)}-heatmap.png"
            draft = target.with_name(f".{target.name}")
            fig.savefig(draft, format="png", dpi=110)
            plt.close(fig)
        draft.replace(target)
        written.append(target)
    return written


def _name(path: Path, paths: list[Path]) -> str:
    """Return a file's name without suffix, with its folder's where several share the name."""
    alike = sum(other.stem == path.stem for other in paths) > 1
    return f"{path.resolve().parent.name}-{path.name}" if alike else path.stem
