"""Mean-field theory: values known in closed form, and nets wide and deep enough to follow it."""

import math
from collections.abc import Callable

import pytest

from normlab.config import InitConfig, NetConfig, NormConfig, RunConfig
from normlab.data.batches import load_splits
from normlab.errors import NormlabError
from normlab.nets import make_net
from normlab.nets.mean_field import gradient_growth
from normlab.training.gradients import gradient_flow


def test_growth_known_in_closed_form() -> None:
    assert gradient_growth("none", "relu", "kaiming") == pytest.approx(1.0, abs=1e-6)
    assert gradient_growth("none", "relu", "xavier") == pytest.approx(math.sqrt(0.5), abs=1e-6)
    assert gradient_growth("batch", "relu", "kaiming") == pytest.approx(math.sqrt(math.pi / (math.pi - 1)), abs=1e-4)


def test_batch_norm_never_shrinks_gradients_whatever_the_activation() -> None:
    for activation in ("relu", "tanh", "sigmoid"):
        assert gradient_growth("batch", activation, "kaiming") > 1
        assert gradient_growth("batch", activation, "xavier") == gradient_growth("batch", activation, "kaiming")
    assert gradient_growth("none", "sigmoid", "xavier") < 0.3


def test_what_is_not_written_out_is_refused() -> None:
    with pytest.raises(NormlabError, match="no theory for norm=group"):
        gradient_growth("group", "relu", "kaiming")


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid"])
@pytest.mark.parametrize("scheme", ["kaiming", "xavier"])
@pytest.mark.parametrize("norm", ["none", "batch"])
def test_wide_nets_follow_the_theory(
    make_config: Callable[..., RunConfig], norm: str, activation: str, scheme: str
) -> None:
    net = NetConfig(
        name="mlp",
        widths=(256,),
        depth=16,
        activation=activation,
        init=InitConfig(scheme=scheme),  # type: ignore[arg-type]
    )
    config = make_config({"data.train_size": 400, "data.batch_size": 256})
    splits = load_splits(config.data, 0)
    found = [
        gradient_flow(make_net(net, NormConfig(name=norm), splits.shape, splits.classes, seed), config, splits)
        for seed in range(3)
    ]
    growth = sum(each["growth"] for each in found) / 3
    critical = (norm, activation, scheme) == ("none", "tanh", "xavier")  # q falls to 0 only as 1/depth
    assert growth == pytest.approx(gradient_growth(norm, activation, scheme), rel=0.1 if critical else 0.06)
