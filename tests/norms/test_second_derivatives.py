"""Second derivatives of norms: right where norms are, and told where a norm leaves its statistics out of the gradient."""

import pytest
import torch
from torch import Tensor, nn

from normlab.norms import exact


class Detached(nn.Module):
    """A batch norm that takes its statistics for constants."""

    def __init__(self, num_features: int) -> None:
        super().__init__()

    def forward(self, input: Tensor) -> Tensor:
        axes = [0, *range(2, input.dim())]
        mean, variance = input.mean(axes, keepdim=True).detach(), input.var(axes, keepdim=True).detach()
        return (input - mean) / torch.sqrt(variance + 1e-5)


def test_second_derivatives_are_those_of_differences() -> None:
    assert max(exact.second_derivatives().values()) < 1e-6


def test_a_norm_that_leaves_its_statistics_out_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exact, "BatchNorm", Detached)
    found = exact.second_derivatives()
    assert found["meta-gradient, batch norm"] > 0.01
    assert found["meta-gradient, group norm"] < 1e-6
