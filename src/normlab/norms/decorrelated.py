"""Decorrelated batch normalization, and iterative normalization as its cheap form."""

import torch
from torch import Tensor, nn

from normlab.errors import NormlabError
from normlab.norms.batch import BatchMomentsNorm
from normlab.norms.channelwise import laid_out_like, need_values
from normlab.norms.method import Method


class DecorrelatedNorm(BatchMomentsNorm):
    """Decorrelated batch normalization of (N, C, *): ZCA whitening of groups of channels over batch and positions.

    y_g = γ·Σ_g^(−1/2)·(x_g − μ_g) + β with Σ_g = the biased covariance of a group's channels plus ε on its diagonal. The
    root comes from an eigendecomposition, through which gradients flow (the paper's ZCA; :class:`IterNorm` replaces it
    by Newton's iteration). Evaluation uses running averages of μ and of Σ^(−1/2).

    The gradient of an eigendecomposition divides by differences of eigenvalues. It is written here without them:
    with Σ = U·diag(λ)·Uᵀ, the derivative of λ_i^(−1/2) over pairs is −1/(√λ_i·√λ_j·(√λ_i + √λ_j)), which is finite for
    equal eigenvalues.

    Paper: Huang, Yang, Lang & Deng 2018.

    Raises:
        NormlabError: if ``group_size`` does not divide ``num_features``; in training, for a single value a channel.
    """

    running_whitening: Tensor

    def __init__(
        self, num_features: int, group_size: int = 16, eps: float = 1e-3, momentum: float = 0.1, affine: bool = True
    ) -> None:
        super().__init__(num_features, eps, momentum, affine)
        if group_size < 1:
            raise NormlabError(f"norm.group_size={group_size}: a group has at least one channel")
        self.group_size = min(group_size, num_features)
        if num_features % self.group_size:
            raise NormlabError(
                f"norm.group_size={group_size} does not divide {num_features} channels; "
                "choose a divisor of every width of the net"
            )
        groups = num_features // self.group_size
        self.register_buffer("running_whitening", torch.eye(self.group_size).repeat(groups, 1, 1))

    def normalize(self, x: Tensor) -> Tensor:
        groups, size = self.num_features // self.group_size, self.group_size
        if self.training:
            need_values(x, type(self).__name__)
            mean, centred, covariance = self._covariance(x)
            whitening = self.inverse_root(covariance)
            variance = covariance.detach().diagonal(dim1=1, dim2=2).flatten() - self.eps
            self.follow(mean.detach().flatten(), variance, x[:, 0].numel())
            if self.track_running_stats:
                share = 1.0 / float(self.num_batches_tracked or 1) if self.momentum is None else self.momentum
                self.running_whitening.lerp_(whitening.detach().to(self.running_whitening.dtype), share)
        else:
            assert self.running_mean is not None
            flat = x.transpose(0, 1).reshape(groups, size, -1)
            centred = flat - self.running_mean.view(groups, size, 1)
            whitening = self.running_whitening.to(x.dtype)
        y = (whitening @ centred).view(self.num_features, x.shape[0], *x.shape[2:]).transpose(0, 1)
        return laid_out_like(x, self.scale_and_shift(y))

    def _covariance(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Of every group of channels: mean (groups, size, 1), centred values (groups, size, values), Σ with ε (groups, size, size)."""
        groups, size, values = self.num_features // self.group_size, self.group_size, x[:, 0].numel()
        flat = x.transpose(0, 1).reshape(groups, size, values)
        mean = flat.mean(2, keepdim=True)
        centred = flat - mean
        covariance = centred @ centred.transpose(1, 2) / values
        return mean, centred, covariance + self.eps * torch.eye(size, dtype=x.dtype, device=x.device)

    def statistics(self, x: Tensor) -> dict[str, Tensor]:
        """What a batch gives to the running whitening."""
        return {"running_whitening": self.inverse_root(self._covariance(x)[2])}

    def inverse_root(self, covariance: Tensor) -> Tensor:
        """Σ^(−1/2) of (groups, size, size) positive definite matrices."""
        return _InverseRoot.apply(covariance)


class _InverseRoot(torch.autograd.Function):
    """Σ^(−1/2) and its derivative, without dividing by differences of eigenvalues."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, matrix: Tensor) -> Tensor:
        ctx.save_for_backward(matrix)
        root, vectors = _roots(matrix)
        return (vectors / root.unsqueeze(-2)) @ vectors.mT

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:  # type: ignore[no-untyped-def]
        root, vectors = _roots(*ctx.saved_tensors)  # Once more, so that second derivatives flow through it.
        a, b = root.unsqueeze(-1), root.unsqueeze(-2)
        symmetric = (gradient + gradient.mT) / 2
        return vectors @ (vectors.mT @ symmetric @ vectors * (-1 / (a * b * (a + b)))) @ vectors.mT


def _roots(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """Square roots of the eigenvalues, and the eigenvectors; NaN where there are none, so that the loss shows it."""
    try:
        values, vectors = torch.linalg.eigh(matrix)
    except torch.linalg.LinAlgError:  # The input was not finite.
        return torch.full_like(matrix[..., 0], torch.nan), torch.full_like(matrix, torch.nan)
    return values.clamp_min(torch.finfo(matrix.dtype).tiny).sqrt(), vectors


class IterNorm(DecorrelatedNorm):
    """Iterative normalization: :class:`DecorrelatedNorm` with Newton's iteration in place of the eigendecomposition.

    P_0 = I, P_k = (3·P_{k−1} − P_{k−1}³·Σ/tr Σ) / 2, whitening P_T/√(tr Σ). With few iterations it whitens the directions
    of large variance and leaves the others nearly as they are. Computed as the pair P_k, Q_k = P_k·Σ/tr Σ, which in exact
    arithmetic is the same and does not blow up rounding errors over many iterations.

    Paper: Huang, Zhou, Zhu, Liu & Shao 2019.
    """

    def __init__(self, num_features: int, iterations: int = 5, **options: object) -> None:
        super().__init__(num_features, **options)  # type: ignore[arg-type]
        if iterations < 1:
            raise NormlabError(f"norm.iterations={iterations}: at least one of Newton's iterations")
        self.iterations = iterations

    def inverse_root(self, covariance: Tensor) -> Tensor:
        trace = covariance.diagonal(dim1=1, dim2=2).sum(1).view(-1, 1, 1)
        normed = covariance / trace
        identity = torch.eye(covariance.shape[-1], dtype=covariance.dtype, device=covariance.device)
        root, rest = identity.expand_as(covariance), normed
        for _ in range(self.iterations):
            step = (3 * identity - root @ rest) / 2
            root, rest = step @ root, rest @ step
        return root * trace.rsqrt()


def build(num_features: int, **options: object) -> nn.Module:
    """A :class:`DecorrelatedNorm`."""
    return DecorrelatedNorm(num_features, **options)  # type: ignore[arg-type]


METHOD = Method(
    "decorrelated",
    "decorrelated batch norm",
    build,
    version=2,
    mixes=("samples", "channels", "positions"),
    running=("running_mean", "running_var", "running_whitening"),
    colour="#5254A3",
    title_ja="無相関化バッチ正規化",
    does="Whitens the channels of a group over the batch: they become uncorrelated, not only scaled.",
    does_ja="バッチの中でチャネルのまとまりを白色化し、スケールだけでなく相関も除く。",
    also=("DBN", "Decorrelated Batch Normalization", "whitening", "白色化"),
)
DecorrelatedNorm.METHOD = METHOD
