import pytest

from covidlib.errors import DataError
from covidlib.overheads import Overheads, measure, read, write


def test_increases_are_ratios_within_rounds():
    # The machine slows down fourfold in the middle; only ratios within a round are fair.
    seconds = {"resnet34/none": [1.0, 4.0, 1.0, 1.0], "resnet34/mask": [1.1, 4.4, 1.2, 1.0]}
    found = Overheads(seconds, 64, 4, {})
    low, middle, high = found.increase(("resnet34", "mask"))
    assert middle == pytest.approx(10)
    assert low == pytest.approx(7.5) and high == pytest.approx(12.5)
    assert found.increase(("resnet34", "none")) == (0, 0, 0)


def test_steps_are_timed_by_turns_and_survive_the_file(tmp_path):
    found = measure(32, 2, 1, ["resnet34"])
    assert found.pairs == [("resnet34", "none"), ("resnet34", "mask"), ("resnet34", "cbam")]
    assert all(len(times) == 1 and times[0] > 0 for times in found.seconds.values())
    write(found, tmp_path)
    assert read(tmp_path) == found
    with pytest.raises(DataError, match="missing"):
        read(tmp_path / "elsewhere")
