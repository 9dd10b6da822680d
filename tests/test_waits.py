import covidlib  # noqa: F401  (torchvision, which lightning imports, comes after it)

# isort: split
import pytest
import torch

from covidlib.data.augmentation import MAGSD_TABLE2, MSATL_NATURAL, apply, draw, to_model_input
from covidlib.data.transfer import to_device
from covidlib.waits import waits

NUMBERS = torch.arange(6.0)
WAITING = {
    "reading a value": lambda x: x.sum().item(),
    "a branch on a value": lambda x: bool((x > 1).any()),
    "places that are not zero": lambda x: x.nonzero(),
    "a mask as index": lambda x: x[x > 1],
    "a mask to write at": lambda x: x.clone().__setitem__(x > 1, 0.0),
    "values that differ": lambda x: x.unique(),
}


@pytest.mark.parametrize("step", WAITING.values(), ids=WAITING)
def test_what_needs_a_value_waits(step):
    assert len(waits(lambda: step(NUMBERS), "cpu")) >= 1


def test_arithmetic_and_whole_number_indices_do_not_wait():
    places = torch.tensor([0, 2])

    def step():
        moved = torch.where(NUMBERS > 1, NUMBERS[NUMBERS.long()], 0.0)
        moved[places] = NUMBERS[places]
        return moved.amax()

    assert waits(step, "cpu") == []


def test_the_host_may_look_at_its_own_numbers():
    assert waits(lambda: NUMBERS.sum().item(), "meta") == []


def test_copies_wait_unless_they_are_queued():
    device = torch.device("meta")
    assert waits(lambda: NUMBERS.to(device), device) == ["aten::_to_copy"]
    assert waits(lambda: torch.empty(6, device=device).copy_(NUMBERS), device) == ["aten::copy_"]
    assert waits(lambda: NUMBERS.to(device, non_blocking=True), device) == []
    assert waits(lambda: to_device(NUMBERS, device, torch.float64), device) == []


def test_what_goes_to_the_cpu_is_not_copied():
    assert to_device(NUMBERS, "cpu") is NUMBERS
    assert torch.equal(to_device(NUMBERS.double() / 3, "cpu", torch.float32), NUMBERS / 3)


@pytest.mark.parametrize("preset, channels", [(MAGSD_TABLE2, 1), (MSATL_NATURAL, 3)])
def test_augmentation_and_normalisation_never_wait(preset, channels):
    images = torch.empty(8, channels, 64, 64, dtype=torch.uint8, device="meta")
    draws = draw(preset, 8, (0, 0, 0))
    name = "imagenet" if channels == 3 else "zscore"
    step = lambda: to_model_input(apply(preset, images, draws, size=56), name)  # noqa: E731
    assert step().shape == (8, 3, 56, 56)
    assert waits(step, "meta") == []
