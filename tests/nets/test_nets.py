"""Nets: orders of placement, biases, shared initial weights, and what does not fit."""

import pytest
import torch
from torch import nn

from normlab.config import InitConfig, NetConfig, NormConfig
from normlab.errors import NormlabError
from normlab.nets import NETS, make_net
from normlab.nets.init import draw, initialize
from normlab.norms import METHODS

SHAPE = (3, 16, 16)
SERIES = (2, 1, 16)


def net(norm: str = "batch", name: str = "cnn", seed: int = 0, **options: object) -> nn.Module:
    widths = {"cnn": (8, 16), "mlp": (32, 32), "resnet": (8, 16, 32), "linear": (), "fcn": (8, 16, 8)}[name]
    base = {
        "name": name,
        "widths": widths,
        "depth": 8 if name == "resnet" else 1,
        "hidden": 16 if name == "cnn" else None,
    }
    norm_options = {"num_groups": 4} if norm == "group" else {}
    shape = SERIES if name == "fcn" else SHAPE
    return make_net(NetConfig(**base | options), NormConfig(name=norm, **norm_options), shape, 10, seed)


def kinds(module: nn.Module) -> list[str]:
    return [type(m).__name__ for m in module.modules() if not list(m.children()) and not isinstance(m, nn.Identity)]


@pytest.mark.parametrize(
    ("placement", "order"),
    [
        ("before", ["Conv2d", "BatchNorm", "MaxPool2d", "ReLU", "Conv2d", "BatchNorm", "ReLU"]),
        ("after", ["Conv2d", "ReLU", "BatchNorm", "MaxPool2d", "Conv2d", "ReLU", "BatchNorm"]),
        ("pre", ["Conv2d", "MaxPool2d", "BatchNorm", "ReLU", "Conv2d", "BatchNorm", "ReLU"]),
    ],
)
def test_placement_orders_the_plain_net(placement: str, order: list[str]) -> None:
    assert kinds(net(placement=placement))[:7] == order


@pytest.mark.parametrize("norm", ["none", "batch", "group"])
def test_pooling_before_the_relu_is_pooling_after_it_bit_for_bit(norm: str) -> None:
    fast, plain = net(norm), net(norm)
    stage = plain[0]
    stage[2], stage[3] = stage[3], stage[2]
    assert isinstance(stage[2], nn.ReLU)
    assert isinstance(stage[3], nn.MaxPool2d)
    x = torch.randn(8, *SHAPE).round()  # rounded, so that windows have ties
    outputs = [n(x) for n in (fast, plain)]
    assert torch.equal(*outputs)
    for output in outputs:
        output.square().sum().backward()
    for a, b in zip(fast.parameters(), plain.parameters(), strict=True):
        assert torch.equal(a.grad, b.grad)


@pytest.mark.parametrize(
    ("placement", "order"),
    [
        ("before", ["Conv2d", "BatchNorm", "ReLU", "Conv2d", "BatchNorm"]),
        ("after", ["Conv2d", "ReLU", "BatchNorm", "Conv2d", "ReLU", "BatchNorm"]),
        ("pre", ["BatchNorm", "ReLU", "Conv2d", "BatchNorm", "ReLU", "Conv2d"]),
    ],
)
def test_placement_orders_the_residual_branch(placement: str, order: list[str]) -> None:
    block = next(m for m in net(name="resnet", placement=placement).modules() if hasattr(m, "branch"))
    assert kinds(block.branch) == order


OF_THEIR_OWN = ("resnet_fixup", "resnet_scaled_ws", "custom", "lstm", "gru", "vit")  # have tests of their own


@pytest.mark.parametrize("name", [n for n in NETS if n not in OF_THEIR_OWN])
@pytest.mark.parametrize("norm", [n for n in METHODS if n != "custom"])
@pytest.mark.parametrize("placement", ["before", "after", "pre"])
def test_every_norm_in_every_net_learns_from_every_parameter(name: str, norm: str, placement: str) -> None:
    if name == "mlp" and METHODS[norm].needs_positions:
        with pytest.raises(NormlabError, match="one value a channel"):
            net(norm, name)
        return
    if name == "linear" and norm != "none":
        with pytest.raises(NormlabError, match="no layer that a norm could stand behind"):
            net(norm, name)
        return
    built = net(norm, name, placement=placement)
    output = built(torch.randn(4, *(SERIES if name == "fcn" else SHAPE)))
    assert output.shape == (4, 10)
    output.square().sum().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in built.parameters())


def test_a_bias_stands_only_where_no_shift_follows() -> None:
    convs = lambda n: [m.bias is not None for m in n.modules() if isinstance(m, nn.Conv2d)]  # noqa: E731
    assert convs(net("none")) == [True, True]
    assert convs(net("batch")) == [False, False]
    assert convs(net("batch", placement="after")) == [True, True]
    assert convs(net("batch", norm_in="fc")) == [True, True]


def test_norms_stand_where_norm_in_says() -> None:
    def normed(norm_in: str) -> list[int]:
        return [m.num_features for m in net(norm_in=norm_in).modules() if type(m).__name__ == "BatchNorm"]

    assert normed("both") == [8, 16, 16]
    assert normed("conv") == [8, 16]
    assert normed("fc") == [16]


def test_arms_share_initial_weights_and_seeds_differ() -> None:
    def weights(norm: str, seed: int) -> list[torch.Tensor]:
        return [m.weight for m in net(norm, seed=seed).modules() if isinstance(m, nn.Conv2d | nn.Linear)]

    for a, b in zip(weights("none", 0), weights("batch", 0), strict=True):
        assert torch.equal(a, b)
    assert not torch.equal(weights("none", 0)[0], weights("none", 1)[0])


@pytest.mark.parametrize(
    ("scheme", "std"),
    [("kaiming", (2 / 512) ** 0.5), ("xavier", (2 / 1536) ** 0.5), ("normal", 0.01), ("uniform", 0.1 / 3**0.5)],
)
def test_initial_spread_is_the_schemes_times_the_gain(scheme: str, std: float) -> None:
    weight = torch.empty(1024, 512)
    draw(weight, InitConfig(scheme=scheme, gain=2.0), 0, 0)
    assert weight.std().item() == pytest.approx(2 * std, rel=0.02)


def test_orthogonal_rows() -> None:
    weight = torch.empty(32, 64)
    draw(weight, InitConfig(scheme="orthogonal"), 0, 0)
    torch.testing.assert_close(weight @ weight.T, torch.eye(32), atol=1e-5, rtol=0)


def test_what_does_not_fit_is_refused_in_words() -> None:
    with pytest.raises(NormlabError, match="too many poolings"):
        net(widths=(8,) * 6)
    with pytest.raises(NormlabError, match="6n\\+2"):
        net(name="resnet", depth=9)
    with pytest.raises(NormlabError, match="unknown net"):
        make_net(NetConfig(name="vgg", widths=(8,)), NormConfig(name="none"), SHAPE, 10, 0)
    with pytest.raises(NormlabError, match="unknown norm"):
        net("bacth")


def test_gamma_and_beta_start_where_they_are_told() -> None:
    options = NormConfig(name="batch", weight_init=0.1, bias_init=-1.0)
    built = make_net(NetConfig(name="cnn", widths=(8,), hidden=8), options, SHAPE, 10, seed=0)
    norms = [m for m in built.modules() if type(m).__name__ == "BatchNorm"]
    assert norms
    assert all((m.weight == 0.1).all() and (m.bias == -1).all() for m in norms)
    with pytest.raises(NormlabError, match=r"norm\.weight_init: norm=batch as configured has no weight"):
        make_net(
            NetConfig(name="cnn", widths=(8,)), NormConfig(name="batch", affine=False, weight_init=1.0), SHAPE, 10, 0
        )


def test_zero_init_residual_lets_every_block_start_as_its_skip() -> None:
    built = net(name="resnet", zero_init_residual=True, widths=(8, 8, 8))
    x = torch.randn(4, 8, 8, 8).relu()
    blocks = [m for m in built.children() if type(m).__name__ == "ResidualBlock"]
    assert len(blocks) == 3
    assert torch.equal(blocks[0](x), x)


@pytest.mark.parametrize(
    "options", [{"name": "cnn"}, {"name": "resnet", "placement": "pre"}, {"name": "resnet", "norm": "none"}]
)
def test_zero_init_residual_is_refused_where_no_branch_ends_in_a_gamma(options: dict[str, str]) -> None:
    with pytest.raises(NormlabError, match="zero_init_residual"):
        net(**options, zero_init_residual=True)  # type: ignore[arg-type]


def test_a_deep_mlp_has_depth_layers_of_each_width() -> None:
    built = net(name="mlp", widths=(32, 16), depth=3)
    assert [m.out_features for m in built.modules() if isinstance(m, nn.Linear)] == [32] * 3 + [16] * 3 + [10]


def test_a_flatten_head_pools_after_every_stage_and_keeps_places() -> None:
    built = net(head="flatten", hidden=16)
    assert kinds(built) == [
        *("Conv2d", "BatchNorm", "MaxPool2d", "ReLU") * 2, "Flatten", "Linear", "BatchNorm", "ReLU", "Linear"
    ]  # fmt: skip
    linear = next(m for m in built.modules() if isinstance(m, nn.Linear))
    assert linear.in_features == 16 * 4 * 4
    x = torch.randn(4, *SHAPE)
    built.eval()
    assert built(x).shape == (4, 10)
    assert not torch.allclose(built(x), built(x.roll(8, 3)))  # an average would hardly see it
    with pytest.raises(NormlabError, match="too many poolings"):
        net(head="flatten", widths=(4,) * 5)
    with pytest.raises(ValueError, match=r"net\.head=flatten is a choice of net=cnn"):
        net(name="mlp", head="flatten")


@pytest.mark.parametrize(("depth", "convolutions"), [((4, 5, 5), 14), ((11, 11, 12), 34), (2, 6)])
def test_depth_may_differ_by_stage(depth: object, convolutions: int) -> None:
    built = net(widths=(4, 4, 8), depth=depth, head="flatten", hidden=None)
    assert kinds(built).count("Conv2d") == convolutions
    assert built(torch.randn(2, *SHAPE)).shape == (2, 10)


def test_depths_are_one_a_stage_of_a_plain_net() -> None:
    for name, depth in (("cnn", (1, 2, 3)), ("resnet", (8, 8, 8))):
        with pytest.raises(ValueError, match="only net=cnn takes a depth a stage"):
            net(name=name, depth=depth)


def test_a_norm_that_cannot_stand_in_a_layer_is_left_out_only_where_both_says_so() -> None:
    assert kinds(net("instance", norm_in="both")).count("InstanceNorm") == 2
    for where in ("all", "fc"):
        with pytest.raises(NormlabError, match="one value a channel in a fully connected layer"):
            net("instance", norm_in=where)
    assert kinds(net("batch", norm_in="all")) == kinds(net("batch", norm_in="both"))


def test_the_start_of_convolutions_leaves_linear_layers_as_ever() -> None:
    usual, far_off = net(), net()
    initialize(far_off, InitConfig(scheme="orthogonal", gain=10.0, layers="conv"), 0)
    pairs = [
        (module, module.weight, other.weight)
        for module, other in zip(usual.modules(), far_off.modules(), strict=True)
        if isinstance(module, nn.Conv2d | nn.Linear)
    ]
    assert len({type(module) for module, *_ in pairs}) == 2
    for module, weight, other in pairs:
        assert torch.equal(weight, other) == isinstance(module, nn.Linear)
