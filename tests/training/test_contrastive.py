"""MoCo, SimCLR and SSTL-M as methods: what they see, what they keep, and that they resume."""

from dataclasses import dataclass, replace
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from small_runs import DATA, Tiny, TinySettings, same, tiny
from torch import nn

from covidlib.data.augmentation import NONE
from covidlib.data.batches import Batch, DeviceImages
from covidlib.errors import RunError
from covidlib.models.lobes import generate
from covidlib.runs.running import build, run
from covidlib.runs.spec import RunSpec
from covidlib.runs.store import Store
from covidlib.settings import MocoSettings, SimclrSettings, SstlmSettings
from covidlib.settings.contrastive import LOBE_BOXES
from covidlib.training import moco as moco_module
from covidlib.training.contrastive import Contrastive
from covidlib.training.contrastive_losses import region_aware
from covidlib.training.data import training_data
from covidlib.training.fit import Resources
from covidlib.training.method import Method, prepare
from covidlib.training.sstlm import own_statistics

CPU = Resources("cpu", checkpoint_seconds=0, threads=1)
METHODS = (MocoSettings, SimclrSettings, SstlmSettings)


@dataclass(frozen=True)
class EmbeddingSettings(TinySettings):
    def build(self, classes):
        return Embedding(self, classes)


class Embedding(Tiny):
    def embed(self, images):
        return self.body(images)


def spec(kind=MocoSettings, seed=0, data=DATA, init=None, **changed):
    chosen = {"size": 35, "epochs": 3, "batch": 8, "lr": 0.05, "validate_every": 2}
    chosen |= {} if kind is SimclrSettings else {"queue": 12}
    settings = kind(projection=6, neighbours=5, **(chosen | changed))
    return RunSpec(EmbeddingSettings(), data, settings, seed, init, settings.slug)


def started(root, kind=MocoSettings, step=0, **changed):
    """Return a method as it is in the middle of a run, and one batch."""
    chosen = spec(kind, **changed)
    data = training_data(chosen.data, root)
    method = build(chosen, data)
    method._trainer = SimpleNamespace(
        global_rank=0, world_size=1, current_epoch=1, global_step=step
    )
    method.on_fit_start()
    if hasattr(method, "encoders"):
        for slow, _ in method.encoders:
            slow.eval()
    (batch, *_) = method.images.iterate(method.epoch_batches())
    return method, batch


# A run


@pytest.mark.parametrize("kind", METHODS)
def test_an_interrupted_run_goes_on_to_the_same_bits(root, tmp_path, monkeypatch, kind):
    class Killed(Exception):
        pass

    original = Method.training_step

    def step(self, batch, batch_idx):
        if (self.current_epoch, batch_idx) == (2, 1):
            raise Killed
        return original(self, batch, batch_idx)

    whole = run(spec(kind), Store(tmp_path / "whole"), root, resources=CPU)
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(Method, "training_step", step)
        run(spec(kind), Store(tmp_path / "parts"), root, resources=CPU)
    assert same(run(spec(kind), Store(tmp_path / "parts"), root, resources=CPU), whole)


@pytest.mark.parametrize("kind", METHODS)
def test_a_stage_touches_no_test_image_and_its_record_says_so(root, tmp_path, monkeypatch, kind):
    touched, original = set(), DeviceImages.iterate

    def iterate(self, batches):
        batches = list(batches)
        touched.update(row for batch in batches for row in batch.tolist())
        return original(self, batches)

    monkeypatch.setattr(DeviceImages, "iterate", iterate)
    record = run(spec(kind), Store(tmp_path), root, resources=CPU)
    data = training_data(DATA, root)
    assert not touched & set(data.rows("test").tolist())
    seen = record.predictions.query("seen")
    assert set(seen["split"]) == {"train"} and len(seen) == 22
    assert record.metrics["seen_train"] == 22
    assert record.metrics["seen_val"] == record.metrics["seen_test"] == 0
    votes = record.predictions.set_index("split")["knn_COVID"]
    assert votes.loc["val"].notna().all() and votes.drop("val").isna().all()


def test_the_transductive_variant_is_another_run_and_says_what_it_saw(root, tmp_path):
    record = run(spec(images="all", epochs=1), Store(tmp_path), root, resources=CPU)
    assert record.key != spec(epochs=1).key
    found = {name: record.metrics[f"seen_{name}"] for name in ("train", "val", "test")}
    assert found == {"train": 22, "val": 6, "test": 10}


def test_all_images_are_no_more_than_the_limit_leaves(root):
    few = training_data(replace(DATA, limit=2), root)
    method = build(spec(images="all", data=replace(DATA, limit=2)), few)
    kept = few.table["split"].notna()
    assert method.train_rows.tolist() == few.table.index[kept].tolist()
    assert kept.sum() == 2 * 3 * len(few.classes)


@pytest.mark.parametrize("kind", METHODS)
def test_labels_play_no_part_in_the_loss(root, kind):
    (method, batch), (other, _) = started(root, kind), started(root, kind)
    wrong = batch._replace(label=torch.full_like(batch.label, -1))
    assert torch.equal(method.batch_loss(batch, 0), other.batch_loss(wrong, 0))


def test_the_curve_has_the_probe_and_the_watch_for_a_collapse(root, tmp_path):
    record = run(spec(SstlmSettings), Store(tmp_path), root, resources=CPU)
    columns = {"loss_image", "loss_region", "spread", "effective_rank", "collapsed"}
    columns |= {"knn_accuracy", "knn_auc", "region_accuracy", "region_val_loss"}
    assert columns <= set(record.curve.columns)
    chosen = record.curve
    total = 0.8 * chosen["loss_image"] + 0.8 * chosen["loss_region"]
    assert chosen["loss"].tolist() == pytest.approx(total.tolist(), rel=1e-4)
    last = chosen.iloc[-1]
    assert record.metrics["knn_accuracy"] == last["knn_accuracy"]


def test_a_collapse_is_marked(root):
    method, _ = started(root)
    assert method.look()["spread"] > 0
    with torch.no_grad():
        method.head.weight.zero_()
    found = method.look()
    assert (found["spread"], found["effective_rank"], found["collapsed"]) == (0, 0, 1)


def test_fine_tuning_starts_from_the_query_encoder(root, tmp_path):
    stage = spec(SstlmSettings)
    target = replace(tiny(network=EmbeddingSettings(), epochs=1, lr=0.0), init=stage)
    assert target.chain == ("sstlm",)
    record = run(target, Store(tmp_path), root, resources=CPU)
    before = load_file(Store(tmp_path).get(stage).weights)
    after = load_file(record.weights)
    names = [n for n in after if not n.startswith("classifier") and "body.1" not in n]
    assert names and all(torch.equal(before[name], after[name]) for name in names)
    assert not any("key" in name or "head" in name or "lobe" in name for name in before)


def test_a_network_without_features_is_refused(root):
    wrong = replace(spec(), network=TinySettings())
    with pytest.raises(RunError, match="embed"):
        build(wrong, training_data(DATA, root))


def test_several_processes_are_refused(root):
    method, _ = started(root)
    method._trainer.world_size = 2
    with pytest.raises(RunError, match="one device"):
        method.on_fit_start()


def test_a_stage_of_many_devices_takes_one_where_its_negatives_are(root, tmp_path):
    record = run(spec(), Store(tmp_path), root, resources=replace(CPU, devices=2))
    assert record.provenance["devices"] == 1


def test_only_what_learns_by_gradients_is_optimised(root):
    method, batch = started(root, SstlmSettings)
    method.batch_loss(batch, 0).backward()
    learnt = [p for group in method.configure_optimizers().param_groups for p in group["params"]]
    assert all(p.grad is not None for p in learnt)
    still = [*method.key_network.parameters(), *method.key_head.parameters()]
    still += [*method.network.classifier.parameters()]
    assert all(p.grad is None and not p.requires_grad for p in still)
    assert not {id(p) for p in learnt} & {id(p) for p in still}


# The queue


def test_the_queue_is_first_in_first_out_whatever_the_batches(root):
    method, _ = started(root)
    expected_keys, expected_rows = list(method.queue), [-1] * 12
    place = 0
    for number, count in enumerate([8, 8, 6, 8, 12, 15, 1, 30]):
        keys = F.normalize(torch.randn(count, 6), dim=1)
        rows = torch.arange(count) + 100 * number
        method.enqueue(keys, rows)
        for key, row in zip(keys, rows, strict=True):
            expected_keys[place % 12], expected_rows[place % 12] = key, int(row)
            place += 1
        assert torch.equal(method.queue, torch.stack(expected_keys))
        assert method.queue_rows.tolist() == expected_rows
        assert method.place.item() == place % 12


def test_keys_in_the_queue_have_unit_length_from_the_start(root):
    method, batch = started(root)
    for step in (0, 1):
        torch.testing.assert_close(method.queue.norm(dim=1), torch.ones(12), rtol=0, atol=1e-6)
        method.batch_loss(batch, step)
    assert not method.queue.requires_grad and (method.queue_rows >= 0).sum() == 12


def test_the_negatives_are_those_before_the_step_and_never_the_query_itself(root, monkeypatch):
    method, batch = started(root)
    calls, original = [], moco_module.info_nce

    def spy(queries, keys, negatives, *arguments, **options):
        calls.append((queries, keys, negatives, options["ignore"]))
        return original(queries, keys, negatives, *arguments, **options)

    monkeypatch.setattr(moco_module, "info_nce", spy)
    before = method.queue.clone()
    method.batch_loss(batch, 0)
    queries, keys, negatives, ignore = calls[0]
    assert torch.equal(negatives, before) and not ignore.any()
    assert queries.requires_grad and not keys.requires_grad and not negatives.requires_grad
    method.batch_loss(batch, 1)
    _, _, negatives, ignore = calls[1]
    assert torch.equal(negatives[:8], keys)  # of the step before
    assert torch.equal(ignore[:, :8], torch.eye(8, dtype=torch.bool)) and not ignore[:, 8:].any()
    method.settings = replace(method.settings, own_keys=True)
    method.batch_loss(batch, 0)
    assert calls[2][3] is None


def test_a_key_depends_on_its_own_image_alone(root):
    """So it carries nothing of its batch that a query could recognise."""
    method, batch = started(root)
    inputs = method.augmented(batch, 0).images
    together = method.keys(inputs)
    alone = torch.cat([method.keys(inputs[n : n + 1]) for n in range(len(inputs))])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-6)
    statistics = [b.clone() for b in method.key_network.buffers()]
    method.keys(inputs)
    assert all(map(torch.equal, statistics, method.key_network.buffers()))
    shuffled = torch.cat([inputs[:1], inputs[1:] * 3])
    assert not torch.allclose(method.project(inputs)[0], method.project(shuffled)[0], atol=1e-3)


def test_the_views_of_query_and_key_differ_and_are_functions_of_the_place(root):
    method, batch = started(root)
    first, second = (method.augmented(batch, 0, view).images for view in (0, 1))
    assert not torch.equal(first, second)
    assert torch.equal(first, method.augmented(batch, 0).images)


# The key encoder


def test_the_key_encoder_follows_equation_3(root):
    method, _ = started(root, key_momentum=0.9)
    weight = [w.detach().clone() for w in method.key_network.parameters()]
    with torch.no_grad():
        for parameter in method.network.parameters():
            parameter.add_(torch.randn_like(parameter))
    for _ in range(3):
        method.follow(0.9)
    learnt = method.network.parameters()
    for slow, before, fast in zip(method.key_network.parameters(), weight, learnt, strict=True):
        expected = 0.9**3 * before + (1 - 0.9**3) * fast
        torch.testing.assert_close(slow, expected.detach(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("step", "share"), [(0, 0.1), (10, 11 / 20), (10**4, 0.9)])
def test_running_statistics_follow_faster_at_first(root, step, share):
    method, _ = started(root, step=step)
    norm, slow = method.network.body[1], method.key_network.body[1]
    norm.running_mean.fill_(1.0)
    slow.running_mean.fill_(0.0)
    method.follow(0.9)
    assert slow.running_mean[0].item() == pytest.approx(1 - share, rel=1e-5)


def test_a_new_runs_key_encoder_starts_from_the_stage_before(root):
    method, _ = started(root)
    with torch.no_grad():
        for parameter in method.network.parameters():
            parameter.fill_(0.5)
    method.on_train_start()
    assert all((p == 0.5).all() for p in method.key_network.parameters())
    assert not method.key_network.training and not method.key_head.training
    method._trainer.global_step = 9
    with torch.no_grad():
        method.network.classifier.weight.fill_(0.7)
    method.on_train_start()  # a resumed run keeps its own
    assert (method.key_network.classifier.weight == 0.5).all()


# Equation 6


def test_equation_6_is_the_weighted_sum_of_both_losses(root, monkeypatch):
    def lobes(self, batch, step):
        return logits

    for reduction in ("mean", "sum"):
        method, batch = started(root, SstlmSettings, alpha_image=0.3, region_loss=reduction)
        logits = torch.randn(len(batch.index), 5, 5)
        monkeypatch.setattr(type(method), "lobe_logits", lobes)
        twin, _ = started(root, MocoSettings)
        twin.load_state_dict(method.state_dict(), strict=False)
        contrast = twin.batch_loss(batch, 0)
        each = region_aware(logits)
        regions = each.mean() if reduction == "mean" else each.sum()
        expected = 0.3 * contrast + 0.8 * regions
        torch.testing.assert_close(method.batch_loss(batch, 0), expected, rtol=1e-5, atol=1e-6)


def test_regions_are_those_of_their_image_in_the_papers_order(root, monkeypatch):
    method, batch = started(root, SstlmSettings, region_images=3, region_augmentation=NONE)
    given = []

    def embed(images):
        given.append(images)
        return torch.zeros(len(images), method.width)

    monkeypatch.setattr(method.network, "embed", embed)
    assert method.lobe_logits(batch, 0).shape == (3, 5, 5)
    expected = generate(batch.image[:3], LOBE_BOXES).flatten(0, 1)
    inputs = prepare(expected, method.region_settings).images
    torch.testing.assert_close(given[0], inputs, rtol=0, atol=1e-5)


def test_the_classifier_of_lobes_reads_directions(root, monkeypatch):
    method, _ = started(root, SstlmSettings)
    features = torch.rand(10, method.width)
    found = []
    for scale in (1.0, 60.0):
        monkeypatch.setattr(method.network, "embed", lambda images, by=scale: by * features)
        found.append(method.lobes(torch.empty(10, 3, 4, 4)))
    torch.testing.assert_close(found[0], found[1], rtol=1e-4, atol=1e-5)
    expected = method.lobe_classifier(F.normalize(features, dim=1))
    torch.testing.assert_close(found[0], expected)


def test_regions_leave_the_running_statistics_alone(root):
    method, batch = started(root, SstlmSettings)
    before = [b.clone() for b in method.network.buffers() if b.is_floating_point()]
    method.lobe_logits(batch, 0).sum().backward()
    after = [b for b in method.network.buffers() if b.is_floating_point()]
    assert all(map(torch.equal, before, after))
    assert method.network.body[1].momentum == 0.1


def test_own_statistics_come_back_after_an_error():
    norm = nn.BatchNorm2d(3).eval()
    with pytest.raises(ZeroDivisionError), own_statistics(nn.Sequential(norm)):
        assert norm.training and norm.momentum == 0.0
        raise ZeroDivisionError
    assert not norm.training and norm.momentum == 0.1


def test_only_images_that_are_used_are_located(root):
    method, _ = started(root, SstlmSettings)
    missing = method.tuples.isnan().any((1, 2)).nonzero()[:, 0].tolist()
    assert missing == method.data.rows("test").tolist()
    everything, _ = started(root, SstlmSettings, images="all")
    assert not everything.tuples.isnan().any()


# SimCLR


def test_simclr_sees_both_views_in_one_batch(root, monkeypatch):
    method, batch = started(root, SimclrSettings)
    seen = []
    original = Contrastive.project
    monkeypatch.setattr(
        Contrastive, "project", lambda self, images: seen.append(images) or original(self, images)
    )
    method.batch_loss(batch, 0)
    views = [method.augmented(batch, 0, view).images for view in (0, 1)]
    assert len(seen) == 1 and torch.equal(seen[0], torch.cat(views))
    assert isinstance(method.head, nn.Sequential) and len(method.head) == 3


def test_a_step_of_one_image_is_survived(root):
    for kind in METHODS:
        method, batch = started(root, kind)
        one = Batch(batch.index[:1], batch.image[:1], batch.label[:1])
        method.whole = lambda step: 1
        assert torch.isfinite(method.batch_loss(one, 0))
