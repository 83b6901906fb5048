"""Transformers: PyTorch's own with layer norm, and what other norms see of tokens."""

import pytest
import torch
from torch import Tensor, nn

from normlab.config import NetConfig, NormConfig
from normlab.errors import NormlabError
from normlab.nets import make_net
from normlab.nets.block import Parts
from normlab.nets.transformer import HEADS, WIDER, Encoder, TokenNorm

D, T = 16, 9


def net(placement: str = "pre", depth: int = 2, width: int = D) -> NetConfig:
    init = {"scheme": "xavier"}
    return NetConfig(
        name="vit", widths=(width,), depth=depth, placement=placement, norm_in="fc", activation="gelu", init=init
    )


def encoder(norm: str, placement: str = "pre", causal: bool = False) -> Encoder:
    torch.manual_seed(0)
    return Encoder(Parts(net(placement), NormConfig(name=norm)), D, causal)


@pytest.fixture
def tokens() -> Tensor:
    return torch.randn(5, T, D, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("placement", ["pre", "after"])
def test_with_layer_norm_it_is_pytorchs_own(placement: str, tokens: Tensor) -> None:
    made = encoder("layer", placement)
    x = tokens
    for layer in range(2):
        own = nn.TransformerEncoderLayer(
            D, HEADS, WIDER * D, dropout=0.0, activation="gelu", batch_first=True, norm_first=placement == "pre"
        )
        attention, perceptron = made.branches[2 * layer : 2 * layer + 2]
        own.self_attn.in_proj_weight.data, own.self_attn.in_proj_bias.data = (
            attention.reads.weight.data,
            attention.reads.bias.data,
        )
        own.self_attn.out_proj.load_state_dict(attention.writes.state_dict())
        own.linear1.load_state_dict(perceptron[0].state_dict())
        own.linear2.load_state_dict(perceptron[2].state_dict())
        x = own(x)
    if placement == "pre":
        x = nn.functional.layer_norm(x, (D,))
    torch.testing.assert_close(made(tokens), x, atol=1e-5, rtol=1e-4)


def test_batch_norm_takes_statistics_of_a_feature_over_all_tokens(tokens: Tensor) -> None:
    norm = TokenNorm(Parts(net(), NormConfig(name="batch")), D)
    found = norm(tokens * 3 + 7)
    torch.testing.assert_close(found.mean((0, 1)), torch.zeros(D), atol=1e-5, rtol=0)
    torch.testing.assert_close(found.var((0, 1), correction=0), torch.ones(D), atol=1e-3, rtol=0)


@pytest.mark.parametrize(
    ("norm", "mixes"), [("layer", False), ("rms", False), ("dynamic_tanh", False), ("batch", True)]
)
def test_a_sample_sees_others_where_its_norm_does(norm: str, mixes: bool, tokens: Tensor) -> None:
    made, others = encoder(norm), tokens.clone()
    others[1:] += 1.0 + torch.randn(4, T, D)
    apart = (made(tokens)[0] - made(others)[0]).abs().max()
    assert (apart > 1e-3) == mixes


@pytest.mark.parametrize("norm", ["none", "layer"])
def test_a_causal_token_sees_no_later_one(norm: str, tokens: Tensor) -> None:
    made, later = encoder(norm, causal=True), tokens.clone()
    later[:, 5:] = 0.0
    torch.testing.assert_close(made(tokens)[:, :5], made(later)[:, :5])
    assert not torch.allclose(encoder(norm)(tokens)[:, :5], encoder(norm)(later)[:, :5])


def test_there_is_a_norm_a_branch_and_in_front_one_more_at_the_end() -> None:
    assert len(encoder("layer", "after").norms) == 4
    assert len(encoder("layer", "pre").norms) == 5


def test_images_become_tokens_of_sixteen_pixels() -> None:
    made = make_net(net(), NormConfig(name="layer"), (3, 32, 32), 10, seed=0)
    assert made(torch.randn(2, 3, 32, 32)).shape == (2, 10)
    assert made.positions.shape == (1, 64, D)
    same = make_net(net(), NormConfig(name="batch"), (3, 32, 32), 10, seed=0)
    assert torch.equal(made.positions, same.positions)
    assert torch.equal(made.encoder.branches[0].reads.weight, same.encoder.branches[0].reads.weight)


def test_tokens_are_no_samples_to_share_statistics_in_small_groups() -> None:
    with pytest.raises(NormlabError, match="see tokens, not samples"):
        make_net(net(), NormConfig(name="batch", statistics_batch=2), (1, 8, 8), 10, seed=0)


def test_weight_norm_wraps_the_layers_of_branches() -> None:
    made = make_net(net(depth=1), NormConfig(name="weight"), (1, 8, 8), 10, seed=0)
    wrapped = [name for name, module in made.named_modules() if nn.utils.parametrize.is_parametrized(module)]
    assert len(wrapped) == 4


@pytest.mark.parametrize(
    ("config", "norm", "shape", "message"),
    [
        (net("before"), "layer", (1, 8, 8), "net.placement=pre or after"),
        (net(width=10), "layer", (1, 8, 8), "a width of a multiple of 4"),
        (net(), "layer", (1, 10, 10), "whose sides are multiples of 4"),
        (net(), "instance", (1, 8, 8), "one value a channel"),
        (net(), "cross_iteration", (1, 8, 8), "follows the layer that it watches"),
    ],
)
def test_what_does_not_fit_is_refused(config: NetConfig, norm: str, shape: tuple[int, int, int], message: str) -> None:
    with pytest.raises(NormlabError, match=message):
        make_net(config, NormConfig(name=norm), shape, 10, seed=0)
