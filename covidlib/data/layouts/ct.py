"""COVID19-CT."""

import re
from pathlib import Path

import pandas as pd

from covidlib.data.layouts.common import images_in, make_table, need, one_row_per_file, read_csv
from covidlib.errors import DataError

_PREPRINT = re.compile(r"\d{4}\.\d{2}\.\d{2}\.\d{6,8}")
_FIGURE = re.compile(r"(-p\d+-|[%_]\d+(%\d+)?\.).*")
FILE_FACTS = ("width", "height", "bytes")


def covid_ct(folder: Path) -> pd.DataFrame:
    """Read COVID19-CT (Zhao et al. 2020): images, official split, patients, publications.

    The source is the DOI of the paper a figure was cut from; where the authors give none, a
    preprint's number makes the DOI. Sources of the other class are the collections that its
    patient numbers name. ``original_files.csv``, where present, adds the properties of the
    original files: width, height, bytes, mode, format.

    Raises:
        DataError: a file is in two lists of the split, or in none.
    """
    rows, absent = [], []
    for label, described in (("COVID", _covid_meta), ("NonCOVID", _other_meta)):
        meta, split = described(folder), _split(folder, label)
        images = {p.name: p for p in images_in(need(folder / f"Images-processed/CT_{label}"))}
        if strangers := sorted(set(images) - set(split)):
            raise DataError(f"{folder}: {strangers[0]!r} is in no list of the official split")
        absent += [(name, "listed but absent") for name in sorted(set(split) - set(images))]
        for name, path in images.items():
            known = meta.loc[name].to_dict() if name in meta.index else {}
            rows.append({"path": path, "label": label, "split": split[name], **known})
    table = make_table(folder, rows, absent)
    return _with_file_facts(folder, table)


def _split(folder: Path, label: str) -> dict[str, str]:
    split: dict[str, str] = {}
    for part in ("train", "val", "test"):
        lines = need(folder / f"Data-split/{label}/{part}CT_{label}.txt").read_text("utf-8")
        for name in filter(None, map(str.strip, lines.splitlines())):
            if name in split:
                raise DataError(f"{folder}: {name!r} is in {split[name]} and in {part}")
            split[name] = part
    return split


def publication(name: str) -> str:
    """Return the part of a file name that names the paper.

    >>> publication("2020.02.10.20021584-p6-52%10.png")
    '2020.02.10.20021584'
    >>> publication("PIIS0140673620301549_0%1.png")
    'PIIS0140673620301549'
    """
    return _FIGURE.sub("", name)


def _covid_meta(folder: Path) -> pd.DataFrame:
    path = folder / "COVID-CT-MetaInfo.csv"
    frame = one_row_per_file(read_csv(path), "File name", path)
    papers = pd.Series([publication(n) for n in frame.index], index=frame.index, dtype="string")
    doi = frame["DOI"].str.replace(r"\s", "", regex=True)
    # Authors name the DOI on some images of a paper only: it holds for the whole paper.
    doi = doi.fillna(doi.groupby(papers).transform("first"))
    preprint = papers.str.fullmatch(_PREPRINT.pattern)
    doi = doi.fillna(("10.1101/" + papers).where(preprint)).fillna(papers)
    return pd.DataFrame({"patient": frame["Patient ID"], "source": doi})


def _other_meta(folder: Path) -> pd.DataFrame:
    path = folder / "NonCOVID-CT-MetaInfo.csv"
    frame = one_row_per_file(read_csv(path), "image name", path)
    patient = frame["patient id"]
    source = patient.str.extract(r"^([^_]+)_patient_")[0].astype("string")
    return pd.DataFrame({"patient": patient, "source": source})


def _with_file_facts(folder: Path, table: pd.DataFrame) -> pd.DataFrame:
    path = folder / "original_files.csv"
    if not path.is_file():
        return table
    report = table.attrs
    facts = one_row_per_file(read_csv(path), "path", path)
    facts = facts[[c for c in (*FILE_FACTS, "mode", "format") if c in facts]]
    facts = facts.astype({c: "Int64" for c in FILE_FACTS if c in facts})
    table = table.join(facts, on="sample")
    table.attrs = report
    return table
