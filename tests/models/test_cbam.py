import pytest
import torch
import torch.nn.functional as F
from torchvision.models import resnet18, resnet50, vgg11

from covidlib.models.cbam import CBAM, AttendedNorm, add_cbam


def by_formula(module, features):
    """CBAM written out: sigmoid(MLP(mean) + MLP(max)), then sigmoid(conv7([max; mean]))."""
    narrow, wide = module.perceptron[0].weight[:, :, 0, 0], module.perceptron[2].weight[:, :, 0, 0]
    flat = features.flatten(2)
    hidden = sum((narrow @ v.T).relu() for v in (flat.mean(2), flat.max(2).values))  # (H, N)
    weighed = features * (wide @ hidden).T.sigmoid()[:, :, None, None]
    seen = torch.stack([weighed.max(1).values, weighed.mean(1)], 1)
    return weighed * F.conv2d(seen, module.spatial.weight, padding=3).sigmoid()


def test_it_is_the_written_out_formula():
    torch.manual_seed(0)
    module, features = CBAM(32, 8), torch.randn(3, 32, 9, 6)
    torch.testing.assert_close(module(features), by_formula(module, features))


def test_weights_of_zero_halve_twice():
    module, features = CBAM(16, 4), torch.randn(2, 16, 5, 5)
    for parameter in module.parameters():
        torch.nn.init.zeros_(parameter)
    torch.testing.assert_close(module(features), features / 4)


@pytest.mark.parametrize(("channels", "reduction"), [(64, 16), (256, 16), (64, 8)])
def test_parameters_are_two_layers_and_one_kernel(channels, reduction):
    found = sum(p.numel() for p in CBAM(channels, reduction).parameters())
    assert found == 2 * channels * channels // reduction + 2 * 7 * 7


def test_it_stands_at_the_end_of_every_residual_branch_and_names_stay():
    plain = resnet50(num_classes=2)
    names, blocks = set(plain.state_dict()), 16
    network = add_cbam(resnet50(num_classes=2))
    attended = [n for n, m in network.named_modules() if isinstance(m, AttendedNorm)]
    assert len(attended) == blocks and all(name.endswith("bn3") for name in attended)
    assert names < set(network.state_dict())
    missing, unexpected = network.load_state_dict(plain.state_dict(), strict=False)
    assert not unexpected and all(".attention." in name for name in missing)


def test_a_block_weighs_its_branch_and_not_its_shortcut():
    torch.manual_seed(1)
    block = add_cbam(resnet18(num_classes=2)).layer1[0].eval()
    features = torch.randn(2, 64, 8, 8)
    branch = block.conv2(block.relu(block.bn1(block.conv1(features))))
    norm = F.batch_norm(branch, block.bn2.running_mean, block.bn2.running_var)
    expected = (by_formula(block.bn2.attention, norm) + features).relu()
    torch.testing.assert_close(block(features), expected, rtol=1e-3, atol=1e-4)


def test_weights_of_the_replaced_norm_are_kept():
    network = resnet18(num_classes=2)
    network.layer1[0].bn2.running_mean.fill_(3.0)
    assert (add_cbam(network).layer1[0].bn2.running_mean == 3.0).all()


def test_networks_without_residual_blocks_are_refused():
    with pytest.raises(TypeError, match="residual"):
        add_cbam(vgg11())
    with pytest.raises(ValueError, match="reduced"):
        CBAM(8, 16)
