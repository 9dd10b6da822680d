"""What the model card says of a network beside classifiers that see no lung."""

from types import SimpleNamespace

import pytest
from synthetic_predictions import predictions

from covidlib.evaluation.effects import Effect
from covidlib.own_images import card


def gain(value: float, half: float) -> Effect:
    return Effect(value, value - half, value + half, 0.5, 0.1, 1, 1, 100)


@pytest.mark.parametrize(
    ("frame", "size", "better", "named"),
    [
        ((0.10, 0.02), (0.20, 0.05), True, "border"),
        ((0.10, 0.12), (0.20, 0.05), False, "border"),
        # The better floor is beaten, the other one perhaps not: a single wide interval decides.
        ((0.10, 0.02), (0.20, 0.30), False, "how wide and high"),
    ],
)
def test_a_network_is_better_only_if_it_beats_every_floor(monkeypatch, frame, size, better, named):
    found = {"frame": gain(*frame), "size and shape": gain(*size)}
    monkeypatch.setattr(card, "against_floors", lambda record, audit: found)
    said = card.verdict(None, None)
    assert ("better than every classifier" in said) == better
    assert ("not shown that the network uses the lungs" in said) != better
    assert named in said


def test_gains_are_differences_of_areas_and_missing_without_positives():
    table = predictions(120, skill=3.0)
    constant = table.assign(p_covid=0.5, p_healthy=0.5)
    audit = SimpleNamespace(
        inspection=SimpleNamespace(own=SimpleNamespace(positive="covid")),
        findings=SimpleNamespace(runs={"class frequencies": [constant, constant]}),
    )
    (found,) = card.against_floors(SimpleNamespace(test=table), audit).values()
    area = card.score(table, "auc").value
    assert found.value == pytest.approx(area - 0.5) and found.low > 0
    one = table.assign(label="healthy")
    assert card.against_floors(SimpleNamespace(test=one), audit) == {}
    assert card.verdict(SimpleNamespace(test=one), audit) == "The test images cannot decide an AUC."
