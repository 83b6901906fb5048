"""Gradients at fixed weights: how they grow over the layers, and how much they vary from batch to batch."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from normlab.config import RunConfig
from normlab.data.batches import Batches, Splits
from normlab.errors import NormlabError
from normlab.seeds import generator
from normlab.training.statistics import batch_statistics

FLOOR = 1e-45  # The smallest float32: what a vanished gradient counts as.
DRAWS = 40


def plain_weights(net: nn.Module) -> list[nn.Parameter]:
    """The weights of all convolutions and linear layers, in the net's order.

    Raises:
        NormlabError: where a method computes a weight from other parameters.
    """
    found = [m.weight for m in net.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    weights = [weight for weight in found if isinstance(weight, nn.Parameter)]
    if len(weights) < len(found):
        raise NormlabError("this evaluation moves weights, which here are computed from other parameters")
    return weights


def gradient_flow(net: nn.Module, config: RunConfig, splits: Splits) -> dict[str, float]:
    """How the norm of the gradient changes from layer to layer, on one training batch with its own statistics.

    With g_ℓ = ‖∂L/∂a_ℓ‖ for the activations a_ℓ between hidden weight layers ℓ and ℓ + 1, ℓ = 1 … L − 1, and s the slope of
    the least-squares line of log₁₀ g_ℓ over ℓ: ``slope`` = |s| in decades a layer, ``growth`` = 10^(−s), the factor from a
    layer to the one below it, ``range`` = log₁₀(max g / min g), and ``broken``, whether any of them is zero or not
    finite; the others are undefined where all are zero or any is not finite.

    (Not the layers' outputs in front of the norm: there the gradient is in the units of the layer's weights, whose scale
    is free with batch norm, BN(cWx) = BN(Wx).)
    """
    images, labels = next(iter(Batches(splits.train, config.data, config.seed)))
    norms: list[Tensor] = []
    layers = [m for m in net.modules() if isinstance(m, nn.Conv2d | nn.Linear)][1:-1]

    def watch(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        place = len(norms)
        norms.append(torch.zeros(()))
        inputs[0].register_hook(lambda gradient: norms.__setitem__(place, gradient.double().norm().cpu()))

    handles = [layer.register_forward_pre_hook(watch) for layer in layers]
    try:
        with batch_statistics(net), torch.enable_grad():
            F.cross_entropy(net(images), labels).backward()
    finally:
        for handle in handles:
            handle.remove()
        net.zero_grad(set_to_none=True)
    found = torch.stack(norms).double()
    if not found.any() or not found.isfinite().all():
        return {
            "broken": 1.0
        }  # A dead layer near the output, or numbers beyond all bounds: there is no slope to speak of.
    logs = found.clamp_min(FLOOR).log10()
    place = torch.arange(len(logs), dtype=torch.float64)
    place -= place.mean()
    slope = ((place * (logs - logs.mean())).sum() / place.square().sum()).item() if len(logs) > 1 else 0.0
    return {
        "slope": abs(slope),
        "growth": 10**-slope,
        "range": (logs.max() - logs.min()).item(),
        "broken": float(bool((found == 0).any())),
    }


def gradient_variance(net: nn.Module, config: RunConfig, splits: Splits) -> dict[str, float]:
    """How much the gradient of all weights varies over random batches of the training's size, at fixed weights.

    Weights are measured in units of their layer's own norm, so that the scale of a layer in front of a norm, which changes nothing of what
    the net says, changes nothing here: with r = ‖W_ℓ‖·∂L/∂W_ℓ over all convolutions and linear layers ℓ, over 40 batches, each with its
    own statistics, ``log_relative_variance`` = ln(Σ Var(r) / ‖mean r‖²), with the squared norm of the mean corrected for its own noise (no
    less than a hundredth of it).
    """
    weights = plain_weights(net)
    lengths = [weight.detach().norm() for weight in weights]
    source = generator(config.seed, "gradient_variance")
    gradients = []
    with batch_statistics(net), torch.enable_grad():
        for _ in range(DRAWS):
            indices = torch.randperm(len(splits.train), generator=source)[: config.data.batch_size]
            loss = F.cross_entropy(net(splits.train.images[indices]), splits.train.labels[indices])
            found = torch.autograd.grad(loss, weights)
            gradients.append(torch.cat([(n * g).flatten() for n, g in zip(lengths, found, strict=True)]))
    stacked = torch.stack(gradients).double()
    variance = stacked.var(0).sum().item()
    squared = stacked.mean(0).square().sum().item()
    return {"log_relative_variance": math.log(variance / max(squared - variance / DRAWS, squared / 100))}
