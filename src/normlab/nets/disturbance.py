"""Noise that moves the distribution of a layer's inputs at every step of training, on purpose."""

import torch
from torch import Tensor, nn


class Disturbance(nn.Module):
    """In training y = s·x + m with a random scale and shift a sample and channel; in evaluation y = x.

    At every step each channel draws the centres of its noise anew, m_c and r_c ~ U(−a, a) with a = ``amount``, and each
    sample its own shift m ~ N(m_c, (a/2)²) and scale s ~ N(1 + r_c, (a/2)²). So whatever stands before, even a norm, the next
    layer sees inputs whose mean and variance jump from step to step. With ``moving=False`` every sample draws centres of its
    own: each value sees the same noise, but the distribution over the batch stays where it is.

    It follows Santurkar et al. 2018 ("noisy" batch norm), with distributions of its own. Input (N, C, *).
    """

    def __init__(self, amount: float, moving: bool = True, seed: int = 0) -> None:
        super().__init__()
        self.amount = amount
        self.moving = moving
        self.source = torch.Generator().manual_seed(seed)

    def forward(self, input: Tensor) -> Tensor:
        if not self.training:
            return input
        N, C = input.shape[:2]
        centres = torch.empty(2, 1 if self.moving else N, C).uniform_(-self.amount, self.amount, generator=self.source)
        noise = centres + torch.empty(2, N, C).normal_(0, self.amount / 2, generator=self.source)
        shift, scale = noise.to(input.device).view(2, N, C, *[1] * (input.dim() - 2))
        return input * (1 + scale) + shift

    def extra_repr(self) -> str:
        return f"amount={self.amount:g}, moving={self.moving}"
