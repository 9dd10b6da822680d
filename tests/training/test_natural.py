"""STL-N: colour in, ranks out; torchvision's weights under attention."""

import hashlib
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import top_k_accuracy_score
from small_runs import TinySettings
from torchvision.models import ResNet18_Weights, resnet18

from covidlib.data.batches import DeviceImages, StreamingImages, images_on
from covidlib.data.phantoms import PhantomSettings
from covidlib.data.preprocessing import Preprocessing
from covidlib.errors import RunError
from covidlib.evaluation.ranks import ranked, top_difference, top_interval, top_k
from covidlib.models.attention_resnet import PLACEMENTS, AttentionResNetSettings
from covidlib.runs.running import build, load, run, transfer
from covidlib.runs.spec import RunSpec
from covidlib.runs.store import Store
from covidlib.settings import DataSettings, GraftSettings, StlmSettings, StlnSettings
from covidlib.training import graft
from covidlib.training.data import training_data
from covidlib.training.fit import Resources

NATURAL = DataSettings(
    "tiny-imagenet-100",
    split="val-as-test",
    preprocessing=Preprocessing(size=37, colour=True),
    phantom=PhantomSettings(images=48, size=37),
)
CT = DataSettings(
    "covid-ct",
    preprocessing=Preprocessing(size=37),
    phantom=PhantomSettings(images=24, size=37),
)
CPU = Resources("cpu", threads=1)
STLN = StlnSettings(size=33, epochs=1, batch=8, lr=0.01, validate_every=1)


def network(variant: str = "attn1") -> AttentionResNetSettings:
    return AttentionResNetSettings(18, variant)


def test_the_stages_have_the_values_that_the_paper_prints():
    natural, medical = StlnSettings(), StlmSettings()
    rates = [natural.lr_at(epoch) for epoch in (0, 29, 30, 59, 60, 89)]
    assert np.allclose(rates, [0.1, 0.1, 0.01, 0.01, 0.001, 0.001])
    assert (natural.epochs, natural.batch, natural.weight_decay) == (90, 512, 1e-4)
    assert natural.augmentation.crop.low == 224 / 256 and natural.augmentation.flip_x == 0.5
    assert {medical.lr_at(epoch) for epoch in range(30)} == {2e-4}
    assert (medical.epochs, medical.batch) == (30, 64)
    assert (natural.slug, medical.slug) == ("stl-n", "stl-m")
    with pytest.raises(ValueError, match="weights is one of"):
        GraftSettings(weights="DEFAULT")


def test_the_rate_never_falls_before_the_first_epoch_is_over():
    assert all(StlnSettings(epochs=epochs).lr_at(0) == 0.1 for epochs in range(1, 6))
    assert StlnSettings(epochs=4).drops == (1, 3)  # of the recorded runs


def test_a_run_keeps_ranks_and_scores_the_published_validation_images(tmp_path):
    store = Store(tmp_path)
    spec = RunSpec(TinySettings(), NATURAL, STLN, stage="stl-n")
    record = run(spec, store, resources=CPU)
    seen = record.predictions
    assert list(seen) == [
        "sample", "patient", "split", "label", "predicted", "probability", "rank"
    ]  # fmt: skip
    assert set(seen.loc[seen["split"] == "test", "sample"].str.split("/").str[0]) == {"val"}
    data = training_data(NATURAL, None)
    rows = data.rows("test")
    images = data.on(torch.device("cpu"))
    values = load(record, spec, data).probabilities(rows, images)
    labels = images.labels[rows]
    for k in (1, 5):
        wanted = top_k_accuracy_score(labels, values, k=k, labels=range(12))
        assert record.metrics[f"top{k}"] == pytest.approx(wanted)
    assert list(record.curve) == [
        "epoch", "lr", "loss", "val_loss", "val_top1", "val_top5"
    ]  # fmt: skip
    assert record.curve["val_top5"].iloc[-1] >= record.curve["val_top1"].iloc[-1]


def test_colour_reaches_the_network():
    data = training_data(NATURAL, None)
    (batch,) = data.on(torch.device("cpu")).iterate([data.rows("train")[:4]])
    assert batch.image.shape == (4, 3, 37, 37) and batch.image.dtype == torch.uint8
    assert (batch.image[:, 0] != batch.image[:, 2]).any()


def test_images_beyond_the_memory_are_streamed_as_the_same_batches():
    data = training_data(NATURAL, None)
    device = torch.device("cpu")
    near = images_on(data.cached, data.classes, device)
    far = images_on(data.cached, data.classes, device, share=0.0)
    assert isinstance(near, DeviceImages) and isinstance(far, StreamingImages)
    far.workers = 0
    rows = [data.rows("train")[:3], data.rows("test")[:2]]
    for one, two in zip(near.iterate(rows), far.iterate(rows), strict=True):
        assert torch.equal(one.image, two.image) and torch.equal(one.label, two.label)


def test_a_stage_hands_on_all_but_its_classifier(tmp_path):
    store = Store(tmp_path)
    parent = RunSpec(TinySettings(), NATURAL, STLN, stage="stl-n")
    settings = StlmSettings(size=33, epochs=1, batch=8, lr=0.0, momentum=0.0, weight_decay=0.0)
    spec = RunSpec(TinySettings(), CT, settings, 1, parent, "stl-m")
    assert spec.slug == "phantom-covid-ct-tiny-stl-n-stl-m-s1"
    child = run(spec, store, resources=CPU)
    first = load(store.get(parent), parent, training_data(NATURAL, None)).network
    second = load(child, spec, training_data(CT, None)).network
    ours = dict(second.named_parameters())
    for name, value in first.named_parameters():  # at a rate of 0 nothing moves
        same = ours[name].shape == value.shape and torch.equal(ours[name], value)
        assert same == (not name.startswith("classifier")), name


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """A file with the name that torchvision would give it, and the network in it."""
    torch.manual_seed(3)
    plain = resnet18()
    draft = tmp_path / "draft.pth"
    torch.save(plain.state_dict(), draft)
    digest = hashlib.sha256(draft.read_bytes()).hexdigest()
    path = draft.rename(tmp_path / f"resnet18-{digest[:8]}.pth")
    original = ResNet18_Weights.IMAGENET1K_V1
    chosen = replace(original.value, url=f"http://127.0.0.1:9/{path.name}")
    monkeypatch.setattr(original, "_value_", chosen)
    monkeypatch.setenv(graft.VARIABLE, str(tmp_path))
    return path, plain.eval()


@pytest.mark.parametrize("variant", PLACEMENTS)
def test_grafted_weights_keep_their_function_under_attention(weights, variant):
    _, plain = weights
    torch.manual_seed(0)
    ours = network(variant).build(1000).eval()
    graft.graft(ours, plain.state_dict())
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(ours(images), plain(images))


def test_what_descends_from_torchvisions_weights_says_so(weights, tmp_path):
    path, plain = weights
    store = Store(tmp_path / "store")
    start = RunSpec(network(), CT, GraftSettings(size=33), stage="torchvision")
    assert "torchvision-imagenet1k-v1" in start.key
    settings = StlmSettings(size=33, epochs=1, batch=8)
    last = run(RunSpec(network(), CT, settings, 0, start), store, resources=CPU)
    said = last.provenance["weights"]
    assert said["name"] == "torchvision ResNet18 IMAGENET1K_V1" and said["file"] == path.name
    assert said["sha256"].startswith(path.stem.split("-")[1])
    first = store.get(start)
    assert first.provenance["weights"] == said and first.metrics == {} and first.curve.empty
    method = load(first, start, training_data(CT, None))
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        # The method keeps its network in channels-last order, whose sums round otherwise.
        torch.testing.assert_close(method.network.eval()(images), plain(images))


def test_building_a_network_leaves_the_callers_random_numbers():
    data = training_data(CT, None)
    torch.manual_seed(0)
    expected = torch.rand(3)
    for training in (GraftSettings(size=33), StlmSettings(size=33)):
        torch.manual_seed(0)
        build(RunSpec(network(), CT, training), data)
        assert torch.equal(torch.rand(3), expected)


def test_a_file_that_is_not_torchvisions_is_refused(weights, monkeypatch, tmp_path):
    path, _ = weights
    path.write_bytes(path.read_bytes() + b"0")
    with pytest.raises(RunError, match="SHA-256 begins"):
        graft.weights_file(18, "IMAGENET1K_V1")
    path.unlink()
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    with pytest.raises(RunError, match="COVIDLIB_WEIGHTS name the file"):
        graft.weights_file(18, "IMAGENET1K_V1")
    with pytest.raises(RunError, match="not the weights of this ResNet"):
        graft.graft(network().build(2), {"conv1.weight": torch.zeros(1)})


def test_transfer_refuses_a_network_without_the_same_attention():
    one, two = network("attn1").build(2), network("attn5").build(2)
    with pytest.raises(RunError, match="another network"):
        transfer(two, one.state_dict())


def test_ranks_agree_with_a_slow_loop_and_break_ties_by_order():
    rng = np.random.default_rng(0)
    classes = tuple("abcdefgh")
    values = rng.integers(0, 4, (60, 8)).astype(float)
    table = pd.DataFrame(
        {
            "sample": [f"{n:02d}" for n in range(60)],
            "patient": pd.NA,
            "split": ["val"] * 20 + ["test"] * 40,
            "label": rng.choice(classes, 60),
        }
    )
    seen = ranked(table, values, classes)
    for row, value, label in zip(seen["rank"], values, table["label"], strict=True):
        order = sorted(range(8), key=lambda k: (-value[k], k))
        assert row == 1 + order.index(classes.index(label))
    one = top_k(seen, 1)
    assert one == (seen["predicted"] == seen["label"])[20:].mean()
    found = top_interval([seen], 5)
    assert found.low < top_k(seen, 5) == found.value < found.high and found.images == 40
    better = seen.assign(rank=np.maximum(1, seen["rank"] - 1).astype(np.int16))
    gain = top_difference(seen, better, 1)
    assert gain.value == pytest.approx(top_k(better, 1) - one) and gain.low < gain.value
    assert top_difference(seen, seen, 1).high == 0
    assert np.isnan(top_k(seen[seen["label"].isin(list("abc"))], 5))
