"""Two gloo processes do what one does.

Run as a program it is a user's script, whose name spawned processes import again.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

sys.path.insert(0, str(Path(__file__).parents[1]))  # as a program it has no pytest to do this

from small_runs import TinySettings, tiny

from covidlib.errors import DataError, RunError
from covidlib.runs.record import Record
from covidlib.runs.running import run
from covidlib.runs.store import Store
from covidlib.training.data import training_data
from covidlib.training.fit import Resources
from covidlib.training.supervised import Supervised

# Batch norm sees half a batch in each process and dropout draws its own numbers there; without
# them two processes are one. 22 images in batches of 9 leave 4, so shares are 4 + 5 and 2 + 2.
NETWORK = TinySettings(norm=False, dropout=0.0)
ONE = Resources("cpu", threads=1)
TWO = Resources("cpu", devices=2, checkpoint_seconds=0, threads=1)


def spec(lr=0.05, batch=9):
    return tiny(network=NETWORK, precision="32-true", batch=batch, lr=lr)


def show(spec, row):
    """Progress of a run with several processes is a function that they can import."""
    print(f"progress {spec.seed} {row['epoch']}", flush=True)


def program(store, root):
    run(spec(), Store(store), root, resources=TWO, progress=show)
    with pytest.raises(RunError) as caught:
        run(spec(lr=1e30), Store(store), root, resources=TWO)
    print(json.dumps(str(caught.value)))
    with pytest.raises(DataError, match="22 images in batches of 7 leave 1 for the last step of 2"):
        run(spec(batch=7), Store(store), root, resources=TWO)


@pytest.mark.slow
def test_two_processes_give_the_losses_the_weights_and_the_errors_of_one(root, tmp_path):
    line = [sys.executable, __file__, str(tmp_path / "two"), str(root)]
    done = subprocess.run(line, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    *rows, message = done.stdout.splitlines()
    assert rows == [f"progress 0 {epoch}" for epoch in range(3)]
    one, two = run(spec(), Store(tmp_path / "one"), root, resources=ONE), tmp_path / "two"
    two = Record(two / spec().key)
    assert two.provenance["devices"] == 2
    assert (one.curve - two.curve).abs().max().max() < 1e-5
    for name, value in load_file(one.weights).items():
        torch.testing.assert_close(value, load_file(two.weights)[name], rtol=0, atol=1e-5)
    columns = ["p_NonCOVID", "p_COVID"]
    assert (one.predictions[columns] - two.predictions[columns]).abs().max().max() < 1e-5
    assert one.curve["loss"].nunique() == 3  # it did train
    # An error in a process is the one that a single process gives, apart from half the samples.
    assert json.loads(message).startswith("the loss is ") and "COVID-train" in message
    assert [record.key for record in Store(tmp_path / "two").records()] == [two.key]


@pytest.mark.parametrize(("step", "shares"), [(0, (4, 5)), (2, (2, 2))])
def test_weights_of_uneven_shares_make_the_mean_over_images(root, step, shares):
    class Trainer:
        world_size = 2

    class Loose(Supervised):
        trainer = Trainer()

    chosen = spec()
    method = Loose(NETWORK.build(2), chosen.training, training_data(chosen.data, root), seed=0)
    losses = torch.rand(sum(shares)).split(shares)
    means = [method.weight(len(part), step) * part.mean() for part in losses]
    torch.testing.assert_close(sum(means) / 2, torch.cat(losses).mean())


if __name__ == "__main__":
    program(*sys.argv[1:])
