import pytest
import torch
from torch import nn

from covidlib.models.cost import Cost, cost, cost_of
from covidlib.models.cxr_classifiers import PAPER_MODELS, CxrClassifierSettings, narrow_stem
from covidlib.published import paper_value

SUFFIX = {"none": "", "mask": "_ma", "cbam": "_cbam"}


@pytest.fixture(scope="module")
def costs():
    return {pair: cost_of(CxrClassifierSettings(*pair)) for pair in PAPER_MODELS}


@pytest.mark.parametrize("pair", PAPER_MODELS, ids="-".join)
def test_table_3_to_the_printed_digit(costs, pair):
    model = pair[0] + SUFFIX[pair[1]]
    parameters = paper_value("manet", 3, "params", model=model)
    flops = paper_value("manet", 3, "flops", model=model)
    assert f"{costs[pair].parameters / 1e6:.2f}" == parameters.printed
    assert f"{costs[pair].operations / 1e6:.2f}" == flops.printed


def test_mask_attention_adds_no_parameters_and_only_pooled_map_elements(costs):
    for backbone in ("resnet34", "resnet50", "vgg16", "inceptionv3"):
        plain, masked = costs[backbone, "none"], costs[backbone, "mask"]
        assert masked.operations - plain.operations == masked.map_pools > 0 == plain.map_pools
        assert masked.parameters == plain.parameters


def test_map_elements_and_products_follow_from_the_layer_sizes(costs):
    stages = [(128, 64), (64, 128), (32, 256), (16, 512)]
    blocks = (3, 4, 6, 3)
    stem = 256**2 + 128**2
    expected = stem + sum(2 * n * side**2 for n, (side, _) in zip(blocks, stages, strict=True))
    assert costs["resnet34", "mask"].map_pools == expected == 226_816
    products = 64 * 256**2 + sum(
        2 * n * c * side**2 for n, (side, c) in zip(blocks, stages, strict=True)
    )
    assert costs["resnet34", "mask"].products == products


@pytest.mark.parametrize(
    "other",
    [
        {"reduction": 8}, {"reduction": 32}, {"channels": 3},
    ],
)  # fmt: skip
def test_other_readings_do_not_fit(other):
    found = cost_of(CxrClassifierSettings("resnet50", "cbam", **other))
    printed = [paper_value("manet", 3, m, model="resnet50_cbam") for m in ("params", "flops")]
    fits = [f"{v / 1e6:.2f}" == p.printed for v, p in
            zip((found.parameters, found.operations), printed, strict=True)]  # fmt: skip
    assert not all(fits)


def test_every_part_of_a_small_network_by_hand():
    network = nn.Sequential(
        nn.Conv2d(2, 3, 3, padding=1), nn.BatchNorm2d(3), nn.AvgPool2d(2), nn.AdaptiveAvgPool2d(1),
        nn.Flatten(), nn.Linear(3, 4),
    )  # fmt: skip
    found = cost(network, torch.zeros(1, 2, 8, 8))
    assert found == Cost(
        parameters=2 * 3 * 9 + 3 + 6 + 12 + 4,
        multiply_adds=64 * 3 * 2 * 9 + 3 * 4,
        biases=64 * 3,
        norms=2 * 64 * 3,
        global_pools=3 * (16 + 1),
        map_pools=16 * 3,
        products=0,
    )
    assert network.training and not any(m._forward_hooks for m in network.modules())


def test_frozen_parameters_are_not_trainable():
    network = nn.Linear(3, 4)
    network.bias.requires_grad_(False)
    assert cost(network, torch.zeros(1, 3)).parameters == 12


def test_a_narrowed_stem_starts_like_one_built_narrow():
    torch.manual_seed(0)
    network = narrow_stem(nn.Sequential(nn.Conv2d(3, 4096, 3)), 1)
    assert network(torch.zeros(1, 1, 8, 8)).shape == (1, 4096, 6, 6)
    for backbone in ("resnet34", "vgg16"):  # Kaiming with fan-out: independent of the channels
        stem = next(
            m
            for m in CxrClassifierSettings(backbone).build(2).modules()
            if isinstance(m, nn.Conv2d)
        )
        expected = (2 / (stem.out_channels * stem.kernel_size[0] ** 2)) ** 0.5
        assert stem.weight.std().item() == pytest.approx(expected, rel=0.1)
    for channels in (0, 4):
        with pytest.raises(ValueError, match=f"takes 1 to 3 channels, not {channels}"):
            narrow_stem(nn.Sequential(nn.Conv2d(3, 2, 3)), channels)


@pytest.mark.parametrize(
    "wrong",
    [{"backbone": "resnet18"}, {"attention": "ma"}, {"borders": "mirror"},
     {"backbone": "vgg16", "attention": "cbam"}],
)  # fmt: skip
def test_unknown_networks_are_refused(wrong):
    with pytest.raises(ValueError, match=r"one of|residual"):
        CxrClassifierSettings(**wrong)


def test_slugs_tell_the_ten_networks_apart():
    slugs = {CxrClassifierSettings(*pair).slug for pair in PAPER_MODELS}
    assert len(slugs) == 10 and {"resnet50", "resnet50-mask", "resnet34-cbam"} <= slugs
