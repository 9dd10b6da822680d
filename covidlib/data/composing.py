"""Put a composition together from the parts that are under the data root."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from covidlib.data.cards import card
from covidlib.data.composition_report import report
from covidlib.data.compositions import Composition, Part
from covidlib.data.same_pictures import NO_PAIRS, copies_of, people, recall_pairs
from covidlib.data.table import COLUMNS, Dataset
from covidlib.errors import DataError, DatasetMissing
from covidlib.paths import data_root

if TYPE_CHECKING:
    from covidlib.data.phantoms import PhantomSettings

EXTRA = ("finding", "cause", "view", "sex", "age")  # kept where a part has them
SPARE = 2  # candidates per image wanted: some are copies of images of another part
# What phantoms of sets without labels show; their truth says what was drawn.
DRAWN = {"covid19": "COVID-19", "bp": "pneumonia", "vp": "pneumonia", "normal": "normal"}


@dataclass(frozen=True)
class Found:
    """A part that was looked for.

    Args:
        part: what was wanted.
        order: its place in the composition.
        name: the card that is here, None if none is.
        rows: its images of the composition's classes, ``label`` being the class.
        phantom: whether this library drew them.
    """

    part: Part
    order: int
    name: str | None
    rows: pd.DataFrame
    phantom: bool = False


def compose(
    composition: Composition,
    root: str | Path | None = None,
    *,
    phantom: "PhantomSettings | None" = None,
) -> Dataset:
    """Return a composition as one data set.

    Samples are ``<card>/<sample>``, patients ``<card>:<patient>``. A picture that is in two
    collections (``covidlib.data.leaks.audit`` says when two images look alike) is taken from the
    part named first; its patients in both become one, and so do the patients of pictures that look
    alike within a collection: no drawn split separates them. A published split of a part does not
    hold. Which images of a class are taken, where there are more than its size, depends on the
    patients' names alone. ``covidlib.data.composition_report`` says what was found.

    Args:
        composition: what to put together.
        root: the data root; without it COVIDLIB_DATA.
        phantom: draw every part by these settings; drawn pictures are no copies, so none is
            looked for.

    Raises:
        DatasetMissing: a class that is not optional has no image.
        DataError: a part is there and breaks its contract, or two parts take the same image.
    """
    found = [_find(p, n, root, phantom) for n, p in enumerate(composition.parts)]
    if rows := [_candidates(f, composition) for f in found if len(f.rows)]:
        table = pd.concat(rows, ignore_index=True)
    else:
        table = pd.DataFrame({c: pd.Series(dtype="string") for c in (*COLUMNS, "part", "order")})
    if twice := sorted(table.loc[table["sample"].duplicated(), "sample"]):
        raise DataError(f"{composition.name}: two parts take the same image, {twice[0]!r}")
    pairs = recall_pairs(table) if phantom is None and len(table) else NO_PAIRS
    table["patient"] = people(table, pairs)
    copies = copies_of(table, pairs)
    kept = table[~table["sample"].isin(copies.index)]
    chosen = _chosen(kept, composition)
    parts = report(found, table, copies, chosen)
    _refuse_empty(composition, chosen, found, data_root(root))
    classes = [c for c in composition.classes if (chosen["label"] == c).any()]
    shown = [*COLUMNS, "part", *(c for c in EXTRA if c in chosen)]
    result = chosen.sort_values("sample", ignore_index=True)[shown].astype("string")
    result.attrs["left_out"] = [
        {"file": sample, "reason": "the same picture as one of another part"}
        for sample in sorted(copies.index)
    ]
    result.attrs["parts"] = parts
    drawn = any(part.phantom for part in found)
    return Dataset(composition.name, result, tuple(classes), phantom=drawn)


def groups_of(composition: Composition, table: pd.DataFrame) -> pd.Series:
    """Return the group of each image (see ``Part``), "" where its part has none.

    Args:
        composition: whose images they are.
        table: ``sample`` as ``compose`` names them, and ``label``.
    """
    cards = table["sample"].str.split("/").str[0]
    found = [composition.group_of(c, k) for c, k in zip(cards, table["label"], strict=True)]
    return pd.Series(found, table.index, dtype="string")


def _find(part: Part, order: int, root, phantom) -> Found:
    from covidlib.data.opening import located, open_dataset

    for name in part.datasets if phantom is None else part.datasets[-1:]:
        if phantom is None:
            try:
                located(card(name), root)
            except DatasetMissing:
                continue
        opened = open_dataset(name, root, phantom=phantom)
        table = opened.table
        if part.named_like is not None:
            table = _described(table, name, part.named_like, root, phantom)
        rows = _rows(table, part, name).assign(order=order)
        return Found(part, order, name, rows, opened.phantom)
    return Found(part, order, None, pd.DataFrame(columns=["label"], dtype="string"))


def _described(table: pd.DataFrame, name: str, other: str, root, phantom) -> pd.DataFrame:
    """Add labels and patients to images without, from those of the same stem in another set."""
    from covidlib.data.opening import open_dataset

    if phantom is None:
        facts = open_dataset(other, root).table
    else:
        from covidlib.data.phantoms import materialise

        facts = pd.read_csv(materialise(name, phantom) / "phantom_truth.csv", dtype="string")
        facts["label"] = facts["drawn"].map(DRAWN)
    stems = [Path(sample).stem for sample in facts["sample"]]
    facts = facts.assign(stem=stems).drop_duplicates("stem").set_index("stem")
    columns = [c for c in ("label", "patient", "source", *EXTRA) if c in facts]
    own = [Path(sample).stem for sample in table["sample"]]
    return table.assign(**{c: facts[c].reindex(own).to_numpy() for c in columns})


def _rows(table: pd.DataFrame, part: Part, name: str) -> pd.DataFrame:
    """Return the rows of a part, labelled and named for the composition."""
    wanted = table[part.column].isin(part.labels)
    for column, values in part.where.items():
        wanted &= table[column].isin(values)
    rows = table[wanted.fillna(False).astype(bool)].copy()
    # Kermany's normal images have no patient, but several images of one study.
    own = rows["patient"].fillna(rows["study"]) if "study" in rows else rows["patient"]
    return rows.assign(
        label=rows[part.column].map(dict(part.labels)),
        patient=f"{name}:" + own.astype("string"),
        sample=f"{name}/" + rows["sample"],
        split=pd.NA,
        part=name,
    )


def _in_order(rows: pd.DataFrame) -> pd.DataFrame:
    """Sort by part, then patient by patient in an order that means nothing and never changes."""
    owner = rows["patient"].fillna(rows["sample"])
    digests = {name: hashlib.sha256(name.encode()).hexdigest() for name in owner.unique()}
    keys = rows.assign(digest=owner.map(digests))
    return rows.loc[keys.sort_values(["order", "digest", "sample"]).index]


def _candidates(found: Found, composition: Composition) -> pd.DataFrame:
    """Return what may be used of a part, so that huge sets need not be compared whole."""
    rows = _in_order(found.rows)
    if composition.capped:
        rows = pd.concat(
            group.head(SPARE * composition.sizes[label])
            for label, group in rows.groupby("label", sort=False)
        )
    return rows if found.part.limit is None else rows.head(SPARE * found.part.limit)


def _chosen(rows: pd.DataFrame, composition: Composition) -> pd.DataFrame:
    """Take each class to its size, from the first part on."""
    rows = _in_order(rows)
    for order, part in enumerate(composition.parts):
        if part.limit is not None:
            over = rows.index[rows["order"] == order][part.limit :]
            rows = rows.drop(over)
    if not composition.capped:
        return rows
    groups = rows.groupby("label", sort=False)
    return rows[groups.cumcount() < rows["label"].map(dict(composition.sizes)).astype(int)]


def _refuse_empty(
    composition: Composition, chosen: pd.DataFrame, found: list[Found], home: Path | None
) -> None:
    needed = [c for c in composition.classes if c not in composition.optional]
    empty = [c for c in needed if not (chosen["label"] == c).any()]
    if not empty:
        return
    told = f"{composition.name} has no image of {', '.join(empty)}"
    could = [
        " or ".join(one.part.datasets)
        for one in found
        if one.name is None and set(empty) & set(one.part.labels.values())
    ]
    if not could:
        raise DatasetMissing(f"{told}, although every part that should have some is here")
    if home is None:
        where = "no data root is set, and it needs"
    elif not home.is_dir():
        where = f"there is no folder {home}, and it needs"
    else:
        where = f"not under {home} are"
    raise DatasetMissing(
        f"{told}: {where} {'; '.join(dict.fromkeys(could))}. `covidlib data get NAME` gets one, or "
        "point COVIDLIB_DATA (or the argument root) at the folder that holds it."
    )
