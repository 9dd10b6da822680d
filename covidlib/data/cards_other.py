"""Cards of the CT set and of the natural images."""

from covidlib.data.card_types import ANY, Card, Download

_CT = "https://raw.githubusercontent.com/UCSD-AI4H/COVID-CT/master"


def _ct_downloads() -> tuple[Download, ...]:
    """The two archives of images, the six lists of the official split, the two tables."""
    lists = [
        Download(f"{_CT}/Data-split/{c}/{s}CT_{c}.txt", into=f"Data-split/{c}", unpack=False)
        for c in ("COVID", "NonCOVID")
        for s in ("train", "val", "test")
    ]
    archives = [
        Download(f"{_CT}/Images-processed/CT_{c}.zip", into="Images-processed")
        for c in ("COVID", "NonCOVID")
    ]
    tables = [Download(f"{_CT}/{c}COVID-CT-MetaInfo.csv", unpack=False) for c in ("", "Non")]
    return (*archives, *lists, *tables)


COVID_CT = Card(
    name="covid-ct",
    title="COVID19-CT",
    modality="ct",
    task="classification",
    source="Zhao et al. 2020: figures cut out of preprints and papers, MedPix, LUNA and others",
    licence="none stated by the authors; figures keep the rights of their papers",
    citation="zhao2020covidct",
    homepage="https://github.com/UCSD-AI4H/COVID-CT",
    layout="covid_ct",
    classes=("NonCOVID", "COVID"),
    counts={
        ("train", "COVID"): 191,
        ("train", "NonCOVID"): 234,
        ("val", "COVID"): 60,
        ("val", "NonCOVID"): 58,
        ("test", "COVID"): 98,
        ("test", "NonCOVID"): 105,
    },
    traps=(
        "The classes differ in file type, colour mode and size: a classifier that reads only "
        "these properties of the files separates them.",
        "Images are figures of papers, some with arrows, letters and scale bars.",
        "Three source papers have images on both sides of the official split; no patient has.",
        "The table of COVID images writes one DOI in several ways, with spaces in it.",
    ),
    downloads=_ct_downloads(),
)

IMAGENET = Card(
    name="imagenet",
    title="ImageNet (ILSVRC 2012)",
    modality="natural",
    task="classification",
    source="Russakovsky et al. 2015",
    licence="non-commercial research, by agreement with the ImageNet team",
    citation="russakovsky2015imagenet",
    homepage="https://www.image-net.org/download.php",
    layout="image_folder",
    classes=(),
    counts={("train", ANY): 1_281_167, ("val", ANY): 50_000},
    traps=("Validation images come in one flat folder: sort them into class folders first.",),
    access=(
        "ImageNet needs an account. Sign in at https://www.image-net.org/download.php, download "
        "ILSVRC2012_img_train.tar and ILSVRC2012_img_val.tar, and unpack them into "
        "imagenet/train/<wnid>/ and imagenet/val/<wnid>/."
    ),
)

TINY = Card(
    name="tiny-imagenet",
    title="Tiny ImageNet",
    modality="natural",
    task="classification",
    source="Stanford CS231n, from ImageNet",
    licence="as ImageNet: non-commercial research",
    citation="le2015tiny",
    homepage="http://cs231n.stanford.edu",
    layout="image_folder",
    classes=(),
    counts={("train", ANY): 100_000, ("val", ANY): 10_000},
    traps=("The test images have no labels and are left out of the table.",),
    downloads=(
        Download(
            "http://cs231n.stanford.edu/tiny-imagenet-200.zip",
            sha256="6198c8ae015e2b3e007c7841da39ec069199b9aa3bfa943a462022fe5e43c821",
            strip=1,
        ),
    ),
    folders=("tiny-imagenet-200",),
)

TINY_100 = Card(
    name="tiny-imagenet-100",
    title="Every second class of Tiny ImageNet",
    modality="natural",
    task="classification",
    source="Stanford CS231n, from ImageNet; reduced to 100 + 25 images of 100 classes",
    licence="as ImageNet: non-commercial research",
    citation="le2015tiny",
    homepage="http://cs231n.stanford.edu",
    layout="image_folder",
    classes=(),
    counts={("train", ANY): 10_000, ("val", ANY): 2_500},
    traps=("64 pixels a side: a stand-in for ImageNet in development, not a replacement.",),
    access=(
        "This reduced copy has no public address. Take tiny-imagenet instead "
        "(covidlib data get tiny-imagenet), or put tiny-imagenet-100.zip into the data root."
    ),
)

OTHER = (COVID_CT, IMAGENET, TINY, TINY_100)
