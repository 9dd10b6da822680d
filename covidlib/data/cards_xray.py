"""Cards of the chest X-ray sets."""

from covidlib.data.card_types import ANY, Card, Download

_GITHUB = "https://codeload.github.com"
_KERMANY_CLASSES = ("normal", "pneumonia_bac", "pneumonia_vir")
_CHILDREN = "All patients are children aged 1 to 5: beside adults, age becomes the label."
_CHESTXRAY8_FINDINGS = (
    "Atelectasis", "Cardiomegaly", "Consolidation", "Edema", "Effusion", "Emphysema", "Fibrosis",
    "Hernia", "Infiltration", "Mass", "Nodule", "Pleural_Thickening", "Pneumonia", "Pneumothorax",
)  # fmt: skip

COHEN = Card(
    name="covid-chestxray-dataset",
    title="COVID-19 image data collection",
    modality="cxr",
    task="classification",
    source="Cohen et al. 2020: papers, radiology sites and hospitals",
    licence="per image, in metadata.csv: Apache 2.0, CC BY, CC BY-NC-SA, CC BY-NC-ND",
    citation="cohen2020covid",
    homepage="https://github.com/ieee8023/covid-chestxray-dataset",
    layout="cohen",
    classes=("normal", "pneumonia", "COVID-19"),
    traps=(
        "Some rows are CT or lateral views, some have no view: only frontal X-rays are read.",
        "Some listed files are absent; four images are not listed and have no label.",
        "'todo', 'Unknown' and ARDS without a cause are not labels: they stay unknown.",
        "The collection grew: counts belong to a snapshot.",
    ),
    downloads=(
        Download(
            f"{_GITHUB}/ieee8023/covid-chestxray-dataset/zip/refs/heads/master",
            strip=1,
            keep=("images/", "metadata.csv"),
        ),
    ),
)

CXNET = Card(
    name="covid-cxnet",
    title="COVID-CXNet",
    modality="cxr",
    task="classification",
    source="Haghanifar et al. 2020: SIRM, Radiopaedia, papers, social media",
    licence="MIT for the repository; images keep the rights of their sources",
    citation="haghanifar2020covidcxnet",
    homepage="https://github.com/armiro/COVID-CXNet",
    layout="cxnet",
    classes=("COVID-19",),
    traps=(
        "Overlaps with the Cohen collection under other names.",
        "A 'p' at the end of a name marks a child, a '-' an image that looks normal.",
        "The table covers 452 of the images, some under another extension; one has no label.",
    ),
    downloads=(
        Download(
            f"{_GITHUB}/armiro/COVID-CXNet/zip/refs/heads/master",
            strip=1,
            keep=("chest_xray_images/covid19/", "metadata.csv"),
        ),
    ),
)

CHESTXRAY8 = Card(
    name="chestxray8",
    title="ChestX-ray8 (NIH, in its 14-finding release)",
    modality="cxr",
    task="classification",
    source="Wang et al. 2017, NIH Clinical Center",
    licence="free use with attribution to the NIH Clinical Center",
    citation="wang2017chestxray8",
    homepage="https://nihcc.app.box.com/v/ChestXray-NIHCC",
    layout="chestxray8",
    classes=("No Finding", *_CHESTXRAY8_FINDINGS),
    counts={("train", ANY): 86_524, ("test", ANY): 25_596},
    traps=(
        "Labels were mined from reports by a program and are wrong in part.",
        "An image may have several findings: then it has no single label here, and the column "
        "`findings` keeps them all.",
    ),
    access=(
        "The files lie on a Box page. Download images_001.tar.gz to images_012.tar.gz, "
        "Data_Entry_2017.csv, train_val_list.txt and test_list.txt from "
        "https://nihcc.app.box.com/v/ChestXray-NIHCC into chestxray8/ and unpack the archives "
        "there (images/ or images_0NN/images/)."
    ),
)

CHESTXRAY8_SUBSET = Card(
    name="chestxray8-subset",
    title="ChestX-ray8, the 2 x 500 images of Ozturk et al.",
    modality="cxr",
    task="classification",
    source="Ozturk et al. 2020, from ChestX-ray8",
    licence="free use with attribution to the NIH Clinical Center",
    citation="ozturk2020darkcovidnet",
    homepage="https://github.com/muhammedtalo/COVID-19",
    layout="chestxray8_subset",
    classes=("No_findings", "Pneumonia"),
    counts={("", "No_findings"): 500, ("", "Pneumonia"): 500},
    traps=(
        "Patients have several images, and some patients have images in both classes: split by "
        "patient.",
    ),
    downloads=(
        Download(
            f"{_GITHUB}/muhammedtalo/COVID-19/zip/refs/heads/master",
            strip=2,
            keep=("No_findings/", "Pneumonia/"),
        ),
    ),
)

KERMANY = Card(
    name="kermany",
    title="Paediatric chest X-rays of Kermany et al.",
    modality="cxr",
    task="classification",
    source="Kermany et al. 2018, Guangzhou Women and Children's Medical Center",
    licence="CC BY 4.0",
    citation="kermany2018identifying",
    homepage="https://data.mendeley.com/datasets/rscbjbr9sj/2",
    layout="kermany",
    classes=_KERMANY_CLASSES,
    counts={
        ("train", "normal"): 1_349,
        ("train", "pneumonia_bac"): 2_538,
        ("train", "pneumonia_vir"): 1_345,
        ("test", "normal"): 234,
        ("test", "pneumonia_bac"): 242,
        ("test", "pneumonia_vir"): 148,
    },
    traps=(
        _CHILDREN,
        "A person number may occur on both sides of the split.",
        "Normal images of the second release carry no patient number.",
    ),
    downloads=(
        Download(
            "https://data.mendeley.com/public-files/datasets/rscbjbr9sj/files/"
            "f12eaf6d-6023-432f-acc9-80c9d7393433/file_downloaded",
            strip=1,
            keep=("train/", "test/"),
        ),
    ),
)

KERMANY_SUBSET = Card(
    name="kermany-subset",
    title="A part of the set of Kermany et al. in three classes",
    modality="cxr",
    task="classification",
    source="Shopon, from Kermany et al. 2018",
    licence="CC BY 4.0",
    citation="kermany2018identifying",
    homepage="https://github.com/mdshopon/COVID19_Classification",
    layout="kermany",
    classes=_KERMANY_CLASSES,
    traps=(_CHILDREN, "One person (24) has images in train and in test."),
    access=(
        "Fetch the images from https://github.com/mdshopon/COVID19_Classification and place them "
        "as kermany-subset/{train,test}/{normal,pneumonia_bac,pneumonia_vir}/."
    ),
)

COVIDX = Card(
    name="covidx",
    title="COVIDx, version 4",
    modality="cxr",
    task="classification",
    source="Wang et al. 2020: label files over five collections",
    licence="of the five collections",
    citation="wang2020covidnet",
    homepage="https://github.com/lindawangg/COVID-Net/blob/master/docs/COVIDx.md",
    layout="covidx",
    classes=("normal", "pneumonia", "COVID-19"),
    counts={
        ("train", "normal"): 7_966,
        ("train", "pneumonia"): 5_459,
        ("train", "COVID-19"): 473,
        ("test", "normal"): 100,
        ("test", "pneumonia"): 100,
        ("test", "COVID-19"): 100,
    },
    traps=(
        "No COVID-19 image comes from RSNA and nearly every other image does: the collection an "
        "image comes from gives its class away.",
        "The test file names no collection for 197 images: 196 have RSNA's names, one is Cohen's.",
        "One file (000001-27.jpg) is listed for two patients.",
        "The label files hold no image: those of the collections that are present are used.",
    ),
    downloads=tuple(
        Download(
            f"https://raw.githubusercontent.com/lindawangg/COVID-Net/"
            f"cfa0d6f1e21518c42d0b4bcd552703d9b432730a/labels/{s}_COVIDx4.txt",
            unpack=False,
        )
        for s in ("train", "test")
    ),
    folders=("covidx-labels",),
)

MONTGOMERY = Card(
    name="montgomery",
    title="Montgomery County chest X-rays",
    modality="cxr",
    task="segmentation",
    source="Jaeger et al. 2014, US National Library of Medicine",
    licence="free for research with attribution; not to be passed on",
    citation="jaeger2014two",
    homepage="https://openi.nlm.nih.gov/faq#collection",
    layout="montgomery",
    classes=("normal", "tuberculosis"),
    counts={("", "normal"): 80, ("", "tuberculosis"): 58},
    traps=("Lung masks come as two files, left and right; their union is what is used.",),
    downloads=(
        Download(
            "https://openi.nlm.nih.gov/imgs/collections/NLM-MontgomeryCXRSet.zip",
            sha256="54601e952315d8f67383e9202a6e145997ade429f54f7e0af44b4e158714f424",
            strip=1,
        ),
    ),
    folders=("MontgomerySet",),
)

SHENZHEN = Card(
    name="shenzhen",
    title="Shenzhen hospital chest X-rays",
    modality="cxr",
    task="segmentation",
    source="Jaeger et al. 2014; lung masks by Stirenko et al. 2018",
    licence="free for research with attribution",
    citation="jaeger2014two",
    homepage="https://openi.nlm.nih.gov/faq#collection",
    layout="shenzhen",
    classes=("normal", "tuberculosis"),
    counts={("", "normal"): 326, ("", "tuberculosis"): 336},
    traps=(
        "The lung masks are a separate release for 566 of the 662 images: put them into "
        "shenzhen/mask/ as <image>_mask.png.",
    ),
    downloads=(
        Download(
            "https://openi.nlm.nih.gov/imgs/collections/ChinaSet_AllFiles.zip",
            strip=1,
        ),
    ),
    folders=("ChinaSet_AllFiles",),
)

SEGMENTATIONS = Card(
    name="covid-cxr-segmentations",
    title="COVID-19 chest X-ray segmentations",
    modality="cxr",
    task="segmentation",
    source="General Blockchain 2020, drawn by radiologists on images of the Cohen collection",
    licence="CC BY 4.0; images as in the Cohen collection",
    citation="generalblockchain2020",
    homepage="https://github.com/GeneralBlockchain/covid-19-chest-xray-segmentations-dataset",
    layout="segmentations",
    classes=(),
    traps=(
        "The images are those of the Cohen collection under the same stems: do not train on them "
        "and test there.",
        "A lesion mask is absent where nothing was drawn: no mask means no lesion drawn.",
    ),
    access=(
        "The original release gives outlines as COCO annotations. Draw them into "
        "covid-cxr-segmentations/{images,lung_masks,lesion_masks}/<name>.png; the lungs are the "
        "left and right lung, the lesions ground-glass opacity and consolidation."
    ),
)

RSNA = Card(
    name="rsna",
    title="RSNA pneumonia detection challenge",
    modality="cxr",
    task="classification",
    source="Shih et al. 2019, from ChestX-ray8",
    licence="challenge rules: non-commercial research and education",
    citation="shih2019augmenting",
    homepage="https://www.kaggle.com/c/rsna-pneumonia-detection-challenge",
    layout="rsna",
    classes=("Normal", "No Lung Opacity / Not Normal", "Lung Opacity"),
    counts={
        ("", "Normal"): 8_851,
        ("", "No Lung Opacity / Not Normal"): 11_821,
        ("", "Lung Opacity"): 6_012,
    },
    traps=(
        "Images are those of ChestX-ray8 under new names.",
        "DICOM files: reading them needs pydicom.",
    ),
    access=(
        "Kaggle needs an account and the acceptance of the rules. Download "
        "https://www.kaggle.com/c/rsna-pneumonia-detection-challenge/data and unpack "
        "stage_2_train_images/, stage_2_train_labels.csv and stage_2_detailed_class_info.csv "
        "into rsna/."
    ),
    folders=("rsna-pneumonia-detection-challenge",),
)

XRAY = (
    COHEN, CXNET, CHESTXRAY8, CHESTXRAY8_SUBSET, KERMANY, KERMANY_SUBSET, COVIDX, MONTGOMERY,
    SHENZHEN, SEGMENTATIONS, RSNA,
)  # fmt: skip
