import math
import warnings
from dataclasses import replace

import pytest
import torch
from small_runs import TRAINING, TinySettings, same, tiny

from covidlib.data.augmentation import NONE
from covidlib.data.batches import epoch_order
from covidlib.errors import RunError
from covidlib.runs.running import build, run
from covidlib.runs.store import Store
from covidlib.training import method as method_module
from covidlib.training.data import training_data
from covidlib.training.fit import Resources, make_trainer
from covidlib.training.method import prepare
from covidlib.training.state import read_state
from covidlib.training.supervised import Supervised

CPU = Resources("cpu", checkpoint_seconds=0, threads=1)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def samples(root, spec, epoch, step):
    data = training_data(spec.data, root)
    rows = data.rows("train")
    chosen = spec.training
    order = epoch_order(len(rows), chosen.batch, spec.seed, epoch, drop_last=chosen.drop_last)
    return data.table["sample"].iloc[rows[order[step]].numpy()].tolist()


def inject(monkeypatch, epoch, step, value=math.nan):
    original = Supervised.batch_loss

    def batch_loss(self, batch, place):
        due = (self.current_epoch, place) == (epoch, step)
        return original(self, batch, place) * (value if due else 1)

    monkeypatch.setattr(Supervised, "batch_loss", batch_loss)


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("every", [1, 2, 50])
@pytest.mark.parametrize("step", [0, 1, 2])
def test_a_loss_that_is_not_finite_names_epoch_step_and_samples(
    root, store, monkeypatch, every, step, value
):
    """A device that is asked rarely names the first bad step too, at the latest with the epoch."""
    spec = tiny()
    monkeypatch.setattr(method_module.Method, "check_every", every)
    with monkeypatch.context() as patch, pytest.raises(RunError) as caught:
        inject(patch, 1, step, value)
        run(spec, store, root, resources=CPU)
    names = samples(root, spec, 1, step)
    assert f"the loss is {value} at epoch 1, step {step} (learning rate 0.05)" in str(caught.value)
    assert str(caught.value).endswith(": " + ", ".join(names))
    assert store.get(spec) is None
    state = read_state(store.working(spec) / "state.ckpt")  # of the epoch before, and usable
    assert [row["epoch"] for row in state["callbacks"]["Curve"]["rows"]] == [0]
    whole = run(spec, Store(store.root / "whole"), root, resources=CPU)
    assert same(run(spec, store, root, resources=CPU), whole)


def test_a_rate_that_is_too_high_is_named(root, store):
    with pytest.raises(RunError, match=r"learning rate 1e\+30"):
        run(tiny(lr=1e30), store, root, resources=CPU)
    assert store.records() == []


def test_weights_lost_in_the_last_step_leave_no_state_and_no_record(root, store, monkeypatch):
    spec = tiny(epochs=1)

    def step(self, *arguments, **options):
        original(self, *arguments, **options)
        if len(self.state) and next(calls) == 2:
            with torch.no_grad():
                self.param_groups[0]["params"][0][0] = math.inf

    calls, original = iter(range(100)), torch.optim.SGD.step
    monkeypatch.setattr(torch.optim.SGD, "step", step)
    with pytest.raises(RunError, match=r"weights are not finite after epoch 0, step 2") as caught:
        run(spec, store, root, resources=CPU)
    assert str(caught.value).endswith(", ".join(samples(root, spec, 0, 2)))
    assert not list(store.working(spec).iterdir()) and store.records() == []


def test_the_curve_is_what_a_plain_loop_gives(root, store):
    """The loop written out: order, rate, momentum and weight decay, without Lightning."""
    spec = tiny(network=TinySettings(dropout=0.0), precision="32-true", augmentation=NONE, size=40)
    data, chosen = training_data(spec.data, root), spec.training
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    network = build(spec, data).network.train()
    images, rows = data.on(torch.device("cpu")), data.rows("train")
    optimizer = torch.optim.SGD(network.parameters(), lr=chosen.lr, momentum=0.9, weight_decay=1e-4)
    losses = []
    for epoch in range(3):
        optimizer.param_groups[0]["lr"] = {0: 0.05, 1: 0.05, 2: 0.05 * 0.1 * 0.1}[epoch]
        steps = []
        for places in epoch_order(len(rows), 8, spec.seed, epoch, drop_last=False):
            pixels = images.images[rows[places]].float() / 255
            mean = pixels.mean((1, 2, 3), keepdim=True)
            inputs = (pixels - mean) / pixels.std((1, 2, 3), keepdim=True, correction=0)
            loss = torch.nn.functional.cross_entropy(
                network(inputs.expand(-1, 3, -1, -1)), images.labels[rows[places]]
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            steps.append(loss.detach())
        losses.append(float(torch.stack(steps).mean()))
    torch.set_num_threads(before)
    record = run(spec, store, root, resources=CPU)
    assert record.curve["loss"].tolist() == pytest.approx(losses, abs=1e-5)
    assert record.curve["lr"].tolist() == pytest.approx([0.05, 0.05, 0.0005])


def test_evaluation_sees_the_middle_and_nothing_random():
    images = torch.randint(0, 255, (2, 1, 40, 40), dtype=torch.uint8)
    settings = replace(TRAINING, normalisation="unit")
    first, again = prepare(images, settings).images, prepare(images, settings).images
    assert first.shape == (2, 3, 35, 35) and torch.equal(first, again)
    low = (40 - 35) // 2
    middle = images[..., low : low + 35, low : low + 35] / 255
    torch.testing.assert_close(first, middle.expand(-1, 3, -1, -1), rtol=0, atol=1e-6)


def test_the_length_of_the_last_batch_does_not_change_earlier_draws(root):
    data = training_data(tiny().data, root)
    method = build(tiny(), data)
    assert [method.whole(step) for step in range(3)] == [8, 8, 6]


@pytest.mark.parametrize(
    ("asked", "here", "given"),
    [("auto", False, "cpu"), ("auto", True, "cuda"), ("cpu", True, "cpu"), ("cuda", False, "cuda")],
)
def test_networks_are_trained_where_their_images_go(root, monkeypatch, asked, here, given):
    """Whatever Lightning would choose; a GPU that is asked for is never replaced in silence."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: here)
    monkeypatch.setattr("lightning.Trainer", lambda **options: options)
    method = build(tiny(), training_data(tiny().data, root))
    assert make_trainer(method, Resources(asked), [])["accelerator"] == given


def test_a_trainer_without_a_state_writes_no_file(root):
    spec = tiny()
    method = build(spec, training_data(spec.data, root))
    assert make_trainer(method, CPU, []).checkpoint_callbacks == []


def test_a_training_is_silent(root, store, capfd):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message=r"`isinstance\(treespec, LeafSpec\)`")
        run(tiny(), store, root, resources=CPU)
    assert capfd.readouterr() == ("", "")
