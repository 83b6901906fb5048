"""Cross-iteration batch normalization."""

from collections import deque
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from normlab.errors import NormlabError
from normlab.norms.batch import BatchMomentsNorm
from normlab.norms.channelwise import all_but_channels, need_values, per_channel
from normlab.norms.method import Method


@dataclass(frozen=True)
class Moment:
    """What one iteration left: mean and variance a channel, their slopes in the layer's weight, and that weight."""

    mean: Tensor
    variance: Tensor
    mean_slope: Tensor
    variance_slope: Tensor
    weight: Tensor


class CrossIterationNorm(BatchMomentsNorm):
    """Cross-iteration batch normalization of (N, C, *): statistics of the last ``iterations`` batches.

    The moments of an earlier iteration t−τ were computed with that iteration's weights θ. They are carried to the
    present weights by a first-order Taylor expansion in the weight of the layer before the norm, channel by channel:

        μ_{t−τ}(θ_t) ≈ μ_{t−τ} + ⟨∂μ_{t−τ}/∂θ, θ_t − θ_{t−τ}⟩,   and the same for ν = E[x²]

    μ̄ = mean of the carried μ, σ̄² = mean of max(ν, μ²) over iterations − μ̄². Squares of large means would swallow the variance, so
    this is computed without them: with v the carried ν − μ², σ̄² = mean of max(v, 0) + mean of (μ − μ̄)².
    y = γ·(x − μ̄)/√(σ̄² + ε) + β. Gradients flow
    through the present iteration's moments alone. The history holds numbers, no graph. Running averages, for
    evaluation, follow the present batch.

    The layer is given to :meth:`attach`; a channel of the input must depend on that channel's row of its weight alone,
    as after a convolution or linear layer with or without an activation. Without gradients (recalibration), without
    history (k = 1) and in the first ``burn_in`` steps, when weights move too far for the expansion, this is batch norm.

    Paper: Yao, Cao, Zheng, Huang & Lin 2021.

    Raises:
        NormlabError: for ``iterations`` < 1, and as batch norm does.
    """

    def __init__(
        self,
        num_features: int,
        iterations: int = 4,
        burn_in: int = 0,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = True,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine)
        if burn_in < 0:
            raise NormlabError(f"norm.burn_in={burn_in} is negative")
        if iterations < 1:
            raise NormlabError(f"norm.iterations={iterations}: at least the present iteration counts")
        self.burn_in = burn_in
        self.history: deque[Moment] = deque(maxlen=iterations - 1)
        self._layer: list[nn.Module] = []  # In a list, so that its parameters do not become this norm's.

    def attach(self, layer: nn.Module) -> None:
        """Say whose weight the input depends on."""
        self._layer = [layer]

    def memory(self) -> list[dict[str, Tensor]]:
        """The history as plain data, which belongs to the state of a training but not to its weights."""
        return [dict(vars(moment)) for moment in self.history]

    def remember(self, memory: list[dict[str, Tensor]]) -> None:
        """Go on from a :meth:`memory`."""
        self.history.clear()
        self.history.extend(Moment(**moment) for moment in memory)

    def normalize(self, x: Tensor) -> Tensor:
        weight = self._layer[0].get_parameter("weight") if self._layer else None
        if (
            not self.training
            or not self.track_running_stats
            or weight is None
            or not (torch.is_grad_enabled() and x.requires_grad)
            or self._burning_in()
        ):
            mean, variance = self.moments(x)
        else:
            mean, variance = self._across(x, weight)
        scale = (variance + self.eps).rsqrt()
        return self.scale_and_shift((x - per_channel(mean, x)) * per_channel(scale, x))

    def _burning_in(self) -> bool:
        return self.num_batches_tracked is not None and int(self.num_batches_tracked) < self.burn_in

    def _across(self, x: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        need_values(x, "cross-iteration batch norm")
        variance, mean = torch.var_mean(x, all_but_channels(x), correction=0)
        means, variances = [mean], [variance]
        for past in self.history:
            moved = (weight.detach() - past.weight).flatten(1)
            drift = (past.mean_slope * moved).sum(1)
            means.append(past.mean + drift)
            variances.append((past.variance + (past.variance_slope * moved).sum(1) - drift.square()).clamp_min(0))
        if self.history.maxlen:
            mean_slope, variance_slope = (
                torch.autograd.grad(m.sum(), weight, retain_graph=True)[0].flatten(1) for m in (mean, variance)
            )
            self.history.appendleft(
                Moment(mean.detach(), variance.detach(), mean_slope, variance_slope, weight.detach().clone())
            )
        self.follow(mean.detach(), variance.detach(), x[:, 0].numel())
        mean = torch.stack(means).mean(0)
        apart = (torch.stack(means) - mean).square().mean(0)
        return mean, torch.stack(variances).mean(0) + apart


def build(num_features: int, **options: object) -> nn.Module:
    """A :class:`CrossIterationNorm`."""
    return CrossIterationNorm(num_features, **options)  # type: ignore[arg-type]


METHOD = Method(
    "cross_iteration",
    "cross-iteration BN",
    build,
    version=1,
    mixes=("samples", "positions"),
    running=("running_mean", "running_var"),
    remembers=True,
    colour="#08306B",
    title_ja="反復間バッチ正規化",
    does="Takes the statistics over this batch and the ones before it, carried over to the present weights.",
    does_ja="今のバッチと直前のいくつかのバッチの統計量を、現在の重みに換算して合わせて使う。",
    also=("CBN", "CrossIterationBN", "Cross-Iteration Batch Normalization"),
)
CrossIterationNorm.METHOD = METHOD
