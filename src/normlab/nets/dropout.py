"""Dropout whose masks follow from the run's seed and from nothing else."""

import torch
from torch import Tensor, nn


class SeededDropout(nn.Module):
    """In training y = x·m / (1 − p) with independent m ~ Bernoulli(1 − p); in evaluation y = x.

    Unlike ``nn.Dropout`` it draws from a generator of its own, so that a run's masks do not depend on what its process
    did before, and two arms with one seed drop the same units.

    Paper: Srivastava et al. 2014.
    """

    def __init__(self, p: float, seed: int = 0) -> None:
        super().__init__()
        self.p = p
        self.source = torch.Generator().manual_seed(seed)

    def forward(self, input: Tensor) -> Tensor:
        if not self.training:
            return input
        kept = torch.empty(input.shape).bernoulli_(1 - self.p, generator=self.source).to(input.device)
        return input * kept / (1 - self.p)

    def extra_repr(self) -> str:
        return f"p={self.p:g}"
