import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from covidlib import data_figures
from covidlib.data.leaks import described
from covidlib.data.table import COLUMNS, Dataset
from covidlib.errors import DataError

CLASSES = ("NonCOVID", "COVID")


@pytest.fixture
def dataset(tmp_path) -> Dataset:
    """Image n is grey n everywhere, 10 + n wide and 10 high; patients have two images each."""
    rows = []
    for number in range(12):
        path = tmp_path / f"{number:02d}.png"
        Image.fromarray(np.full((10, 10 + number), number, np.uint8)).save(path)
        label = CLASSES[number % 2] if number < 10 else pd.NA
        rows.append((path.name, str(path), label, f"p{number // 4}", "train"))
    table = pd.DataFrame(rows, columns=["sample", "path", "label", "patient", "split"])
    return Dataset("small", table.reindex(columns=list(COLUMNS)).astype("string"), CLASSES)


@pytest.fixture
def ax():
    fig, ax = plt.subplots()
    yield ax
    plt.close(fig)


def greys(ax) -> list[int]:
    return [int(image.get_array().max()) for image in ax.images]


def test_samples_are_of_the_class_and_of_different_patients_first(ax, dataset):
    data_figures.samples(ax, dataset, "COVID", count=3, seed=1)
    shown = greys(ax)
    assert all(number % 2 for number in shown)
    assert len({number // 4 for number in shown}) == 3


def test_samples_repeat_by_seed_and_show_all_there_are(dataset):
    shown = []
    for seed in (0, 0, 1):
        fig, ax = plt.subplots()
        shown.append(greys(data_figures.samples(ax, dataset, "COVID", count=99, seed=seed)))
        plt.close(fig)
    assert shown[0] == shown[1] != shown[2]
    assert sorted(shown[0]) == [1, 3, 5, 7, 9]


def test_a_class_without_images_is_refused(ax, dataset):
    table = dataset.table.assign(label="COVID")
    with pytest.raises(DataError, match="no image of class 'NonCOVID'"):
        data_figures.samples(ax, Dataset("small", table, CLASSES), "NonCOVID")


def test_sizes_are_drawn_per_class_without_unknown_labels(ax, dataset):
    data_figures.sizes(ax, dataset)
    drawn = [points.get_offsets().tolist() for points in ax.collections]
    assert drawn == [
        [[10 + n, 10] for n in range(0, 10, 2)],
        [[10 + n, 10] for n in range(1, 10, 2)],
    ]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == list(CLASSES)


def test_aspects_are_cumulative_shares(ax, dataset):
    data_figures.aspects(ax, dataset)
    negative, positive = ax.lines
    np.testing.assert_allclose(negative.get_xdata(), [1, 1.2, 1.4, 1.6, 1.8])
    np.testing.assert_allclose(positive.get_ydata(), [0.2, 0.4, 0.6, 0.8, 1])


def test_a_contact_sheet_shows_both_images_under_set_and_label(ax, dataset):
    pairs = pd.DataFrame({"sample_a": ["03.png"], "sample_b": ["10.png"], "correlation": [0.99]})
    data_figures.contact_sheet(ax, described(pairs, dataset.table))
    assert greys(ax) == [3, 10]
    assert [text.get_text() for text in ax.texts] == ["1a  train · COVID", "1b  train · unknown"]


def test_no_pairs_and_odd_columns_are_refused(ax, dataset):
    pairs = pd.DataFrame({"sample_a": ["03.png"], "sample_b": ["10.png"], "correlation": [0.99]})
    pairs = described(pairs, dataset.table)
    with pytest.raises(DataError, match="0 pairs"):
        data_figures.contact_sheet(ax, pairs.head(0))
    with pytest.raises(DataError, match="3 columns"):
        data_figures.contact_sheet(ax, pairs, columns=3)
