"""Two gloo processes do what one does."""

import pytest
import torch
from safetensors.torch import load_file
from small_runs import TinySettings, draw_covid_ct, tiny

from covidlib.errors import RunError
from covidlib.runs.running import run
from covidlib.runs.store import Store
from covidlib.training.data import training_data
from covidlib.training.fit import Resources
from covidlib.training.supervised import Supervised

# Batch norm sees half a batch in each process and dropout draws its own numbers there; without
# them two processes are one. 22 images in batches of 9 leave 4, so shares are 4 + 5 and 2 + 2.
NETWORK = TinySettings(norm=False, dropout=0.0)
SPEC = tiny(network=NETWORK, precision="32-true", batch=9)
TWO = Resources("cpu", devices=2, checkpoint_seconds=0, threads=1)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return draw_covid_ct(tmp_path_factory.mktemp("data"))


def write_row(spec, row):
    """Progress of a run with several processes is a function that they can import."""
    print(f"progress {spec.seed} {row['epoch']}", flush=True)


@pytest.mark.slow
def test_two_processes_give_the_losses_and_weights_of_one(root, tmp_path, capfd):
    one = run(SPEC, Store(tmp_path / "one"), root, resources=Resources("cpu", threads=1))
    two = run(SPEC, Store(tmp_path / "two"), root, resources=TWO, progress=write_row)
    out, err = capfd.readouterr()
    assert out.splitlines() == [f"progress 0 {epoch}" for epoch in range(3)]
    assert err == ""
    assert (one.curve - two.curve).abs().max().max() < 1e-5
    for name, value in load_file(one.weights).items():
        torch.testing.assert_close(value, load_file(two.weights)[name], rtol=0, atol=1e-5)
    columns = ["p_NonCOVID", "p_COVID"]
    assert (one.predictions[columns] - two.predictions[columns]).abs().max().max() < 1e-5
    assert two.provenance["devices"] == 2
    assert len(set(one.curve["loss"])) == 3  # it did train


@pytest.mark.slow
def test_a_loss_that_is_not_finite_in_a_process_is_the_same_error(root, tmp_path):
    store = Store(tmp_path)
    spec = tiny(network=NETWORK, precision="32-true", batch=9, lr=1e30)
    with pytest.raises(RunError, match=r"^the loss is .* at epoch 0, step [12] .*COVID-train"):
        run(spec, store, root, resources=TWO)
    assert store.records() == []


@pytest.mark.parametrize(("step", "shares"), [(0, (4, 5)), (2, (2, 2))])
def test_weights_of_uneven_shares_make_the_mean_over_images(root, step, shares):
    class Trainer:
        world_size = 2

    class Loose(Supervised):
        trainer = Trainer()

    data = training_data(SPEC.data, root)
    method = Loose(NETWORK.build(2), SPEC.training, data, seed=0)
    losses = torch.rand(sum(shares)).split(shares)
    means = [method.weight(len(part), step) * part.mean() for part in losses]
    torch.testing.assert_close(sum(means) / 2, torch.cat(losses).mean())
