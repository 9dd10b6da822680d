import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score
from small_runs import DATA, draw_covid_ct, tiny

from covidlib.data.batches import Batch
from covidlib.errors import DataError
from covidlib.runs.running import build, run
from covidlib.runs.spec import canonical
from covidlib.runs.store import Store
from covidlib.settings import DataSettings
from covidlib.training import supervised
from covidlib.training.data import training_data
from covidlib.training.fit import Resources
from covidlib.training.method import prepare
from covidlib.training.precision import autocast
from covidlib.training.supervised import balanced, cross_entropy, probabilities

CPU = torch.device("cpu")


@pytest.fixture
def method(root):
    return build(tiny(precision="32-true"), training_data(DATA, root))


def test_probabilities_are_the_softmax_of_the_network_in_evaluation(method):
    images = method.data.on(CPU)
    rows = method.data.rows("test")
    found = method.probabilities(rows, images)
    assert found.dtype == torch.float64 and method.network.training
    with torch.no_grad():
        method.network.eval()
        logits = method.network(prepare(images.images[rows], method.settings).images)
    torch.testing.assert_close(found, logits.double().softmax(1), rtol=0, atol=1e-6)


def test_probabilities_of_no_image_are_an_empty_table(method):
    empty = probabilities(
        method.network, method.settings, torch.empty(0, dtype=torch.int64), method.data.on(CPU)
    )
    assert len(empty) == 0 and method.network.training


def test_a_network_in_evaluation_stays_so(method):
    method.network.eval()
    method.probabilities(method.data.rows("val"), method.data.on(CPU))
    assert not method.network.training


def test_the_curve_shows_what_scikit_learn_says_of_the_validation_images(root, tmp_path):
    record = run(tiny(), Store(tmp_path), root, resources=Resources("cpu", threads=1))
    seen, last = record.predictions.query("split == 'val'"), record.curve.iloc[-1]
    truth = (seen["label"] == "COVID").astype(int)
    assert last["val_loss"] == pytest.approx(log_loss(truth, seen["p_COVID"]), abs=1e-6)
    predicted = (seen["p_COVID"] > 0.5).astype(int)
    assert last["val_accuracy"] == accuracy_score(truth, predicted)
    assert last["val_auc"] == roc_auc_score(truth, seen["p_COVID"])


@pytest.mark.parametrize(
    ("precision", "kind"), [("32-true", torch.float32), ("bf16-mixed", torch.bfloat16)]
)
def test_precision_is_that_of_lightning(precision, kind):
    with autocast(CPU, precision):
        assert torch.nn.functional.linear(torch.ones(2, 2), torch.ones(2, 2)).dtype == kind


def test_an_unknown_precision_is_refused():
    with pytest.raises(ValueError, match="bf16-mixed"):
        autocast(CPU, "bf16")


def test_rows_of_a_split_leave_out_unknown_labels_unless_asked(root):
    data = training_data(DATA, root)
    table = data.table.copy()
    table.loc[data.rows("train")[:2].numpy(), "label"] = None
    unknown = type(data)(data.dataset, data.cached, table)
    assert len(unknown.rows("train")) == 20
    assert len(unknown.rows("train", labelled=False)) == 22
    parts = [set(data.rows(name).tolist()) for name in ("train", "val", "test")]
    assert set.union(*parts) == set(range(len(table))) and sum(map(len, parts)) == len(table)


def test_a_class_without_training_images_is_refused(root, tmp_path):
    place = draw_covid_ct(tmp_path)
    lists = place / "covid-ct/Data-split/COVID"
    with open(lists / "testCT_COVID.txt", "a") as file:
        file.write((lists / "trainCT_COVID.txt").read_text())
    (lists / "trainCT_COVID.txt").write_text("")
    with pytest.raises(DataError, match=r"no training image of \['COVID'\]"):
        training_data(DATA, place)


def test_folds_share_the_decoded_images(root):
    first, second = (
        training_data(
            DataSettings("covid-ct", "kfold", fold, 3, preprocessing=DATA.preprocessing), root
        )
        for fold in (0, 1)
    )
    assert first.cached.folder == second.cached.folder
    assert not np.array_equal(first.rows("test"), second.rows("test"))


# What a class of few images counts


def outputs(count=12, classes=3):
    torch.manual_seed(0)
    return torch.randn(count, classes, requires_grad=True), torch.arange(count) ** 2 % classes


@pytest.mark.parametrize("classes", [2, 3])
def test_the_weighted_loss_and_its_gradient_are_torchs(classes):
    logits, labels = outputs(classes=classes)
    weights = torch.rand(classes) + 0.5
    ours = cross_entropy(logits, labels, weights[labels])
    theirs = F.cross_entropy(logits, labels, weights, reduction="sum") / len(labels)
    torch.testing.assert_close(ours, theirs)
    gradients = [torch.autograd.grad(loss, logits)[0] for loss in (ours, theirs)]
    torch.testing.assert_close(*gradients)
    # Torch's own mean divides by the weights that the batch happens to hold.
    mean = F.cross_entropy(logits, labels, weights)
    torch.testing.assert_close(ours * len(labels) / weights[labels].sum(), mean)


def test_without_weights_it_is_torchs_to_the_bit():
    logits, labels = outputs()
    assert torch.equal(cross_entropy(logits, labels), F.cross_entropy(logits, labels))


def test_weights_are_those_of_scikit_learn_and_give_each_class_the_same_share():
    labels = pd.Series(["b"] * 6 + ["a"] * 3 + ["c"])
    weights = balanced(labels, ("a", "b", "c"))
    assert weights.tolist() == pytest.approx([10 / 9, 10 / 18, 10 / 3])
    assert (weights * torch.tensor([3, 6, 1])).tolist() == pytest.approx([10 / 3] * 3)
    assert balanced(pd.Series(["a", "b"]), ("a", "b")).tolist() == [1, 1]


@pytest.mark.parametrize("share", [1, 2, 4])
def test_shares_of_several_processes_add_up(share):
    logits, labels = outputs()
    weights = torch.tensor([0.5, 2.0, 1.0])[labels]
    parts = zip(logits.split(share), labels.split(share), weights.split(share), strict=True)
    mean = torch.stack([cross_entropy(*part) for part in parts]).mean()
    torch.testing.assert_close(mean, cross_entropy(logits, labels, weights))


def test_a_run_weighs_by_the_classes_of_its_training_images(root):
    data = training_data(DATA, root)
    rows = data.rows("train")
    kept = rows[: len(rows) * 3 // 4]  # fewer of the second class
    data.table.loc[data.table.index.difference(kept.numpy()), "split"] = pd.NA
    found = build(tiny(class_weights="balanced"), data)
    counts = data.table["label"].iloc[kept.numpy()].value_counts()[list(data.classes)]
    assert counts.nunique() == 2
    expected = len(kept) / 2 / torch.tensor(counts.to_numpy())
    torch.testing.assert_close(found.class_weights, expected.float())
    assert "class_weights" not in found.state_dict()
    labels = torch.tensor([1, 0, 1])
    torch.testing.assert_close(found.image_weights(labels), found.class_weights[labels])
    assert build(tiny(), training_data(DATA, root)).image_weights(labels) is None


def test_class_weights_change_the_key_and_their_absence_does_not():
    plain, weighted = tiny(), tiny(class_weights="balanced")
    assert plain.key != weighted.key
    assert "class_weights" not in str(canonical(plain))
    assert "supervised-balanced" in weighted.key
    with pytest.raises(ValueError, match="class_weights"):
        tiny(class_weights="equal")


def test_weights_of_the_classes_reach_the_loss_of_every_step(method, monkeypatch):
    method.class_weights = torch.tensor([0.5, 3.0])
    logits = torch.tensor([[2.0, 0.0], [1.0, -1.0], [0.0, 0.5]])
    monkeypatch.setattr(supervised, "logits", lambda *_: logits)
    monkeypatch.setattr(method, "augmented", lambda *_: None)
    images = torch.zeros(3, 1, 48, 48, dtype=torch.uint8)
    batch = Batch(torch.arange(3), images, torch.tensor([0, 1, 0]))
    each = F.cross_entropy(logits, batch.label, reduction="none")
    expected = (each * torch.tensor([0.5, 3.0, 0.5])).mean()
    torch.testing.assert_close(method.batch_loss(batch, 0), expected)
