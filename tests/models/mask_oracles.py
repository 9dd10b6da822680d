"""Mask maps the slow way, from layer lists written by hand."""

from contextlib import contextmanager

import numpy as np
import torch


def pooled_slowly(values, kernel, stride, padding, zeros):
    """Average one (H, W) array window by window."""
    (kh, kw), (sh, sw), (ph, pw) = kernel, stride, padding
    height, width = values.shape
    out = np.zeros(((height + 2 * ph - kh) // sh + 1, (width + 2 * pw - kw) // sw + 1))
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            top, left = i * sh - ph, j * sw - pw
            window = values[max(top, 0) : top + kh, max(left, 0) : left + kw]
            out[i, j] = window.sum() / (kh * kw if zeros else window.size)
    return out


def square(kernel, stride=1, padding=None):
    """Geometry of a square kernel, padded to keep the size unless told otherwise."""
    padding = kernel // 2 if padding is None else padding
    return (kernel, kernel), (stride, stride), (padding, padding)


ROW, COLUMN = ((1, 7), (1, 1), (0, 3)), ((7, 1), (1, 1), (3, 0))
STAGES = {"resnet34": (3, 4, 6, 3), "resnet50": (3, 4, 6, 3)}


def _resnet(units, bottleneck):
    """Yield (geometry, name of the batch norm it feeds, or None)."""
    yield square(7, 2), "bn1"
    yield square(3, 2), None
    for stage, count in enumerate(units, start=1):
        for unit in range(count):
            stride = 2 if stage > 1 and unit == 0 else 1
            name = f"layer{stage}.{unit}.bn"
            if bottleneck:
                yield square(3, stride), name + "2"
            else:
                yield square(3, stride), name + "1"
                yield square(3), name + "2"


def _vgg16():
    place = 0
    for convolutions in (2, 2, 3, 3, 3):
        for _ in range(convolutions):
            yield square(3), f"features.{place + 1}"
            place += 3
        yield square(2, 2, 0), None
        place += 1


def _inception():
    valid = square(3, 1, 0)
    yield square(3, 2, 0), "Conv2d_1a_3x3.bn"
    yield valid, "Conv2d_2a_3x3.bn"
    yield square(3), "Conv2d_2b_3x3.bn"
    yield square(3, 2, 0), None
    yield valid, "Conv2d_4a_3x3.bn"
    yield square(3, 2, 0), None
    for name in "bcd":  # two 3×3 convolutions
        yield square(3), None
        yield square(3), f"Mixed_5{name}"
    yield square(3), None
    yield square(3, 2, 0), "Mixed_6a"
    for name in "bcde":
        yield from ((COLUMN, None), (ROW, None), (COLUMN, None), (ROW, f"Mixed_6{name}"))
    yield from ((ROW, None), (COLUMN, None), (square(3, 2, 0), "Mixed_7a"))
    for name in "bc":
        yield square(3), None
        yield ((1, 3), (1, 1), (0, 1)), f"Mixed_7{name}"


def layers(backbone):
    """Return the operations that a backbone's map goes through, by hand."""
    if backbone == "vgg16":
        return list(_vgg16())
    if backbone == "inceptionv3":
        return list(_inception())
    return list(_resnet(STAGES[backbone], bottleneck=backbone == "resnet50"))


def slow_maps(backbone, mask, zeros):
    """Return the map at every product, by module name, float64 (H', W')."""
    values, found = mask.astype(float), {}
    for (kernel, stride, padding), name in layers(backbone):
        values = pooled_slowly(values, kernel, stride, padding, zeros)
        if name is not None:
            found[name] = values
    return found


@contextmanager
def multiplied_by(network, maps):
    """Let every module named in ``maps`` put out its features times the map."""

    def hook(weights):
        weights = torch.from_numpy(weights).float()
        return lambda _module, _inputs, output: output * weights

    modules = {network.get_submodule(name): weights for name, weights in maps.items()}
    hooks = [module.register_forward_hook(hook(weights)) for module, weights in modules.items()]
    yield
    for handle in hooks:
        handle.remove()
