import matplotlib.pyplot as plt
import numpy as np
import pytest

from covidlib.alternative import LONGEST, describe


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


def test_a_graph_is_told_by_its_axes_title_and_legend():
    fig, ax = plt.subplots()
    ax.plot([0, 1], [1, 0], label="R-50")
    ax.scatter([0, 1], [0, 1], label="R-101")
    ax.set(title="Loss", xlabel="epoch", ylabel="$loss$")
    ax.legend()
    assert describe(fig) == "lines and points, Loss, loss against epoch, legend: R-50, R-101"


def test_panels_are_counted_and_named_once():
    fig, axes = plt.subplots(1, 3)
    for ax, name in zip(axes, ("COVID", "COVID", "other"), strict=True):
        ax.imshow(np.eye(3))
        ax.set_title(name)
        ax.set_axis_off()
    fig.colorbar(axes[0].images[0], ax=axes)
    fig.suptitle("Samples")
    assert describe(fig) == "Samples. 3 panels. picture, COVID. picture, other"


def test_a_diagram_is_told_by_its_words():
    fig, ax = plt.subplots()
    ax.set_axis_off()
    for place, word in enumerate(("conv", "res2", "conv")):
        ax.text(place, 0, word)
    assert describe(fig) == "Diagram with the words conv, res2"


def test_nothing_gives_nothing_and_much_is_cut_between_words():
    assert describe(plt.figure()) == ""
    fig, ax = plt.subplots()
    ax.plot([0, 1], [0, 1])
    ax.set_title("word " * 200)
    told = describe(fig)
    assert len(told) <= LONGEST and told.endswith("word …")
