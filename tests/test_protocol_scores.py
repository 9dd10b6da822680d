from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import precision_score
from small_runs import DATA, draw_covid_ct, tiny

from covidlib.data.augmentation import MAGSD_TABLE2, NONE
from covidlib.errors import DataError
from covidlib.protocol_scores import (
    ProtocolScores,
    drawn_again,
    mean_negative_value,
    read,
    score_run,
    write,
)
from covidlib.runs.running import run
from covidlib.runs.store import Store
from covidlib.training.data import training_data
from covidlib.training.fit import Resources

FOLD = replace(DATA, split="kfold", fold=1)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return draw_covid_ct(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def runs(root, tmp_path_factory):
    """A run whose test images are whole in training too, and one with Table 2's augmentation."""
    store, found = Store(tmp_path_factory.mktemp("store")), {}
    for name, augmentation in (("none", NONE), ("table 2", MAGSD_TABLE2)):
        spec = tiny(data=FOLD, augmentation=augmentation, epochs=1)
        record = run(spec, store, root, resources=Resources("cpu", threads=1))
        found[name] = (record, spec, training_data(FOLD, root))
    return found


def test_passes_are_permutations_without_the_rest():
    batches = drawn_again(52, seed=0)
    assert len(batches) == 100 and {len(batch) for batch in batches} == {16}
    for first in range(0, 99, 3):  # 52 images fill three batches
        seen = torch.cat(batches[first : first + 3])
        assert len(seen.unique()) == 48
    counts = torch.bincount(torch.cat(batches), minlength=52)
    assert counts.sum() == 1600 and counts.min() > 20 and counts.max() <= 34


def test_draws_depend_on_seed_and_repeat_alone():
    whole = [torch.cat(drawn_again(40, *key)) for key in ((0, 0), (0, 0), (0, 1), (1, 0))]
    assert torch.equal(whole[0], whole[1])
    assert not torch.equal(whole[0], whole[2]) and not torch.equal(whole[0], whole[3])


def test_fewer_images_than_a_batch_are_drawn_as_one():
    batches = drawn_again(5, seed=0, batches=7)
    assert len(batches) == 7 and all(sorted(batch.tolist()) == [0, 1, 2, 3, 4] for batch in batches)


def test_without_augmentation_every_draw_of_an_image_says_what_the_record_says(runs):
    record, spec, data = runs["none"]
    found = score_run(record, spec, data, "smoke", repeats=2, batches=6)
    test = record.test
    right = (test["p_COVID"] > 0.5) == (test["label"] == "COVID")
    expected = dict(zip(test["sample"], right.astype(float), strict=True))
    assert found.shares.to_dict() == {name: expected[name] for name in found.shares.index}
    assert found.draws.sum() == 2 * 6 * min(16, len(test)) and found.fold == 1
    assert found.samples == tuple(test["sample"])
    share = found.hits.sum() / found.draws.sum()
    assert np.mean([one["accuracy"] for one in found.repeats]) == pytest.approx(share)


def test_augmentation_is_that_of_training_and_drawn_anew(runs):
    found = score_run(*runs["table 2"], "smoke", repeats=2, batches=6)
    again = score_run(*runs["table 2"], "smoke", repeats=2, batches=6)
    assert found.repeats == again.repeats
    assert found.repeats[0] != found.repeats[1] and found.spread("auc") > 0


def test_what_the_released_code_calls_specificity():
    truth, chosen = [0] * 6 + [1] * 4, [0, 0, 0, 0, 0, 1, 1, 1, 0, 0]
    table = pd.DataFrame({"sample": [str(k) for k in range(10)], "split": "test"})
    table["patient"], table["label"] = pd.NA, ["a" if k == 0 else "b" for k in truth]
    table["p_a"] = [0.9 if k == 0 else 0.1 for k in chosen]
    table["p_b"] = 1 - table["p_a"]
    # Of 3 images taken for b, 2 are b: TN / (TN + FN) of a. Of 7 taken for a, 5 are a: that of b.
    assert mean_negative_value(table) == pytest.approx((2 / 3 + 5 / 7) / 2)
    assert mean_negative_value(table) == pytest.approx(
        precision_score(truth, chosen, average="macro")
    )
    assert np.isnan(mean_negative_value(table.assign(p_a=0.9, p_b=0.1)))


def test_scores_are_kept_and_read_and_phantoms_are_not(runs, tmp_path):
    found = score_run(*runs["table 2"], "laptop", repeats=2, batches=3)
    assert write(found, tmp_path).name == f"{found.key}.json"
    assert write(found, tmp_path) is None
    (again,) = read(tmp_path).values()
    assert isinstance(again, ProtocolScores)
    pd.testing.assert_series_equal(again.shares, found.shares)
    for one, two in zip(again.repeats, found.repeats, strict=True):
        assert one == pytest.approx(two, abs=1e-6, nan_ok=True)
    with pytest.raises(DataError):
        write(replace(found, provenance=found.provenance | {"phantom": True}), tmp_path)
    with pytest.raises(DataError):
        write(replace(found, provenance=found.provenance | {"profile": "smoke"}), tmp_path)
