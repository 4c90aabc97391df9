"""CASIA-Net by its counts: reproduction of TAT's appendix A1, to the last weight."""

import pytest
import torch
from torch import nn

from benchbox.costs.op_count import count_module
from benchbox.training.casia_net import CasiaNet, PatchStream, conv_norm_pairs, standardise_images

PATCH = (1, 3, 64, 64)
WEIGHTS = [864, 18_432, 36_864, 73_728, 110_592, 165_888, 221_184, 294_912, 368_640, 460_800]


def test_one_stream_counts():
    found = count_module(PatchStream(), PATCH)
    assert found.params == 1_795_872
    assert found.macs == pytest.approx(309.4e6, rel=1e-3)


def test_layers_in_order():
    layers = [conv for conv, _ in conv_norm_pairs(PatchStream())]
    assert [conv.weight.numel() for conv in layers] == WEIGHTS
    # one input channel, as the source's table counts
    assert sum(WEIGHTS) - 864 * 2 // 3 == 1_751_328


@pytest.mark.parametrize(
    ("bins", "share_eyes", "params"),
    [
        ((133, 133), False, 5_471_210),
        ((133, 133), True, 3_675_338),
        ((72, 98), False, 5_458_826),
        ((72, 98), True, 3_662_954),
    ],
)
def test_three_streams_count(bins, share_eyes, params):
    found = count_module(CasiaNet(sum(bins), share_eyes=share_eyes), PATCH, PATCH, PATCH)
    assert found.params == params
    assert found.macs == pytest.approx(928.3e6, rel=1e-3)


def test_filters():
    """4,320 filters that pruning can choose from; 2,880 with shared eyes."""
    assert sum(conv.out_channels for conv, _ in conv_norm_pairs(CasiaNet(266))) == 4_320
    assert (
        sum(conv.out_channels for conv, _ in conv_norm_pairs(CasiaNet(266, share_eyes=True)))
        == 2_880
    )


def test_every_convolution_is_paired_with_its_own_norm():
    pairs = list(conv_norm_pairs(CasiaNet(10)))
    assert len(pairs) == 30
    assert all(norm.num_features == conv.out_channels for conv, norm in pairs)


def test_conv52_is_not_rectified_and_the_others_are():
    trunk = PatchStream().trunk
    kinds = [type(layer) for layer in trunk]
    assert kinds.count(nn.ReLU) == 9
    assert kinds.count(nn.MaxPool2d) == 4
    assert kinds[-2:] == [nn.Conv2d, nn.BatchNorm2d]


@pytest.mark.parametrize("pools", [2, 3])
def test_fewer_pools_keep_every_weight(pools):
    small = CasiaNet(266, inputs=1, pools=pools)
    assert {k: v.shape for k, v in small.state_dict().items()} == {
        k: v.shape for k, v in CasiaNet(266, inputs=1).state_dict().items()
    }
    assert small(torch.zeros(2, 3, 20, 32)).shape == (2, 266)


def test_a_standardised_network_does_not_see_light_nor_contrast_but_flat_pictures_stay_flat():
    torch.manual_seed(0)
    picture = torch.rand(2, 3, 16, 16) * torch.tensor([0.2, 2.0]).view(2, 1, 1, 1)
    seen = standardise_images(picture)
    assert seen.mean(dim=(1, 2, 3)).tolist() == pytest.approx([0, 0], abs=1e-6)
    spread = picture.std(dim=(1, 2, 3), correction=0)
    assert seen.std(dim=(1, 2, 3), correction=0).tolist() == pytest.approx(
        (spread / (spread + 0.05)).tolist()
    )
    assert standardise_images(torch.full((1, 3, 4, 4), 0.7)).abs().max() < 1e-5
    net = CasiaNet(6, standardise=True).eval()
    with torch.inference_mode():
        plain = net(*(0.5 * picture[1:] for _ in range(3)))
        lit = net(*(picture[1:] - 0.3 for _ in range(3)))
    assert torch.allclose(plain, lit, atol=0.1 * plain.std().item())


def test_the_head_is_linear_in_the_mixed_features():
    """Mixing z is what TAT mixes: the head of a blend is the blend of the heads."""
    net = CasiaNet(6).eval()
    x, y = (tuple(torch.randn(2, 3, 64, 64) for _ in range(3)) for _ in range(2))
    with torch.inference_mode():
        z, other = net.features(*x), net.features(*y)
        assert torch.allclose(
            net.head(0.3 * z + 0.7 * other), 0.3 * net(*x) + 0.7 * net(*y), atol=1e-6
        )
