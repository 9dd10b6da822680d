"""Train on a person's own images: one specification, as any other run of the book."""

from dataclasses import replace

from covidlib.data.preprocessing import Preprocessing
from covidlib.errors import DataError
from covidlib.models.attention_resnet import AttentionResNetSettings
from covidlib.own_images.choosing import AUGMENTATIONS
from covidlib.own_images.opening import OwnImages
from covidlib.runs.record import Record
from covidlib.runs.running import Progress, run, saw
from covidlib.runs.spec import RunSpec
from covidlib.runs.store import Store
from covidlib.settings import PROFILES, DataSettings, SupervisedSettings
from covidlib.training.data import training_data
from covidlib.training.fit import Resources

# Ours. Sizes of the profiles: pixels of the cache and of the input, epochs, images a step. The
# rates are a tenth of msatl's 0.3 for 256 images, in proportion to the batch: the share that
# validation images chose on COVID19-CT (see the deviations).
SIZES = {
    "smoke": {"cached": 73, "size": 64, "epochs": 2, "batch": 16},
    "laptop": {"cached": 73, "size": 64, "epochs": 20, "batch": 32},
    "paper": {"cached": 256, "size": 224, "epochs": 100, "batch": 64},
}
RATE = 0.1 * SupervisedSettings.lr / SupervisedSettings.batch


def own_spec(
    own: OwnImages, modality: str, profile: str, start: RunSpec | None = None, seed: int = 0
) -> RunSpec:
    """Return the specification of training on own images.

    Args:
        own: the images; their folder's name names them, their root is the data root.
        modality: "ct" or "cxr", which decides the augmentation.
        profile: "smoke", "laptop" or "paper": sizes only.
        start: the run to start from, whose network, decoding and normalisation are kept; None is
            ResNet-50 from random weights.
        seed: of the drawn split, of the weights and of the order.

    Raises:
        DataError: no such profile.
    """
    if profile not in PROFILES:
        raise DataError(f"profile is one of {', '.join(PROFILES)}, not {profile!r}")
    sizes = SIZES[profile]
    before = start.data.preprocessing if start else Preprocessing()
    images = len(own.dataset.table.query("split == 'train' and label.notna()"))
    training = SupervisedSettings(
        size=sizes["size"],
        epochs=sizes["epochs"],
        batch=sizes["batch"],
        lr=RATE * sizes["batch"],
        augmentation=AUGMENTATIONS[modality],
        normalisation=start.training.normalisation if start else SupervisedSettings.normalisation,
        validate_every=max(1, sizes["epochs"] // 5),
        # In a small set a last batch of one or two images is a large part of all steps, and batch
        # norm has no variance of it: on 65 X-rays in batches of 32 the loss rose to 17.
        drop_last=images > sizes["batch"] > 2 * (images % sizes["batch"]),
    )
    data = DataSettings(
        own.dataset.name,
        split=own.scheme,
        split_seed=seed,
        preprocessing=replace(before, size=sizes["cached"]),
    )
    network = start.network if start else AttentionResNetSettings(50, "baseline")
    return RunSpec(network, data, training, seed, init=start)


def train(
    own: OwnImages,
    spec: RunSpec,
    store: Store,
    *,
    profile: str,
    resources: Resources | None = None,
    progress: Progress | None = None,
) -> Record:
    """Return the run of a specification, trained unless the store has it for these images.

    Where the images or their split have changed since, the store's run is replaced: a folder keeps
    its name when images are added to it, a list when patients are. Models that were saved
    (``covidlib.own_images.model``) stay.

    Raises:
        UnreadableImages: files that cannot be decoded.
        RunError: the loss is not finite, or an unfinished run of other images is in the way.
    """
    training_data.cache_clear()  # a folder may have changed since this process opened it
    with store.lock(spec):
        found = store.get(spec)
        if found is not None and not saw(found, training_data(spec.data, own.root)):
            store.discard(spec)
    return run(spec, store, own.root, profile=profile, resources=resources, progress=progress)
