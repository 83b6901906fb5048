"""What the size of a batch does to its statistics and to gradients, at fixed weights."""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from normlab.config import RunConfig
from normlab.data.batches import Splits
from normlab.norms.running import batch_values, buffers_of, running_norms
from normlab.seeds import generator
from normlab.training.statistics import batch_statistics, recalibrate

SIZES = (2, 4, 8, 16, 32, 64)
DRAWS = 200
GRADIENT_SIZES = (4, 16, 64)
GRADIENT_DRAWS = 40
COMPANION_IMAGES, COMPANION_DRAWS = 32, 4


@torch.no_grad()
def statistics_noise(net: nn.Module, config: RunConfig, splits: Splits) -> dict[str, float]:
    """How the standard error of a batch's mean and variance falls with its size.

    At fixed weights, the inputs of every norm with running statistics are taken for 2,000 training images (in evaluation, so that no
    layer's batch disturbs the next). Batches of B images are drawn without replacement, their mean and variance a
    channel computed as batch norm would, and the standard deviation over 200 draws averaged over channels. Returns
    ``mean_slope`` and ``variance_slope``, the exponents of B fitted over B = 2 … 64 on log-log axes and averaged over
    layers. Independent images would give −0.5 for both. Nothing where there is no such norm, or all its inputs are constant.
    """
    layers = running_norms(net)
    moments: dict[int, list[tuple[Tensor, Tensor]]] = {i: [] for i in range(len(layers))}

    def watch(index: int) -> object:
        def hook(_: nn.Module, inputs: tuple[Tensor]) -> None:
            x = (inputs[0].flatten(2) if inputs[0].dim() > 2 else inputs[0].unsqueeze(2)).double()
            moments[index].append((x.mean(2), x.square().mean(2)))

        return layers[index].register_forward_pre_hook(hook)

    handles = [watch(i) for i in range(len(layers))]
    net.eval()
    for batch in splits.train.images[:2000].split(500):
        net(batch)
    for handle in handles:
        handle.remove()  # type: ignore[attr-defined]
    source = generator(config.seed, "statistics_noise")
    slopes: dict[str, list[float]] = {"mean": [], "variance": []}
    for index in range(len(layers)):
        first, second = (torch.cat(parts) for parts in zip(*moments[index], strict=True))
        alive = (second - first.square()).mean(0) + first.var(0) > 1e-8
        first, second = first[:, alive], second[:, alive]
        if not first.shape[1]:
            continue
        errors: dict[str, list[float]] = {"mean": [], "variance": []}
        for size in SIZES:
            draws = torch.stack([torch.randperm(len(first), generator=source)[:size] for _ in range(DRAWS)])
            mean = first[draws].mean(1)
            variance = second[draws].mean(1) - mean.square()
            errors["mean"].append(mean.std(0).mean().item())
            errors["variance"].append(variance.std(0).mean().item())
        for name, values in errors.items():
            slopes[name].append(_log_slope(SIZES, values))
    return {f"{name}_slope": sum(values) / len(values) for name, values in slopes.items() if values}


def _log_slope(x: tuple[int, ...], y: list[float]) -> float:
    """The slope of log y over log x by least squares."""
    log_x = torch.tensor([math.log(v) for v in x], dtype=torch.float64)
    log_y = torch.tensor([math.log(v) for v in y], dtype=torch.float64)
    centered = log_x - log_x.mean()
    return ((centered * log_y).sum() / centered.square().sum()).item()


def gradient_noise(net: nn.Module, config: RunConfig, splits: Splits) -> dict[str, float]:
    """The variance of the gradient over random batches at fixed weights, with live and with frozen statistics.

    For each batch size B, over 40 batches: v = Σ Var(∂L/∂w) over all weights. Frozen statistics are recalibrated on
    the training set, so that both gradients belong to the same net. Returns ``log_ratio_<B>`` = ln(v_live / v_frozen).
    """
    return _variances(net, config, splits, {"log_ratio": (live_statistics, frozen_statistics)})


def gradient_noise_sources(net: nn.Module, config: RunConfig, splits: Splits) -> dict[str, float]:
    """Two halves of :func:`gradient_noise`, by gradients of a third kind: those that see the batch's statistics in the
    forward pass and take them for constants in the backward pass.

    ``log_forward_<B>`` = ln(v_detached / v_frozen): what the noise of the statistics themselves does to the variance;
    ``log_backward_<B>`` = ln(v_live / v_detached): what it does that gradients flow through the statistics, which takes away their
    components along the batch's mean and along the normalized input.
    """
    pairs = {
        "log_forward": (detached_statistics, frozen_statistics),
        "log_backward": (live_statistics, detached_statistics),
    }
    return _variances(net, config, splits, pairs)


def gradient_companions(net: nn.Module, config: RunConfig, splits: Splits) -> dict[str, float]:
    """What share of a sample's gradient variance comes from the batch that it happens to stand in, at fixed weights.

    The gradient g(i, C) of image i's loss, with live statistics, depends on i and on its companions C. For 32 images in 4 random
    batches of B each, ``share_<B>`` = E_i Var_C(g) / (E_i Var_C(g) + Var_i E_C(g)), both summed over all weights, by the unbiased
    estimates of one-way analysis of variance. Where samples do not mix it is 0.
    """
    parameters = [p for p in net.parameters() if p.requires_grad]
    images, labels = splits.train.images, splits.train.labels
    measures = {}
    for size in GRADIENT_SIZES:
        source = generator(config.seed, f"gradient_companions/{size}")
        within, means = 0.0, []
        with live_statistics(net), torch.enable_grad():
            for own in torch.randperm(len(labels), generator=source)[:COMPANION_IMAGES]:
                gradients = []
                for _ in range(COMPANION_DRAWS):
                    others = torch.randperm(len(labels) - 1, generator=source)[: size - 1]
                    batch = torch.cat([own[None], others + (others >= own)])
                    loss = F.cross_entropy(net(images[batch])[:1], labels[batch][:1])
                    gradients.append(torch.cat([g.flatten() for g in torch.autograd.grad(loss, parameters)]))
                found = torch.stack(gradients).double()
                within += found.var(0).sum().item() / COMPANION_IMAGES
                means.append(found.mean(0))
        between = max(0.0, torch.stack(means).var(0).sum().item() - within / COMPANION_DRAWS)
        if within + between > 0:
            measures[f"share_{size}"] = within / (within + between)
    return measures


Mode = Callable[[nn.Module], AbstractContextManager[None]]


def _variances(
    net: nn.Module, config: RunConfig, splits: Splits, pairs: Mapping[str, tuple[Mode, Mode]]
) -> dict[str, float]:
    """``<name>_<B>`` = ln of the ratio of two modes' variances, for every pair of modes and batch size."""
    recalibrate(net, splits.train.images)
    measures: dict[str, float] = {}
    for size in GRADIENT_SIZES:
        modes = {mode for pair in pairs.values() for mode in pair}
        found = {mode: _gradient_variance(net, config, splits, size, mode) for mode in modes}
        measures |= {f"{name}_{size}": math.log(found[a] / found[b]) for name, (a, b) in pairs.items()}
    return measures


def _gradient_variance(net: nn.Module, config: RunConfig, splits: Splits, size: int, mode: Mode) -> float:
    """Σ Var(∂L/∂w) over random batches, the same for every mode."""
    parameters = [p for p in net.parameters() if p.requires_grad]
    source = generator(config.seed, f"gradient_noise/{size}")
    gradients = []
    with mode(net), torch.enable_grad():
        for _ in range(GRADIENT_DRAWS):
            indices = torch.randperm(len(splits.train), generator=source)[:size]
            loss = F.cross_entropy(net(splits.train.images[indices]), splits.train.labels[indices])
            gradients.append(torch.cat([g.flatten() for g in torch.autograd.grad(loss, parameters)]))
    return torch.stack(gradients).double().var(0).sum().item()


live_statistics = batch_statistics


@contextmanager
def frozen_statistics(net: nn.Module) -> Iterator[None]:
    """Within, norms use their running statistics, where they have any."""
    net.eval()
    yield


@contextmanager
def detached_statistics(net: nn.Module) -> Iterator[None]:
    """Within, norms with running statistics use those of the batch they see as if these were constants."""

    def take(norm: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        """Put the batch's values where evaluation reads them; variances biased, as batch norm's own."""
        x = inputs[0].detach()
        values = x[:, 0].numel()
        for name, value in batch_values(norm, x).items():
            norm.get_buffer(name).copy_(value * ((values - 1) / values) if name == "running_var" else value)

    net.eval()
    norms = running_norms(net)
    kept = [(buffer, buffer.clone()) for norm in norms for buffer in buffers_of(norm).values()]
    handles = [norm.register_forward_pre_hook(take) for norm in norms]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
        for buffer, value in kept:
            buffer.copy_(value)
