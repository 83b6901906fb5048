"""Group normalization."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from normlab.errors import NormlabError
from normlab.norms.method import Method


class GroupNorm(nn.GroupNorm):
    """Group normalization of (N, C, *): each sample by itself, over groups of C/num_groups channels and all positions.

    y = γ_c·(x − μ_ng) / √(σ²_ng + ε) + β_c. ``num_groups=1`` is layer norm on conv maps, ``num_groups=C`` instance norm.
    torch.nn.GroupNorm, with statistics in float32 for half-precision inputs.

    Paper: Wu & He 2018.

    Raises:
        NormlabError: if ``num_groups`` does not divide ``num_features``.
    """

    def __init__(self, num_features: int, num_groups: int = 8, eps: float = 1e-5, affine: bool = True) -> None:
        if num_features % num_groups:
            raise NormlabError(
                f"norm.num_groups={num_groups} does not divide {num_features} channels; "
                "choose a divisor of every width of the net"
            )
        super().__init__(num_groups, num_features, eps=eps, affine=affine)

    def forward(self, input: Tensor) -> Tensor:
        half = input.dtype in (torch.float16, torch.bfloat16)
        output = F.group_norm(input.float() if half else input, self.num_groups, self.weight, self.bias, self.eps)
        return output.to(input.dtype)


def build(num_features: int, **options: object) -> nn.Module:
    """A :class:`GroupNorm`."""
    return GroupNorm(num_features, **options)  # type: ignore[arg-type]


METHOD = Method("group", "group norm", build, version=1, mixes=("channels", "positions"))
