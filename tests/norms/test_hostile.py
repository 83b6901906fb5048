"""Hostile input: what each method makes of constants, single values, extremes, NaN and nothing at all."""

import pytest
import torch
from torch import Tensor, nn

from normlab.config import NormConfig
from normlab.errors import NormlabError
from normlab.norms import METHODS, make_norm
from normlab.norms.properties import conv_and_norm

NAMES = [name for name in METHODS if name != "custom" and METHODS[name].wrap is None]
BATCH = [name for name in NAMES if "samples" in METHODS[name].mixes]


def norm(name: str) -> nn.Module:
    return make_norm(NormConfig(name=name), 16, positions=True).train()


def images(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", [0.0, 1.0, -300.0])
def test_constant_features_give_finite_outputs_and_gradients(name: str, value: float) -> None:
    x = torch.full((4, 16, 3, 3), value, requires_grad=True)
    y = norm(name)(x)
    y.sum().backward()
    assert torch.isfinite(y).all()
    assert torch.isfinite(x.grad).all()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("scale", [1e-20, 1e8])
def test_small_and_large_features_give_finite_outputs(name: str, scale: float) -> None:
    assert torch.isfinite(norm(name)(images(4, 16, 3, 3) * scale)).all()


@pytest.mark.parametrize("name", NAMES)
def test_features_whose_squares_overflow_never_pass_for_normalized_ones(name: str) -> None:
    """At 1e20 squares exceed float32: the output is not finite or has lost its scale, but is no plausible number."""
    y = norm(name)(images(4, 16, 3, 3) * 1e20)
    plausible = torch.isfinite(y).all() and 0.1 < y.std() < 10
    if name in ("none", "dynamic_tanh"):
        return  # no squares
    if plausible:
        reference = norm(name)(images(4, 16, 3, 3) * 1e8)
        torch.testing.assert_close(y, reference, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", NAMES)
def test_a_nan_reaches_what_the_method_mixes_and_nothing_else(name: str) -> None:
    x = images(4, 16, 3, 3)
    x[0, 0, 0, 0] = torch.nan
    module = norm(name)
    broken = ~torch.isfinite(module(x))
    assert broken[0, 0, 0, 0] or name == "frn"
    reached = {
        "samples": bool(broken[1:].any()),
        "channels": bool(broken[0, 1:].any()),
        "positions": bool(broken[0, 0].flatten()[1:].any()),
    }
    mixes = METHODS[name].mixes
    assert reached["samples"] == ("samples" in mixes)
    assert not reached["channels"] or "channels" in mixes
    assert reached["positions"] == ("positions" in mixes)


@pytest.mark.parametrize("name", NAMES)
def test_one_sample_and_one_position(name: str) -> None:
    single = norm(name)(images(1, 16, 4, 4))
    assert torch.isfinite(single).all()
    for shape in ((1, 16), (1, 16, 1, 1)):
        module = norm(name)
        if name in BATCH or METHODS[name].needs_positions:
            with pytest.raises(NormlabError, match="needs more than one"):
                module(images(*shape))
        else:
            assert torch.isfinite(module(images(*shape))).all()


@pytest.mark.parametrize("name", BATCH)
def test_one_sample_is_enough_in_evaluation(name: str) -> None:
    module = norm(name)
    module(images(8, 16, 3, 3))
    y = module.eval()(images(8, 16, 3, 3))
    torch.testing.assert_close(module(images(8, 16, 3, 3)[:1]), y[:1])


@pytest.mark.parametrize("name", NAMES)
def test_an_empty_batch_stays_empty_or_is_refused(name: str) -> None:
    module = norm(name)
    if name in BATCH:
        with pytest.raises(NormlabError, match="needs more than one value a channel"):
            module(torch.empty(0, 16, 3, 3))
        module.eval()
    assert module(torch.empty(0, 16, 3, 3)).shape == (0, 16, 3, 3)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of the compiler itself
@pytest.mark.parametrize("name", [n for n in METHODS if n != "custom"])
def test_compiled_outputs_are_the_same(name: str) -> None:
    torch._dynamo.reset()
    net = nn.Sequential(*conv_and_norm(NormConfig(name=name), torch.Generator().manual_seed(0)))
    x = images(4, 3, 5, 5).double()
    expected = net.eval()(x)
    torch.testing.assert_close(torch.compile(net)(x), expected)
