"""How a lung mask becomes the attention map of a feature (manet, sec. 3.3, equation 1)."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

BORDERS = ("zeros", "visible")
Pair = tuple[int, int]


@dataclass(frozen=True)
class Step:
    """What one operation does to receptive fields: P( · ; k, s, p) of equation 1.

    Args:
        kernel, stride, padding: (rows, columns).

    Raises:
        ValueError: padding is more than half the kernel, so a feature would see padding alone.
    """

    kernel: Pair
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)

    def __post_init__(self) -> None:
        if any(p > k // 2 for p, k in zip(self.padding, self.kernel, strict=True)):
            raise ValueError(f"padding {self.padding} is more than half the kernel {self.kernel}")

    @property
    def grows(self) -> bool:
        """Whether features see more afterwards; a strided 1×1 convolution only skips places."""
        return self.kernel != (1, 1)

    @property
    def moves(self) -> bool:
        """Whether the map of the features changes at all."""
        return self.grows or self.stride != (1, 1)

    def idle(self, axis: int) -> bool:
        """Whether nothing happens along rows (0) or columns (1)."""
        return (self.kernel[axis], self.stride[axis], self.padding[axis]) == (1, 1, 0)


Path = tuple[Step, ...]  # from the mask to a feature


def extend(path: Path, step: Step) -> Path:
    """Append a step; a row step and a column step that meet become one.

    Averages over a rectangle are averages over its rows, then its columns, with padding too, so
    the 1×7 and 7×1 convolutions of Inception need one 7×7 pooling.

    >>> row, column = Step((1, 7), padding=(0, 3)), Step((7, 1), padding=(3, 0))
    >>> extend(extend((), row), column)
    (Step(kernel=(7, 7), stride=(1, 1), padding=(3, 3)),)
    """
    if not step.moves:
        return path
    if not path or not all(path[-1].idle(axis) or step.idle(axis) for axis in (0, 1)):
        return (*path, step)
    chosen = [step if path[-1].idle(axis) else path[-1] for axis in (0, 1)]
    rows, columns = chosen
    joined = Step(
        (rows.kernel[0], columns.kernel[1]),
        (rows.stride[0], columns.stride[1]),
        (rows.padding[0], columns.padding[1]),
    )
    return (*path[:-1], joined)


def receptive_field(path: Path) -> Pair:
    """Return how many rows and columns of the image a feature sees.

    >>> receptive_field((Step((7, 7), (2, 2), (3, 3)), Step((3, 3), (2, 2), (1, 1))))
    (11, 11)
    """
    sizes = []
    for axis in (0, 1):
        size = jump = 1
        for step in path:
            size += (step.kernel[axis] - 1) * jump
            jump *= step.stride[axis]
        sizes.append(size)
    return sizes[0], sizes[1]


def widest(paths: Iterable[Path]) -> Path:
    """Return the path with the largest receptive field (manet sec. 3.3).

    Of equals it is the one with most steps, then the first: two 3×3 convolutions see as far as one
    5×5, and the FLOPs that manet prints for Inception are those of the two.
    """

    def width(path: Path) -> tuple[int, int]:
        rows, columns = receptive_field(path)
        return rows * columns, len(path)

    return max(paths, key=width)


def pooling(step: Step, borders: str) -> nn.AvgPool2d:
    """Return the average pooling of a step.

    Args:
        step: kernel, stride and padding.
        borders: "zeros" counts what lies outside the image as no lung; "visible" averages over
            the part of the kernel that lies on the image.

    Raises:
        ValueError: another word for the borders.
    """
    if borders not in BORDERS:
        raise ValueError(f"borders is one of {BORDERS}, not {borders!r}")
    return nn.AvgPool2d(
        step.kernel, step.stride, step.padding, count_include_pad=borders == "zeros"
    )


def pool(maps: Tensor, path: Path, borders: str) -> Tensor:
    """Carry maps, (N, 1, H, W), along a path."""
    for step in path:
        maps = pooling(step, borders)(maps)
    return maps


def as_map(mask: Tensor, size: torch.Size) -> Tensor:
    """Return masks as float32 maps, (N, 1, H, W).

    Args:
        mask: boolean, or shares in [0, 1], (N, H, W) or (N, 1, H, W).
        size: (H, W) of the images.

    Raises:
        ValueError: another shape or other values.
    """
    maps = mask[:, None] if mask.dim() == 3 else mask
    if maps.dim() != 4 or maps.shape[1] != 1 or maps.shape[2:] != size:
        raise ValueError(f"masks {tuple(mask.shape)} do not fit images of {tuple(size)}")
    if maps.dtype == torch.bool:
        return maps.float()
    # Two reductions wait for the device; boolean masks are spared them.
    if not maps.is_floating_point() or maps.min() < 0 or maps.max() > 1:
        raise ValueError(f"a mask is boolean or holds shares from 0 to 1, not {maps.dtype}")
    return maps.float()


def step_of(layer: nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d) -> Step:
    """Return what a convolution or a pooling does to receptive fields.

    Raises:
        ValueError: dilation, rounding up or named padding, for which average pooling has no form.
    """
    return step_from(
        layer.kernel_size,
        layer.stride,
        layer.padding,
        dilation=getattr(layer, "dilation", 1),
        ceil_mode=getattr(layer, "ceil_mode", False),
    )


def step_from(
    kernel_size: int | Pair,
    stride: int | Pair | None = None,
    padding: int | Pair | str = 0,
    *,
    dilation: int | Pair = 1,
    ceil_mode: bool = False,
    **other: Any,
) -> Step:
    """Return the step of an operation from its arguments as torch spells them; see ``step_of``."""
    if _pair(dilation) != (1, 1) or ceil_mode or isinstance(padding, str):
        raise ValueError(
            f"no average pooling matches dilation {dilation}, padding {padding!r}, "
            f"ceil_mode {ceil_mode}"
        )
    kernel = _pair(kernel_size)
    return Step(kernel, kernel if stride is None else _pair(stride), _pair(padding))


def _pair(value: int | Pair) -> Pair:
    return (value, value) if isinstance(value, int) else (value[0], value[1])
