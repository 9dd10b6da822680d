"""MAG-SD: a primary view, views made from its attention, and a distance between their predictions.

One step is one forward pass of the augmented images, whose attention makes the views, and one of
all views together (magsd sec. 3.1, figure 1). The views pass together because they are of one kind,
images changed in training only: batch norm sees one mixture of them, and its running statistics,
which evaluation uses, are renewed once by the unchanged images and once by the changed ones. With
four passes unchanged images would make a fifth of them instead of nearly half, and the order of the
views would matter. ``joined=False`` makes a pass for each view.
"""

from itertools import count

import torch
from torch import LongTensor, Tensor, nn

from covidlib.data.batches import Batch, share
from covidlib.data.transfer import to_device
from covidlib.errors import RunError
from covidlib.settings import MAGSDSettings
from covidlib.training.attention_augmentation import draw_views, make_views
from covidlib.training.data import TrainingData
from covidlib.training.modes import evaluating
from covidlib.training.soft_distance import (
    in_space,
    l2_distance,
    one_hot,
    soft_distance,
    soft_labels,
)
from covidlib.training.supervised import Supervised, cross_entropy


class MAGSD(Supervised):
    """Training as in magsd sec. 3; predictions are those of the primary route alone.

    Args:
        network: offers ``attend(images)``, which returns logits (N, K) and maps (N, M, H, W).
        settings: hyper-parameters.
        data: the images.
        seed: of order, augmentation, views and dropout.

    Raises:
        RunError: views are asked for, and the network has no attention, or maps of one place.
    """

    settings: MAGSDSettings

    def __init__(
        self, network: nn.Module, settings: MAGSDSettings, data: TrainingData, seed: int
    ) -> None:
        if settings.views and not hasattr(network, "attend"):
            raise RunError(f"{type(network).__name__} has no attention to make views from")
        super().__init__(network, settings, data, seed)
        if settings.views:
            check_maps(network, settings)

    def batch_loss(self, batch: Batch, step: int) -> Tensor:
        """Return the mean loss of one batch."""
        images = self.augmented(batch, step).images
        whole = self.whole(step)
        shares = draw_views(whole, (self.seed, self.current_epoch, step))
        own = share(whole, self.trainer.global_rank, self.trainer.world_size)
        on_device = to_device(shares[:, own], self.device)
        # ImageNet's mean and deviation differ from channel to channel.
        grey = batch.image.shape[1] == 1 and self.settings.normalisation != "imagenet"
        weights = self.image_weights(batch.label)
        return magsd_loss(
            self.network, images, batch.label, on_device, self.settings, grey=grey, weights=weights
        )

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return SGD as the settings ask, with Nesterov's momentum where they do."""
        optimizer = super().configure_optimizers()
        for group in optimizer.param_groups:
            group["nesterov"] = self.settings.nesterov
        return optimizer


def check_maps(network: nn.Module, settings: MAGSDSettings) -> None:
    """Refuse images so small that an attention map is one place, whose region is always empty.

    Raises:
        RunError: the maps have one place; the message says the least size.
    """

    def side(size: int) -> int:
        return attend_blank(network, size, settings.channels).shape[-1]

    if side(settings.size) == 1:
        least = next(size for size in count(settings.size + 1) if side(size) > 1)
        raise RunError(
            f"attention maps of images of {settings.size} pixels have one place, so no view can be "
            f"made from them: size is at least {least} with views"
        )


def attend_blank(network: nn.Module, size: int, channels: int) -> Tensor:
    """Return the attention maps (1, M, H, W) of one black image; the mode is restored."""
    device = next(network.parameters()).device
    with evaluating(network):
        return network.attend(torch.zeros(1, channels, size, size, device=device))[1]


def magsd_loss(
    network: nn.Module,
    images: Tensor,
    labels: LongTensor,
    shares: Tensor,
    settings: MAGSDSettings,
    *,
    grey: bool = False,
    weights: Tensor | None = None,
) -> Tensor:
    """Return the loss of one step, equation 7.

    Args:
        network: offers ``attend``.
        images: augmented model inputs. Shape: (N, C, S, S).
        labels: class numbers. Shape: (N,).
        shares: of ``draw_views``, on the device of the images. Shape: (len(VIEWS), N, 3).
        settings: views and regularisation.
        grey: whether the channels of an image are all the same; views are then made of one.
        weights: what each image counts in every term; None counts all the same. Shape: (N,).
    """
    if not settings.views:
        return cross_entropy(network(images).float(), labels, weights)
    primary, maps = network.attend(images)
    primary = primary.float()
    views = make_views(images[:, :1] if grey else images, maps, settings, shares)
    views = [view.expand_as(images) for view in views]
    predictions = predict_views(network, views, settings.joined).float()
    distances = view_losses(primary, predictions, labels, settings, weights)
    whole = distances.mean() if settings.reduction == "mean" else distances.sum()
    return cross_entropy(primary, labels, weights) + settings.weight * whole


def predict_views(network: nn.Module, views: list[Tensor], joined: bool) -> Tensor:
    """Return the logits of V views, (V, N, K)."""
    if not joined:
        return torch.stack([network(view) for view in views])
    together = torch.cat(views).contiguous(memory_format=torch.channels_last)
    return network(together).unflatten(0, (len(views), -1))


def view_losses(
    primary: Tensor,
    predictions: Tensor,
    labels: LongTensor,
    settings: MAGSDSettings,
    weights: Tensor | None = None,
) -> Tensor:
    """Return what each view adds to the loss, (V,).

    Args:
        primary: logits, float32. Shape: (N, K).
        predictions: logits of V views, float32. Shape: (V, N, K).
        labels: class numbers. Shape: (N,).
        settings: regularisation.
        weights: of the images, as in ``magsd_loss``. Shape: (N,).
    """
    if settings.regularisation == "none":
        return torch.stack([cross_entropy(view, labels, weights) for view in predictions])
    compared = in_space(predictions, settings.space)
    if settings.regularisation == "l2":
        return l2_distance(one_hot(labels, primary), compared, weights)
    target = soft_labels(
        primary,
        labels,
        settings.confidence,
        agreeing=settings.soft_label == "agreeing",
        smoothing=settings.smoothing,
        space=settings.space,
    )
    return soft_distance(target, compared, weights)
