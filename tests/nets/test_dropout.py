"""Dropout before the head: its masks, their seeds, and what evaluation sees."""

from collections.abc import Callable

import pytest
import torch

from normlab.config import NetConfig, NormConfig, RunConfig
from normlab.nets import NETS, make_net
from normlab.nets.dropout import SeededDropout
from normlab.tasks import train


def test_it_keeps_the_expected_share_and_scales_it() -> None:
    layer = SeededDropout(0.3).train()
    y = layer(torch.ones(1000, 100))
    assert y.unique().tolist() == pytest.approx([0.0, 1 / 0.7])
    assert (y != 0).float().mean().item() == pytest.approx(0.7, abs=0.01)
    assert y.mean().item() == pytest.approx(1.0, abs=0.01)


def test_evaluation_changes_nothing() -> None:
    x = torch.randn(5, 3)
    assert torch.equal(SeededDropout(0.5).eval()(x), x)


def test_masks_follow_from_the_seed_and_not_from_the_process(make_config: Callable[..., RunConfig]) -> None:
    config = make_config(**{"net.dropout": 0.5})
    first = train(config)
    torch.manual_seed(123)
    torch.rand(7)
    again = train(config)
    assert first.history == again.history
    assert train(make_config(**{"net.dropout": 0.0})).history != first.history


@pytest.mark.parametrize("name", [name for name in NETS if name != "custom"])
def test_every_net_has_it_before_its_head(name: str) -> None:
    of_sequences = name in ("lstm", "gru", "vit")
    widths = (8,) if of_sequences else (4, 4, 8)
    placement = "pre" if name == "vit" else "before"
    config = NetConfig(name=name, widths=widths, depth=8 if "resnet" in name else 1, dropout=0.5, placement=placement)
    built = make_net(config, NormConfig(name="none"), (1, 1, 8) if name == "fcn" else (1, 8, 8), 10, seed=0)
    if of_sequences:
        built = built.get_submodule("head")
    assert [isinstance(m, SeededDropout) for m in built.children()][-2:] == [True, False]
