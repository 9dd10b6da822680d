from dataclasses import replace
from types import SimpleNamespace

import matplotlib.pyplot as plt
import pandas as pd
import pytest
import torch

from covidlib.pages import magsd_start
from covidlib.pages.results import NOT_YET, Results
from covidlib.paths import RESULTS
from covidlib.plans import plan
from covidlib.runs.recorded import recorded


def record(first, size=64):
    body = {"spec": {"training": {"size": size}}}
    return SimpleNamespace(body=body, curve=pd.DataFrame({"epoch": [0, 1], "loss": [first, 0.5]}))


@pytest.fixture
def runs(tmp_path):
    chosen = plan("magsd/architectures", "smoke", phantoms=True)
    known = {"A: MAG-SD": [record(10.2), record(26.1)], "A: VGG16": [record(3.0)]}
    done = {"A: ResNet50": [record(0.8)]}
    return Results(chosen, done, known, tmp_path)


RATES = pd.DataFrame(
    {"features": [2048, 65536, 65536, 262144], "times": [0.3, 6.7, 1.1, 1e-4]},
    index=list(magsd_start.NETWORKS),
)


def test_sentences_tell_the_first_epoch_of_all_folds_and_the_grid(runs):
    told = magsd_start.sentences(runs, RATES)
    assert (told["first_magsd"], told["first_plain"]) == ("10 to 26", NOT_YET)
    assert (told["features_ratio"], told["times_released"]) == (32, 1.1)
    assert (told["recorded_size"], told["recorded_grid"]) == ("64 pixels", "2×2")
    large = Results(runs.chosen, {}, {"A: MAG-SD": [record(1.0, 224)]}, runs.folder)
    assert magsd_start.sentences(large, RATES)["recorded_grid"] == "7×7"
    both = magsd_start.grid([record(1.0, 224), record(1.0), record(2.0)])
    assert both == {"recorded_size": "64 and 224 pixels", "recorded_grid": "2×2 and 7×7"}


def test_what_scaled_features_change_is_told_from_the_records(tmp_path):
    nothing = {"first_scaled": NOT_YET, "scaled": NOT_YET}
    page = SimpleNamespace(profile="smoke", phantom=True, recorded=tmp_path)
    assert magsd_start.scaled(page) == nothing
    known = recorded("magsd/released_code", RESULTS)
    before, after = known["A: as in the paper"], known["A: features"]
    assert len(before) == len(after) == 5
    gap = sum(r.metrics["accuracy"] for r in after) - sum(r.metrics["accuracy"] for r in before)
    page.recorded = RESULTS
    told = magsd_start.scaled(page)
    assert told["scaled"].startswith(f"{gap / 5:+.3f} [")
    first = sorted(record.curve["loss"].iloc[0] for record in after)
    assert told["first_scaled"] == f"{first[0]:.2g} to {first[-1]:.2g}"


def test_recorded_curves_of_the_compared_networks_alone_are_drawn(runs):
    fig, (left, right) = plt.subplots(1, 2)
    assert not magsd_start.draw(left, runs)
    names = [text.get_text() for text in left.get_legend().get_texts()]
    assert names == ["MAG-SD (n=2)"] and left.get_yscale() == "log"
    assert magsd_start.draw(right, Results(runs.chosen, runs.done, {}, runs.folder))
    assert [text.get_text() for text in right.get_legend().get_texts()] == ["ResNet50 (n=1)"]
    plt.close(fig)


def test_what_the_classifier_sees_is_what_it_multiplies():
    network = torch.nn.Sequential()
    network.classifier = torch.nn.Linear(4, 2)
    network.forward = lambda images: network.classifier(images.mean((2, 3)))
    images = torch.rand(3, 4, 2, 2)
    torch.testing.assert_close(magsd_start.classified(network, images), images.mean((2, 3)))


def test_the_paper_s_rate_is_beyond_the_limit_with_plain_features_alone():
    small = {
        name: replace(settings, backbone="resnet18")
        for name, settings in magsd_start.NETWORKS.items()
        if name != magsd_start.BILINEAR
    }
    small[magsd_start.BILINEAR] = magsd_start.NETWORKS[magsd_start.BILINEAR]
    torch.manual_seed(0)
    found = magsd_start.measured(small, torch.randn(6, 3, 48, 48), classes=2, momentum=0.9)
    assert found["features"].tolist() == [512, 32 * 512, 32 * 512, 512 * 512]
    assert found.loc["MAG-SD", "times"] > 1 > found.loc["ResNet50", "times"]
    assert found["squared length"].tolist()[2:] == pytest.approx([1e4, 1], rel=1e-4)
    # Features of length 1 and a bias: λ is at most 2 / K.
    assert found.loc["BCNN", "largest stable rate"] >= 3.8 - 1e-6
    assert (found["times"] * found["largest stable rate"]).tolist() == pytest.approx([1e-3] * 4)
