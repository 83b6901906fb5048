"""Mean-field theory: values known in closed form, and nets wide and deep enough to follow it."""

import math
from collections.abc import Callable

import pytest

from normlab.config import InitConfig, NetConfig, NormConfig, RunConfig
from normlab.data.batches import load_splits
from normlab.errors import NormlabError
from normlab.nets import make_net
from normlab.nets.mean_field import CRITICAL, gradient_growth
from normlab.training.gradients import gradient_flow


def test_growth_known_in_closed_form() -> None:
    assert gradient_growth("none", "relu", 2.0) == pytest.approx(1.0, abs=1e-6)
    assert gradient_growth("none", "relu", 1.0) == pytest.approx(math.sqrt(0.5), abs=1e-6)
    assert gradient_growth("batch", "relu", 2.0) == pytest.approx(math.sqrt(math.pi / (math.pi - 1)), abs=1e-4)


@pytest.mark.parametrize("activation", list(CRITICAL))
def test_at_the_critical_scale_gradients_keep_their_norm_and_below_they_vanish(activation: str) -> None:
    assert gradient_growth("none", activation, CRITICAL[activation]) == pytest.approx(1.0, abs=0.003)
    assert gradient_growth("none", activation, CRITICAL[activation] / 4) < 0.75
    assert gradient_growth("none", activation, CRITICAL[activation] * 4) > 1.15


def test_batch_norm_never_shrinks_gradients_whatever_the_activation() -> None:
    for activation in ("relu", "tanh", "sigmoid"):
        assert gradient_growth("batch", activation, 2.0) > 1
        assert gradient_growth("batch", activation, 1.0) == gradient_growth("batch", activation, 2.0)
    assert gradient_growth("none", "sigmoid", 1.0) < 0.3


def test_what_is_not_written_out_is_refused() -> None:
    with pytest.raises(NormlabError, match="no theory for norm=group"):
        gradient_growth("group", "relu", 2.0)


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid"])
@pytest.mark.parametrize(("scheme", "gain"), [("kaiming", 1.0), ("xavier", 1.0), ("xavier", 2.0), ("xavier", 10.149)])
@pytest.mark.parametrize("norm", ["none", "batch"])
def test_wide_nets_follow_the_theory(
    make_config: Callable[..., RunConfig], norm: str, activation: str, scheme: str, gain: float
) -> None:
    net = NetConfig(
        name="mlp",
        widths=(256,),
        depth=16,
        activation=activation,
        init=InitConfig(scheme=scheme, gain=gain),  # type: ignore[arg-type]
    )
    config = make_config({"data.train_size": 400, "data.batch_size": 256})
    splits = load_splits(config.data, 0)
    found = [
        gradient_flow(make_net(net, NormConfig(name=norm), splits.shape, splits.classes, seed), config, splits)
        for seed in range(3)
    ]
    growth = sum(each["growth"] for each in found) / 3
    weight_variance = gain**2 * {"kaiming": 2.0, "xavier": 1.0}[scheme]
    critical = norm == "none" and weight_variance == pytest.approx(
        CRITICAL[activation], rel=1e-3
    )  # q falls to 0 only as 1/depth, if it does
    assert growth == pytest.approx(gradient_growth(norm, activation, weight_variance), rel=0.1 if critical else 0.06)
