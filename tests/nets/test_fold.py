"""Folding batch norm: the same outputs without it where that is exact, a refusal elsewhere."""

import pytest
import torch
from torch import nn

from normlab.config import NetConfig, NormConfig
from normlab.errors import NormlabError
from normlab.nets import make_net
from normlab.nets.fold import fold
from normlab.norms.batch import BatchNorm

SHAPE = (3, 16, 16)
SIZES = {
    "cnn": {"widths": (8, 16), "hidden": 16},
    "mlp": {"widths": (32, 16)},
    "resnet": {"widths": (8, 16, 16), "depth": 8},
}


def trained(name: str, placement: str = "before", affine: bool = True, negative: bool = False) -> nn.Module:
    net = make_net(
        NetConfig(name=name, placement=placement, **SIZES[name]), NormConfig(name="batch", affine=affine), SHAPE, 10, 0
    )
    source = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, BatchNorm) and affine:
                module.weight.uniform_(0.5, 2, generator=source)
                module.bias.normal_(generator=source)
                if negative:
                    module.weight[0] = -1
        for _ in range(3):
            net(torch.randn(16, *SHAPE, generator=source))
    return net


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("negative", [True, False])
@pytest.mark.parametrize("name", list(SIZES))
def test_a_folded_net_gives_the_same_outputs_without_batch_norm(name: str, affine: bool, negative: bool) -> None:
    net = trained(name, affine=affine, negative=negative).double()
    before = {key: value.clone() for key, value in net.state_dict().items()}
    folded = fold(net)
    x = torch.randn(5, *SHAPE, dtype=torch.float64)
    torch.testing.assert_close(folded(x), net.eval()(x))
    assert not [m for m in folded.modules() if isinstance(m, BatchNorm)]
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())


def test_a_pool_in_between_is_exact_for_positive_scales_and_refused_for_others() -> None:
    x = torch.randn(5, *SHAPE, dtype=torch.float64)
    net = trained("cnn", "pre").double()
    torch.testing.assert_close(fold(net)(x), net.eval()(x))
    with pytest.raises(NormlabError, match="cannot be folded"):
        fold(trained("cnn", "pre", negative=True))


@pytest.mark.parametrize(
    ("name", "placement"), [("cnn", "after"), ("mlp", "after"), ("resnet", "after"), ("resnet", "pre")]
)
def test_other_places_are_refused(name: str, placement: str) -> None:
    with pytest.raises(NormlabError, match=r"cannot be folded: it does not follow"):
        fold(trained(name, placement))


@pytest.mark.parametrize("norm", ["none", "group", "layer"])
def test_without_batch_norm_there_is_nothing_to_fold(norm: str) -> None:
    net = make_net(NetConfig(name="cnn", **SIZES["cnn"]), NormConfig(name=norm), SHAPE, 10, 0)
    x = torch.randn(2, *SHAPE)
    torch.testing.assert_close(fold(net)(x), net(x))
