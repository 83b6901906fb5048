"""Exact statements about the methods, each computed: a function a statement, used by claims and tests alike."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from normlab.norms import spectral
from normlab.norms.batch import BatchNorm
from normlab.norms.cross_iteration import CrossIterationNorm
from normlab.norms.group import GroupNorm
from normlab.norms.renorm import BatchRenorm


def constant_features(eps: float, dtype: torch.dtype = torch.float32) -> dict[str, float]:
    """Batch norm of features that are constant over the batch, where the variance is exactly zero, computed in ``dtype``.

    y = (x − μ)/√(0 + ε): 0 for ε > 0, and 0/0 for ε = 0 or an ε that ``dtype`` rounds to 0. Written out, since PyTorch refuses
    ε = 0 and computes statistics of half-precision inputs in float32. Returns the share of finite outputs and the largest of them.
    """
    x = torch.full((8, 4, 3, 3), 2.0, dtype=dtype)
    mean, variance = x.mean((0, 2, 3), keepdim=True), x.var((0, 2, 3), correction=0, keepdim=True)
    y = (x - mean) / torch.sqrt(variance + eps)
    finite = torch.isfinite(y)
    return {
        "share_finite": finite.double().mean().item(),
        "largest": y[finite].abs().max().item() if finite.any() else float("nan"),
    }


def skewed_features(samples: int = 20_000, channels: int = 2) -> Tensor:
    """(N, C) float64 draws of an exponential and a two-humped distribution, each far from a normal one."""
    source = torch.Generator().manual_seed(0)
    exponential = -torch.log(1 - torch.rand(samples, generator=source, dtype=torch.float64)) * 3 + 5
    humps = torch.randn(samples, generator=source, dtype=torch.float64)
    humps += torch.where(torch.rand(samples, generator=source) < 0.3, -4.0, 2.0)
    return torch.stack([exponential, humps], 1)[:, :channels]


def normalized_moments() -> dict[str, float]:
    """Mean and variance of batch norm's output: 0 and σ²/(σ² + ε).

    Returns the largest |mean|, the largest distance of the variance from σ²/(σ² + ε), and from 1, for an ε that is large
    beside the variance of one channel (σ² = 1e-4, ε = 1e-3).
    """
    x = skewed_features()
    x = (x - x.mean(0)) / x.std(0, correction=0) * torch.tensor([1e-2, 1.0], dtype=torch.float64) + 3
    y = BatchNorm(2, eps=1e-3).double()(x)
    variance = x.var(0, correction=0)
    return {
        "largest |mean|": y.mean(0).abs().max().item(),
        "distance of variance from σ²/(σ²+ε)": (y.var(0, correction=0) - variance / (variance + 1e-3))
        .abs()
        .max()
        .item(),
        "distance of variance from 1": (y.var(0, correction=0) - 1).abs().max().item(),
    }


def standardized_moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """Skewness and excess kurtosis a channel of (N, C)."""
    z = (x - x.mean(0)) / x.std(0, correction=0)
    return (z**3).mean(0), (z**4).mean(0) - 3


def shape_of_distribution() -> dict[str, float]:
    """Skewness and kurtosis before and after batch norm: an affine map changes neither."""
    x = skewed_features()
    before, after = standardized_moments(x), standardized_moments(BatchNorm(2).double()(x))
    return {
        "skewness before": before[0][0].item(),
        "skewness after": after[0][0].item(),
        "excess kurtosis before": before[1][0].item(),
        "excess kurtosis after": after[1][0].item(),
        "largest change": max((a - b).abs().max().item() for a, b in zip(before, after, strict=True)),
    }


def epsilon_in_the_root() -> dict[str, float]:
    """√(σ² + ε) against √σ² + ε: which of them batch norm divides by, for σ = 0.01 and ε = 1e-3."""
    x = skewed_features(channels=1)
    x = (x - x.mean(0)) / x.std(0, correction=0) * 0.01
    y = BatchNorm(1, eps=1e-3).double()(x)
    inside, outside = x / (0.01**2 + 1e-3) ** 0.5, x / (0.01 + 1e-3)
    return {
        "distance from (x − μ)/√(σ² + ε)": (y - inside).abs().max().item(),
        "distance from (x − μ)/(√σ² + ε)": (y - outside).abs().max().item(),
        "output's deviation, ε inside the root": inside.std(correction=0).item(),
        "output's deviation, ε outside": outside.std(correction=0).item(),
    }


def scale_and_shift() -> dict[str, float]:
    """γ and β as the output's standard deviation and mean, where σ² is large beside ε."""
    x, norm = skewed_features() * 10, BatchNorm(2).double()
    with torch.no_grad():
        norm.weight.copy_(torch.tensor([0.5, 3.0]))
        norm.bias.copy_(torch.tensor([-1.0, 2.0]))
    y = norm(x)
    return {
        "distance of the deviation from γ": (y.std(0, correction=0) - norm.weight).abs().max().item(),
        "distance of the mean from β": (y.mean(0) - norm.bias).abs().max().item(),
    }


def identity_by_affine() -> dict[str, float]:
    """Batch norm with γ = √(σ² + ε), β = μ against its input; and with γ = σ, as the articles put it."""
    x = skewed_features()
    mean, variance = x.mean(0), x.var(0, correction=0)
    found = {}
    for name, scale in (("γ = √(σ² + ε)", (variance + 1e-5).sqrt()), ("γ = σ", variance.sqrt())):
        norm = BatchNorm(2).double()
        with torch.no_grad():
            norm.weight.copy_(scale)
            norm.bias.copy_(mean)
        found[f"largest |y − x|, {name}"] = (norm(x) - x).abs().max().item()
    return found


def start_of_affine() -> dict[str, float]:
    """What γ = 1, β = 0 starts as: the distance of the output from the input, and from the standardized input."""
    x = skewed_features()
    y = BatchNorm(2).double()(x)
    standardized = (x - x.mean(0)) / (x.var(0, correction=0) + 1e-5).sqrt()
    return {
        "largest |y − x|": (y - x).abs().max().item(),
        "largest |y − standardized x|": (y - standardized).abs().max().item(),
    }


def worked_example() -> dict[str, float]:
    """The articles' numbers: 32 images with 64 maps of 28×28."""
    x = torch.randn(32, 64, 28, 28, generator=torch.Generator().manual_seed(0))
    norm = BatchNorm(64)
    y = norm(x)
    expected = (x - x.mean((0, 2, 3), keepdim=True)) / (x.var((0, 2, 3), correction=0, keepdim=True) + 1e-5).sqrt()
    assert norm.running_mean is not None
    assert norm.running_var is not None
    return {
        "means": float(norm.running_mean.numel()),
        "variances": float(norm.running_var.numel()),
        "values behind each": float(x[:, 0].numel()),
        "learnable parameters": float(sum(p.numel() for p in norm.parameters())),
        "distance from the formula": (y - expected).abs().max().item(),
    }


def running_average() -> dict[str, float]:
    """The running mean after three batches against decay·running + (1 − decay)·batch, decay 0.9, from 0."""
    norm, expected = BatchNorm(2, momentum=0.1).double(), torch.zeros(2, dtype=torch.float64)
    assert norm.running_mean is not None
    for batch in skewed_features(3000).split(1000):
        norm(batch)
        expected = 0.9 * expected + 0.1 * batch.mean(0)
    return {"distance": (norm.running_mean - expected).abs().max().item()}


def single_sample() -> dict[str, float]:
    """Evaluation of one sample: alone, and among others."""
    norm, x = BatchNorm(2).double(), skewed_features()
    norm(x)
    norm.eval()
    return {"largest difference": (norm(x[:1]) - norm(x)[:1]).abs().max().item()}


def gradient_formula() -> dict[str, float]:
    """Gradients of x, γ, β from the formula against automatic differentiation.

    With x̂ the standardized input and g the gradient of the output: ∂β = Σg, ∂γ = Σg·x̂,
    ∂x = γ/√(σ² + ε)·(g − mean(g) − x̂·mean(g·x̂)).
    """
    x, norm = skewed_features(64).requires_grad_(), BatchNorm(2).double()
    with torch.no_grad():
        norm.weight.copy_(torch.tensor([0.7, 1.9]))
    g = torch.randn(x.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    norm(x).backward(g)
    with torch.no_grad():
        rstd = (x.var(0, correction=0) + 1e-5).rsqrt()
        hat = (x - x.mean(0)) * rstd
        dx = norm.weight * rstd * (g - g.mean(0) - hat * (g * hat).mean(0))
    assert x.grad is not None
    assert norm.weight.grad is not None
    assert norm.bias.grad is not None
    return {
        "∂x": (x.grad - dx).abs().max().item(),
        "∂γ": (norm.weight.grad - (g * hat).sum(0)).abs().max().item(),
        "∂β": (norm.bias.grad - g.sum(0)).abs().max().item(),
    }


def identities() -> dict[str, float]:
    """Methods that coincide in a special case, as the largest difference of their outputs on the same features."""
    x = torch.randn(6, 8, 4, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 2 + 1
    batch = BatchNorm(8).double()(x)
    layer = nn.functional.layer_norm(x, x.shape[1:])
    instance = nn.InstanceNorm2d(8).double()(x)
    pairs = {
        "GN with one group = LN": (GroupNorm(8, num_groups=1).double()(x), layer),
        "GN with a group a channel = IN": (GroupNorm(8, num_groups=8).double()(x), instance),
        "batch renorm with r = 1, d = 0 = BN": (BatchRenorm(8, r_max=1.0, d_max=0.0).double()(x), batch),
        "ghost batch of the whole batch = BN": (BatchNorm(8, statistics_batch=6).double()(x), batch),
        "cross-iteration BN of one iteration = BN": (CrossIterationNorm(8, iterations=1).double()(x), batch),
    }
    return {name: (a - b).abs().max().item() for name, (a, b) in pairs.items()}


def second_derivatives() -> dict[str, float]:
    """By automatic differentiation against central differences, as shares of the largest number, in float64.

    For f(x) = Σ norm(x)³ the product H·v of its second derivatives with a random v, against differences of f's gradient along v. For what
    meta-learning follows, the gradient of F(W) = L_b(W − 0.01 ∂L_a/∂W), the loss of a fully connected layer W with the norm behind it on
    samples b after a step on samples a, its product with a random direction, against differences of F.
    """
    source = torch.Generator().manual_seed(0)

    def drawn(*shape: int) -> Tensor:
        return torch.randn(shape, generator=source, dtype=torch.float64)

    x, v, a, b, weight, direction = (
        drawn(6, 8, 3, 3),
        drawn(6, 8, 3, 3),
        drawn(8, 5),
        drawn(8, 5),
        drawn(8, 5),
        drawn(8, 5),
    )
    found = {}
    for name, norm in (("batch norm", BatchNorm(8)), ("layer norm", GroupNorm(8, 1)), ("group norm", GroupNorm(8, 2))):
        norm.double()

        def loss(of: Tensor, norm: nn.Module = norm) -> Tensor:
            return norm(of).pow(3).sum()

        def after_a_step(w: Tensor, loss: Callable[[Tensor], Tensor] = loss) -> Tensor:
            return loss(b @ (w - 0.01 * _gradient(lambda at: loss(a @ at.T), w)).T)

        def slope(of: Tensor, loss: Callable[[Tensor], Tensor] = loss) -> Tensor:
            return _gradient(loss, of)

        def slope_along_v(of: Tensor, slope: Callable[[Tensor], Tensor] = slope) -> Tensor:
            return (slope(of) * v).sum()

        found[f"H·v, {name}"] = _apart(_gradient(slope_along_v, x), _difference(slope, x, v))
        meta = (_gradient(after_a_step, weight) * direction).sum()
        found[f"meta-gradient, {name}"] = _apart(meta, _difference(after_a_step, weight, direction))
    return found


def _gradient(function: Callable[[Tensor], Tensor], at: Tensor) -> Tensor:
    """∂function/∂at, which can be differentiated again."""
    place = at if at.requires_grad else at.clone().requires_grad_()
    (found,) = torch.autograd.grad(function(place), place, create_graph=True)
    return found


def _difference(function: Callable[[Tensor], Tensor], at: Tensor, direction: Tensor, step: float = 1e-5) -> Tensor:
    """The central difference of a function along a direction."""
    return (function(at + step * direction) - function(at - step * direction)) / (2 * step)


def _apart(one: Tensor, other: Tensor) -> float:
    """The largest difference, as a share of the largest number."""
    return ((one - other).abs().max() / other.abs().max()).item()


def spectral_bound() -> dict[str, float]:
    """What spectral norm bounds: the largest singular value of the weight, not the largest |eigenvalue|."""
    source = torch.Generator().manual_seed(0)
    layer = nn.Linear(32, 32, bias=False).double()
    with torch.no_grad():
        layer.weight.copy_(torch.randn(32, 32, generator=source, dtype=torch.float64))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        spectral.wrap(layer)
    for _ in range(300):
        layer(torch.zeros(1, 32, dtype=torch.float64))
    weight = layer.weight.detach()
    return {
        "largest singular value": torch.linalg.svdvals(weight)[0].item(),
        "spectral radius": torch.linalg.eigvals(weight).abs().max().item(),
    }
