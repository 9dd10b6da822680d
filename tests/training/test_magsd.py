from dataclasses import replace
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from small_runs import DATA, TinySettings, draw_covid_ct, same
from torch import nn

from covidlib.data.augmentation import MAGSD_TABLE2, MSATL_CT
from covidlib.data.batches import Batch
from covidlib.data.phantoms import PhantomSettings
from covidlib.data.preprocessing import Preprocessing
from covidlib.errors import RunError
from covidlib.models.ma_net import MANetSettings
from covidlib.runs.running import build, run
from covidlib.runs.spec import RunSpec
from covidlib.runs.store import Store
from covidlib.settings import DataSettings, MAGSDSettings, SupervisedSettings
from covidlib.settings.magsd import REGULARISATIONS, VIEWS
from covidlib.training import magsd
from covidlib.training.attention_augmentation import draw_views, make_views
from covidlib.training.data import training_data
from covidlib.training.fit import Resources, make_trainer
from covidlib.training.magsd import MAGSD, magsd_loss, predict_views
from covidlib.waits import waits

SURE = 0.484  # of the five images below, some are surer than this and some are not
EACH_EPOCH = Resources("cpu", checkpoint_seconds=0, threads=1)
QUICK = {"size": 35, "augmentation": MSATL_CT, "epochs": 3, "batch": 8, "lr": 0.01}
NETWORK = MANetSettings("shufflenet_v2_x0_5", maps=4)


def spec(network=NETWORK, data=DATA, seed=0, **training):
    return RunSpec(network, data, MAGSDSettings(**{**QUICK, **training}), seed)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return draw_covid_ct(tmp_path_factory.mktemp("data"))


# Small regions: a view that equals its image would ask for the gradient of |x| at 0.
SMALL = {f"{name}_threshold": 0.9 for name in VIEWS}


class Attentive(nn.Module):
    """Logits and maps without batch norm, so that passes do not depend on each other."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.maps, self.classifier = nn.Conv2d(3, 4, 5, stride=5), nn.Linear(4, 3)

    def attend(self, images):
        maps = self.maps(images).abs()  # no map is constant
        return self.classifier(maps.mean((2, 3))), maps

    def forward(self, images):
        return self.attend(images)[0]


def step(count=5, size=20):
    torch.manual_seed(2)
    images, labels = torch.randn(count, 3, size, size), torch.arange(count) % 3
    return images, labels, draw_views(count, (0, 0, 0))


def by_hand(network, images, labels, shares, settings):
    """Equation 7 with loops over views and images."""
    primary, maps = network.attend(images)
    terms = []
    for view in make_views(images, maps, settings, shares):
        distances = []
        for number, label in enumerate(labels.tolist()):
            p = primary[number].softmax(0)
            v = network(view[number : number + 1])[0].softmax(0)
            truth = torch.eye(3)[label]
            if settings.regularisation == "l2":
                distances.append(((v - truth) ** 2).mean())
            elif settings.regularisation == "none":
                distances.append(-v[label].log())
            else:
                target = p.detach() if p.max() > settings.confidence else truth
                distances.append((v - target).abs().mean())
        terms.append(sum(distances) / len(distances))
    whole = sum(terms) / (1 if settings.reduction == "sum" else max(1, len(terms)))
    return F.cross_entropy(primary, labels) + settings.weight * whole


@pytest.mark.parametrize("regularisation", REGULARISATIONS)
@pytest.mark.parametrize("views", [VIEWS, VIEWS[:1], ()])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_the_loss_and_its_gradients_are_those_of_a_loop(regularisation, views, reduction):
    settings = MAGSDSettings(
        regularisation=regularisation,
        views=views,
        reduction=reduction,
        confidence=SURE,
        weight=0.7,
        **SMALL,
    )
    found = []
    for loss_of in (magsd_loss, by_hand):
        network = Attentive()
        loss = loss_of(network, *step(), settings)
        loss.backward()
        found.append((loss.detach(), network.maps.weight.grad, network.classifier.weight.grad))
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("regularisation", REGULARISATIONS)
def test_an_image_of_weight_two_counts_as_two(regularisation):
    """In every term: the weighted loss of some images is the loss of some of them repeated."""
    settings = MAGSDSettings(regularisation=regularisation, confidence=SURE, **SMALL)
    images, labels, shares = step()
    again = torch.tensor([0, 1, 2, 3, 4, 1, 4])
    repeated = magsd_loss(Attentive(), images[again], labels[again], shares[:, again], settings)
    weights = torch.bincount(again).float()
    ours = magsd_loss(Attentive(), images, labels, shares, settings, weights=weights)
    torch.testing.assert_close(ours * len(labels), repeated * len(again))


def test_the_loop_above_meets_both_branches_of_algorithm_1():
    sure = Attentive()(step()[0]).softmax(1).amax(1) > SURE
    assert sure.any() and not sure.all()


def test_one_channel_of_grey_images_is_enough():
    images, labels, shares = step()
    grey = images[:, :1].expand(-1, 3, -1, -1)
    ours, theirs = (
        magsd_loss(Attentive(), grey, labels, shares, MAGSDSettings(), grey=way)
        for way in (True, False)
    )
    torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("regularisation", REGULARISATIONS)
@pytest.mark.parametrize("joined", [True, False])
def test_a_loss_never_waits_for_the_device(regularisation, joined):
    torch.manual_seed(0)
    network = NETWORK.build(3)
    settings = MAGSDSettings(regularisation=regularisation, joined=joined)
    images, labels, shares = step(size=64)
    loss = partial(magsd_loss, network, images, labels, shares, settings)
    assert waits(lambda: loss().backward(), "cpu") == []
    assert waits(lambda: images.mean().item(), "cpu") == ["aten::_local_scalar_dense"]


DEVICES = [
    "meta",
    pytest.param(
        "cuda",
        marks=[
            pytest.mark.gpu,
            pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
        ],
    ),
]


@pytest.mark.parametrize("device", DEVICES)
def test_a_step_from_decoded_images_to_new_weights_never_waits(root, device):
    chosen = spec(augmentation=MAGSD_TABLE2, class_weights="balanced")
    method = build(chosen, training_data(DATA, root)).to(device)
    method.trainer = make_trainer(method, EACH_EPOCH, [])
    shape, count = (8, 1, 40, 40), torch.arange(8)
    images = torch.zeros(shape, dtype=torch.uint8, device=device)
    batch = Batch(count.to(device), images, (count % 2).to(device))
    optimizer = method.configure_optimizers()

    def whole_step():
        loss = method.training_step(batch, 1)  # the loss is looked at in step 0
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    if device == "cuda":
        whole_step()  # first calls choose algorithms and ask for memory
    assert waits(whole_step, device) == []


def test_joined_views_share_batch_statistics_and_separate_ones_have_their_own():
    torch.manual_seed(0)
    network = NETWORK.build(3)
    images, _, shares = step(size=64)
    views = make_views(images, network.attend(images)[1], MAGSDSettings(), shares)
    joined, apart = (predict_views(network, views, way).detach() for way in (True, False))
    assert joined.shape == apart.shape == (3, 5, 3) and not torch.allclose(joined, apart)
    network.eval()
    joined, apart = (predict_views(network, views, way).detach() for way in (True, False))
    torch.testing.assert_close(joined, apart, rtol=1e-4, atol=1e-5)


def test_running_statistics_are_renewed_twice_a_step():
    torch.manual_seed(0)
    network = NETWORK.build(3)
    magsd_loss(network, *step(size=64), MAGSDSettings())
    assert network.attention.scales[0][1].num_batches_tracked == 2


def test_a_run_predicts_like_a_supervised_one(root, tmp_path):
    record = run(spec(epochs=1), Store(tmp_path), root, resources=EACH_EPOCH)
    columns = record.predictions.columns.tolist()
    assert columns[:4] == ["sample", "patient", "split", "label"]
    assert set(columns[4:]) == {"p_COVID", "p_NonCOVID"}
    assert set(record.predictions["split"]) == {"val", "test"}
    assert 0 <= record.metrics["auc"] <= 1
    assert record.curve["loss"].notna().all()


def test_without_views_it_is_supervised_training(root, tmp_path):
    """MAG-SD(0AUG) is MA-Net with cross-entropy."""
    ours = spec(views=())
    shared = {name: getattr(ours.training, name) for name in ("momentum", "weight_decay")}
    plain = SupervisedSettings(**QUICK, **shared, milestones=ours.training.milestones)
    theirs = replace(ours, training=plain)
    records = [
        run(each, Store(tmp_path / str(number)), root, resources=EACH_EPOCH)
        for number, each in enumerate((ours, theirs))
    ]
    assert same(*records)


class Stop(Exception):
    pass


def test_an_interrupted_run_goes_on_to_the_same_bits(root, tmp_path, monkeypatch):
    whole = run(spec(), Store(tmp_path / "whole"), root, resources=EACH_EPOCH)
    original = MAGSD.batch_loss

    def stops(self, batch, place):
        if (self.current_epoch, place) == (1, 1):
            raise Stop
        return original(self, batch, place)

    store = Store(tmp_path / "parts")
    with monkeypatch.context() as patch, pytest.raises(Stop):
        patch.setattr(MAGSD, "batch_loss", stops)
        run(spec(), store, root, resources=EACH_EPOCH)
    assert store.get(spec()) is None
    assert same(run(spec(), store, root, resources=EACH_EPOCH), whole)


def test_phantoms_go_through_the_whole_method_of_the_authors_too(tmp_path):
    data = DataSettings(
        "covid-ct",
        preprocessing=Preprocessing(size=64),
        phantom=PhantomSettings(images=60, size=64),
    )
    network = MANetSettings.variant("authors", backbone="resnet18", scales=3)
    settings = MAGSDSettings.variant("authors", size=64, epochs=1)
    record = run(RunSpec(network, data, settings), Store(tmp_path), resources=EACH_EPOCH)
    assert record.phantom and record.metrics


def test_a_network_without_attention_is_refused(root):
    data = training_data(DATA, root)
    with pytest.raises(RunError, match="Tiny has no attention"):
        build(spec(network=TinySettings()), data)
    build(spec(network=TinySettings(), views=()), data)


def test_images_whose_maps_have_one_place_are_refused_with_views(root):
    """Such a map is constant, its region empty: views would be copies."""
    data = training_data(DATA, root)
    with pytest.raises(RunError, match=r"of 32 pixels have one place.* size is at least 33"):
        build(spec(size=32), data)
    build(spec(size=32, views=()), data)
    method = build(spec(size=33), data)
    assert method.network.training
    maps = method.network.attend(torch.randn(2, 3, 33, 33))[1]
    assert maps.shape[-2:] == (2, 2)


def test_a_look_at_the_maps_leaves_the_network_as_it_was():
    torch.manual_seed(0)
    network = NETWORK.build(3)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    assert magsd.attend_blank(network, 64, 3).shape == (1, 4, 2, 2)
    assert network.training
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def test_channels_of_network_and_training_must_be_the_same(root):
    data, one = training_data(DATA, root), replace(NETWORK, channels=1)
    with pytest.raises(RunError, match=r"of 1 channel\(s\) and training\.channels is 3"):
        spec(network=one)
    with pytest.raises(RunError, match=r"of 3 channel\(s\) and training\.channels is 1"):
        spec(channels=1)
    assert build(spec(network=one, channels=1), data).network.backbone.channels == 1


def test_a_weighted_run_is_another_one(root, tmp_path):
    chosen = spec(epochs=1, class_weights="balanced")
    assert "magsd-balanced" in chosen.key and "balanced" not in spec(epochs=1).key
    data = training_data(DATA, root)
    assert build(chosen, data).class_weights.tolist() == [1, 1]  # phantoms: equal classes
    ours = run(chosen, Store(tmp_path), root, resources=EACH_EPOCH)
    theirs = run(spec(epochs=1), Store(tmp_path), root, resources=EACH_EPOCH)
    assert ours.curve["loss"].item() == pytest.approx(theirs.curve["loss"].item(), rel=1e-4)
    with pytest.raises(ValueError, match="class_weights"):
        spec(class_weights="equal")


def small_batch(images=8):
    torch.manual_seed(0)
    count = torch.arange(images)
    labels = (count == 0).long()  # one against all others
    return Batch(count, torch.randint(0, 255, (images, 1, 40, 40), dtype=torch.uint8), labels)


def watched_losses(monkeypatch):
    """Return the list that every step adds its draws and weights to."""
    seen, original = [], magsd.magsd_loss

    def watched(network, images, labels, shares, *others, **options):
        seen.append({"shares": shares, "weights": options["weights"]})
        return original(network, images, labels, shares, *others, **options)

    monkeypatch.setattr(magsd, "magsd_loss", watched)
    return seen


def test_weights_of_the_classes_reach_the_loss_of_every_step(root, monkeypatch):
    method = build(spec(class_weights="balanced"), training_data(DATA, root))
    method.trainer = make_trainer(method, EACH_EPOCH, [])
    method.class_weights = torch.tensor([0.5, 3.0])
    seen = watched_losses(monkeypatch)
    batch = small_batch()
    weighted = method.batch_loss(batch, 0)
    assert seen[0]["weights"].tolist() == [3.0] + [0.5] * 7
    method.class_weights = None
    assert method.batch_loss(batch, 0).item() != pytest.approx(weighted.item(), rel=1e-3)
    assert seen[1]["weights"] is None


def test_views_are_drawn_anew_in_every_step_and_epoch(root, monkeypatch):
    method = build(spec(seed=3, batch=4), training_data(DATA, root))
    method.trainer = make_trainer(method, EACH_EPOCH, [])
    seen = watched_losses(monkeypatch)
    batch = small_batch(4)
    for epoch, step in ((0, 0), (0, 0), (0, 1), (1, 0)):
        method.trainer.fit_loop.epoch_progress.current.completed = epoch
        method.batch_loss(batch, step)
    shares = [one["shares"] for one in seen]
    torch.testing.assert_close(shares[0], shares[1])
    assert all((a != b).any() for a, b in ((shares[0], shares[2]), (shares[0], shares[3])))
    assert (shares[2] != shares[3]).any()


@pytest.mark.parametrize("nesterov", [True, False])
def test_the_optimiser_is_that_of_the_settings(root, nesterov):
    chosen = spec(nesterov=nesterov, weight_decay=3e-4)
    group = build(chosen, training_data(DATA, root)).configure_optimizers().param_groups[0]
    assert (group["nesterov"], group["weight_decay"], group["momentum"]) == (nesterov, 3e-4, 0.9)


@pytest.mark.parametrize("normalisation", ["zscore", "imagenet"])
def test_views_are_made_of_every_channel_that_differs(root, monkeypatch, normalisation):
    """Grey images have three equal channels, unless each is normalised by numbers of its own."""
    method = build(spec(normalisation=normalisation), training_data(DATA, root))
    method.trainer = make_trainer(method, EACH_EPOCH, [])
    seen, original = [], magsd.make_views

    def makes(images, *others):
        seen.append(images)
        return original(images, *others)

    monkeypatch.setattr(magsd, "make_views", makes)
    torch.manual_seed(0)
    count = torch.arange(8)
    batch = Batch(count, torch.randint(0, 255, (8, 1, 40, 40), dtype=torch.uint8), count % 2)
    method.batch_loss(batch, 0)
    assert seen[0].shape[1] == (1 if normalisation == "zscore" else 3)
