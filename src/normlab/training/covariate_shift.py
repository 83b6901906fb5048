"""Internal covariate shift, by two definitions: how the inputs of layers move, and how layers disturb each other's gradients."""

import copy
import math
from collections.abc import Sequence
from itertools import islice

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from normlab.config import RunConfig
from normlab.data.batches import Batches, Splits
from normlab.nets.disturbance import Disturbance
from normlab.training.gradients import plain_weights
from normlab.training.optim import make_optimizer
from normlab.training.statistics import batch_statistics, recalibrate

IMAGES = 500  # whose moments are taken
STEPS = 10
DEAD = 1e-10  # a variance or gradient that is nothing but rounding


def layer_inputs(net: nn.Module, config: RunConfig, splits: Splits) -> dict[str, float]:
    """What the layers of a trained net read, over 500 training images, in evaluation with recalibrated statistics.

    With m_c and v_c the mean and variance of channel c of the input of a convolution or linear layer that a norm stands in front of (in a
    net without norms, of all layers but the first): ``mean`` = √(mean_c m_c²) and ``variance`` = √(mean_c (v_c − 1)²), both averaged over
    layers. ``norm_mean`` and ``norm_variance``: the same of what norms give, where there are norms.
    """
    images = splits.train.images
    recalibrate(net, images)
    net.eval()
    norms = [m for m in net.modules() if hasattr(m, "num_features") or isinstance(m, nn.GroupNorm)]
    found = _summary(moments(net, images[:IMAGES], _behind(norms, net) if norms else _readers(net)))
    outputs = moments(net, images[:IMAGES], norms, of_output=True)
    return found | ({f"norm_{name}": value for name, value in _summary(outputs).items()} if norms else {})


def input_drift(net: nn.Module, config: RunConfig, splits: Splits) -> dict[str, float]:
    """How far the inputs of layers move within ten further steps of the same training, from weights where it stood.

    With m_c, s_c the mean and standard deviation of channel c of a layer's input over 500 fixed training images (in training
    mode, batch norms on the statistics of these images), and σ² = mean_c s_c² before the steps,

        drift = √(mean_c [(Δm_c)² + (Δs_c)²]) / σ

    ``log_drift`` is the mean over layers (all but the first) of ln drift. The steps are the run's optimizer at its base
    rate, from a cold start. Undefined where a layer reads nothing but constants (it is dead: its σ is 0).
    """
    moving = copy.deepcopy(net)
    images = splits.train.images[:IMAGES]
    readers = _readers(moving)
    before = _live_moments(moving, images, readers)
    _go_on(moving, config, splits)
    after = _live_moments(moving, images, readers)
    logs = []
    for (mean, variance), (new_mean, new_variance) in zip(before, after, strict=True):
        if variance.mean() < DEAD:
            return {}
        moved = (new_mean - mean).square() + (new_variance.sqrt() - variance.sqrt()).square()
        logs.append(0.5 * math.log(max(moved.mean().item(), 1e-24) / variance.mean().item()))
    return {"log_drift": sum(logs) / len(logs)}


def gradient_shift(net: nn.Module, config: RunConfig, splits: Splits) -> dict[str, float]:
    """How much a layer's gradient changes when the layers below it take their step (Santurkar et al. 2018, definition 2.1).

    On one batch, with W_1 … W_k the weights and G_i = ∂L/∂W_i at all of them as they are, G'_i is the same gradient after
    W_j ← W_j − lr·G_j for all parameters below layer i. ``log_shift`` is the mean over layers i ≥ 2 and ten batches of
    ln(‖G'_i − G_i‖ / ‖G_i‖), and ``cosine`` the mean cosine between the two. Undefined where a gradient is 0.
    """
    parameters = list(net.parameters())
    weights = plain_weights(net)
    first = [next(i for i, p in enumerate(parameters) if p is weight) for weight in weights]
    shifts, cosines = [], []
    with batch_statistics(net), torch.enable_grad():
        for images, labels in islice(Batches(splits.train, config.data, config.seed), STEPS):
            gradients = torch.autograd.grad(F.cross_entropy(net(images), labels), parameters)
            for weight, place in list(zip(weights, first, strict=True))[1:]:
                _add(parameters[:place], gradients[:place], -config.optimizer.lr)
                (moved,) = torch.autograd.grad(F.cross_entropy(net(images), labels), [weight])
                _add(parameters[:place], gradients[:place], config.optimizer.lr)
                still = gradients[place]
                if still.norm() < DEAD:
                    return {}
                shifts.append(((moved - still).norm() / still.norm()).clamp_min(1e-12).log().item())
                cosines.append(F.cosine_similarity(moved.flatten(), still.flatten(), dim=0).item())
    return {"log_shift": sum(shifts) / len(shifts), "cosine": sum(cosines) / len(cosines)}


@torch.no_grad()
def moments(
    net: nn.Module, images: Tensor, layers: Sequence[nn.Module], of_output: bool = False
) -> list[tuple[Tensor, Tensor]]:
    """Mean and biased variance a channel, (C,) each, of the input (or output) of every layer named, over (N, C, H, W) images
    in one batch.
    """
    found: dict[int, tuple[Tensor, Tensor]] = {}

    def watch(place: int) -> object:
        def hook(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            x = (output if of_output else inputs[0]).double()
            variance, mean = torch.var_mean(x, [0, *range(2, x.dim())], correction=0)
            found[place] = (mean, variance)

        return layers[place].register_forward_hook(hook)

    handles = [watch(place) for place in range(len(layers))]
    try:
        net(images)
    finally:
        for handle in handles:
            handle.remove()  # type: ignore[attr-defined]
    return [found[place] for place in range(len(layers))]


def _readers(net: nn.Module) -> list[nn.Conv2d | nn.Linear]:
    """The layers whose inputs other layers make."""
    return [m for m in net.modules() if isinstance(m, nn.Conv2d | nn.Linear)][1:]


def _behind(norms: Sequence[nn.Module], net: nn.Module) -> list[nn.Module]:
    """The layers that have a norm between them and the layer before, in the order in which a chain holds its modules."""
    found, normed = [], False
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            found += [module] if normed else []
            normed = False
        elif any(module is norm for norm in norms):
            normed = True
    return found


def _live_moments(net: nn.Module, images: Tensor, layers: Sequence[nn.Module]) -> list[tuple[Tensor, Tensor]]:
    with batch_statistics(net):
        for module in net.modules():
            if isinstance(module, Disturbance):
                module.train()  # what it does to the inputs in training belongs to their movement
        return moments(net, images, layers)


def _go_on(net: nn.Module, config: RunConfig, splits: Splits) -> None:
    optimizer = make_optimizer(config.optimizer, net.parameters())
    net.train()
    for images, labels in islice(Batches(splits.train, config.data, config.seed), STEPS):
        F.cross_entropy(net(images), labels).backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)


@torch.no_grad()
def _add(parameters: Sequence[Tensor], gradients: Sequence[Tensor], factor: float) -> None:
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.add_(gradient, alpha=factor)


def _summary(found: list[tuple[Tensor, Tensor]]) -> dict[str, float]:
    means = [mean.square().mean().sqrt().item() for mean, _ in found]
    variances = [(variance - 1).square().mean().sqrt().item() for _, variance in found]
    return {"mean": sum(means) / len(means), "variance": sum(variances) / len(variances)} if found else {}
