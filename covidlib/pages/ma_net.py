"""Numbers and maps of MA-Net (``notebooks/magsd/ma_net.py``)."""

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
import pandas as pd
import torch
from ipywidgets import VBox
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from covidlib.models.backbones import SIZE, plan
from covidlib.models.ma_net import MANetSettings, attention_pooling
from covidlib.pages.attended import Chest, draw, draw_image
from covidlib.published import claims
from covidlib.widgets import browser

BACKBONES = ("resnet18", "resnet50", "vgg16", "inception_v3", "densenet121", "efficientnet_b0")
# Claims of sec. 3.2 and 4.1 on the network's shape: what of our network answers them.
SHAPES: dict[str, tuple[str, Callable[[], object]]] = {
    "magsd-H02": ("attention maps", lambda: _built()["maps"][1]),
    "magsd-H03": ("channels of f1", lambda: _built()["f1"][1]),
    "magsd-H04": ("side of f1", lambda: _built()["f1"][-1]),
    "magsd-H05": ("channels of f2", lambda: _built()["f2"][1]),
    "magsd-H06": ("side of f2", lambda: _built()["f2"][-1]),
    "magsd-H07": ("channels of f3", lambda: _built()["f3"][1]),
    "magsd-H08": ("side of f3", lambda: _built()["f3"][-1]),
    "magsd-H09": ("side of the summed maps", lambda: _built()["maps"][-1]),
    "magsd-H10": ("pooled features", lambda: _built()["pooled"][1]),
}


@cache
def _built() -> dict[str, torch.Size]:
    """Return the shapes in the paper's network of three scales, computing nothing."""
    with torch.device("meta"):
        network = MANetSettings(scales=3).build(2).eval()
        features = network.backbone(torch.empty(1, 3, SIZE, SIZE))
        maps = network.attention(features)
        pooled = attention_pooling(features[-1], maps).flatten(1)
    found = {"f1": features[0], "f2": features[1], "f3": features[2]}
    return {name: x.shape for name, x in (found | {"maps": maps, "pooled": pooled}).items()}


def shapes_table() -> pd.DataFrame:
    """Return what the paper says of the network's shape beside ours."""
    stated = claims("magsd").set_index("id")
    rows = {}
    for claim, (what, ours) in SHAPES.items():
        paper, here = int(stated.loc[claim, "value"]), int(ours())
        rows[claim] = {
            "number": what,
            "paper": paper,
            "here": here,
            "verdict": "reproduced" if paper == here else "differs",
        }
    return pd.DataFrame(rows).T.rename_axis("claim")


def sizes_table(classes: int = 2) -> pd.DataFrame:
    """Return where the parameters of each variant of the network are, in millions."""
    rows = {}
    variants = [MANetSettings(scales=s) for s in (1, 2, 3)]
    variants += [MANetSettings(pooling=p) for p in ("gap", "gmp")]
    for settings in variants:
        with torch.device("meta"):
            network = settings.build(classes)
        parts = (network.backbone, network.attention, network.classifier)
        names = ("backbone", "attention", "classifier")
        counts = [sum(p.numel() for p in part.parameters()) / 1e6 for part in parts]
        label = f"{settings.scales} scale{'s' * (settings.scales > 1)}, {settings.pooling}"
        rows[label] = dict(zip(names, counts, strict=True)) | {"all": sum(counts)}
    return pd.DataFrame(rows).T


def backbones_table() -> pd.DataFrame:
    """Return the three deepest scales of several torchvision networks at 224 pixels."""
    rows = {}
    for name in BACKBONES:
        found = plan(name)
        scales = zip(found.taps[-3:], found.widths[-3:], found.sides[-3:], strict=True)
        cells = [f"{tap}: {width}×{side}×{side}" for tap, width, side in scales]
        rows[name] = dict(zip(("f1", "f2", "f3"), cells, strict=True))
    return pd.DataFrame(rows).T


class Written(TorchDispatchMode):
    """Counts the bytes of every new tensor that operations give, and the largest of them."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = self.largest = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        if isinstance(out, Tensor) and not out._is_view():
            size = out.numel() * out.element_size()
            self.bytes, self.largest = self.bytes + size, max(self.largest, size)
        return out


def one_by_one(features: Tensor, attention: Tensor) -> Tensor:
    """Pool as equation 1 is written: one part feature map after the other."""
    parts = [(attention[:, [j]] * features).mean((2, 3)) for j in range(attention.shape[1])]
    return torch.stack(parts, 1)


def side_by_side(features: Tensor, attention: Tensor) -> Tensor:
    """Pool all part feature maps, made at once."""
    return (attention[:, :, None] * features[:, None]).mean((3, 4))


def pooling_table(batch: int = 8) -> tuple[pd.DataFrame, float]:
    """Return what three ways of pooling write, in MB, and the largest difference of results.

    Args:
        batch: images; the features are those of ResNet50 at 224 pixels.
    """
    torch.manual_seed(0)
    features, attention = torch.rand(batch, 2048, 7, 7), torch.rand(batch, 32, 7, 7)
    ways = {
        "one einsum": attention_pooling,
        "part after part": one_by_one,
        "all parts at once": side_by_side,
    }
    rows, results = {}, []
    for name, pool in ways.items():
        with Written() as seen:
            results.append(pool(features, attention))
        rows[name] = {"largest tensor, MB": seen.largest / 1e6, "all tensors, MB": seen.bytes / 1e6}
    worst = max(float((other - results[0]).abs().max()) for other in results[1:])
    return pd.DataFrame(rows).T, worst


def draw_scales(axes: Sequence[Axes], chest: Chest) -> None:
    """Draw what each scale adds to the mean map, and their sum."""
    draw_image(axes[0], chest.image, chest.label)
    sides = plan("resnet50").sides[-len(chest.scales) :]
    titles = [*(f"from {side}×{side}" for side in sides), "sum, $A$"]
    for ax, part, title in zip(axes[1:], (*chest.scales, chest.maps), titles, strict=True):
        draw(ax, chest, part.mean(1)[0].numpy(), title)


def draw_maps(axes: Sequence[Axes], chest: Chest) -> None:
    """Draw the maps with the largest spread, as many as there are axes."""
    for ax, number in zip(axes, chest.liveliest, strict=False):
        draw(ax, chest, chest.attention(number), f"map {number + 1}")


def maps_browser(chest: Chest, count: int = 8, *, phantom: bool = False) -> VBox:
    """Return a slider over the maps with the largest spread."""
    frames = {}
    for number in chest.liveliest[:count]:
        figure, axes = plt.subplots(1, 2, figsize=(5.6, 2.9), layout="constrained")
        draw(axes[0], chest, chest.maps[0, number].numpy(), "as computed, 7×7")
        draw(axes[1], chest, chest.attention(number), "rescaled, 224×224")
        frames[f"map {number + 1} of {chest.maps.shape[1]}"] = figure
    return browser(frames, "map", phantom=phantom)


def draw_pooling(axes: Sequence[Axes], chest: Chest, channels: int = 60) -> dict[str, float]:
    """Draw f3, one map, their part feature map and the feature matrix.

    Returns:
        How alike the rows of the matrix are: the mean correlation of two rows.
    """
    number = chest.liveliest[0]
    channel = int(chest.features[0].amax((1, 2)).argmax())
    feature, attention = chest.features[0, channel].numpy(), chest.maps[0, number].numpy()
    pictures = {
        f"channel {channel + 1} of $f_3$": feature,
        f"map {number + 1}, $A_j$": attention,
        "part feature map": feature * attention,
    }
    for ax, (title, values) in zip(axes, pictures.items(), strict=False):
        ax.imshow(values, cmap="inferno")
        ax.set_title(title, fontsize=9)
        ax.set_axis_off()
    matrix = attention_pooling(chest.features, chest.maps)[0]
    axes[3].imshow(matrix[:, :channels].numpy(), aspect="auto", cmap="inferno")
    axes[3].set(xlabel=f"channel (first {channels})", ylabel="map")
    axes[3].set_title("feature matrix $M$", fontsize=9)
    between = np.corrcoef(matrix.numpy())
    return {"alike": float(between[np.triu_indices(len(between), 1)].mean())}
