"""Pictures that are in several collections: found once, remembered, and what follows from them."""

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from covidlib.data import lookalikes
from covidlib.files import digest_file, once
from covidlib.paths import cache_root

# The thresholds of covidlib.data.leaks.audit. On the X-ray sets of the book they join 217 pairs of
# images across collections; of the twenty least alike, three are two pictures.
DISTANCE, CORRELATION = 10, 0.95
NO_PAIRS = pd.DataFrame({"sample_a": [], "sample_b": []}, dtype="string")


def recall_pairs(table: pd.DataFrame) -> pd.DataFrame:
    """Return the pairs of images that look alike, from the cache where they were compared before.

    Args:
        table: samples and paths; the comparison is remembered by the bytes of the files.

    Returns:
        Columns sample_a, sample_b.

    Raises:
        UnreadableImages: all images that cannot be decoded.
    """
    digest = hashlib.sha256(Path(lookalikes.__file__).read_bytes())
    digest.update(f"{DISTANCE} {CORRELATION}".encode())
    for sample, path in zip(table["sample"], table["path"], strict=True):
        digest.update(sample.encode() + bytes.fromhex(digest_file(Path(path))))
    folder = cache_root() / "lookalikes" / digest.hexdigest()[:24]

    def compare(draft: Path) -> None:
        looks = lookalikes.look_at(table["sample"], table["path"])
        pairs = lookalikes.near_pairs(looks, DISTANCE, CORRELATION)
        pairs[["sample_a", "sample_b"]].to_csv(draft / "pairs.csv", index=False)

    return pd.read_csv(once(folder, compare) / "pairs.csv", dtype="string")


def people(table: pd.DataFrame, pairs: pd.DataFrame) -> pd.Series:
    """Return patients, all those who share a picture being one; unknown ones stay unknown.

    Args:
        table: sample, patient.
        pairs: see ``recall_pairs``.

    Returns:
        Aligned with the table. An unknown patient whose image is like another's gets a name.
    """
    own = table["patient"].fillna("image " + table["sample"])
    codes, names = pd.factorize(own, sort=True)
    place = pd.Series(codes, table["sample"])
    edges = place[pairs["sample_a"]].to_numpy(), place[pairs["sample_b"]].to_numpy()
    shape = (len(names), len(names))
    graph = coo_array((np.ones(len(pairs), bool), edges), shape=shape)
    groups = pd.Series(connected_components(graph, directed=False)[1])
    first = groups.map(pd.Series(names).groupby(groups).first())  # names are sorted
    several = groups.map(groups.value_counts()) > 1
    joined = pd.Series(np.where(several, first, pd.NA))[codes].set_axis(table.index)
    return joined.astype("string").fillna(table["patient"])


def copies_of(table: pd.DataFrame, pairs: pd.DataFrame) -> pd.Series:
    """Return the copies to leave out: pictures that an earlier part of another name has too.

    Args:
        table: sample, part, order.
        pairs: see ``recall_pairs``.

    Returns:
        Index: sample to leave out; value: a sample of the earlier part that looks like it.
    """
    facts = table.set_index("sample")[["part", "order"]]
    a, b = (facts.loc[pairs[f"sample_{side}"]].reset_index() for side in "ab")
    later, earlier = b["sample"].where(b["order"] > a["order"], a["sample"]), a["sample"]
    earlier = earlier.where(b["order"] > a["order"], b["sample"])
    across = a["part"] != b["part"]
    return pd.Series(earlier[across].to_numpy(), later[across].to_numpy()).groupby(level=0).first()
