"""What the size of a batch does to its statistics and to gradients, at fixed weights."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from normlab.config import RunConfig
from normlab.data.batches import Splits
from normlab.seeds import generator
from normlab.training.statistics import batch_norms, recalibrate

SIZES = (2, 4, 8, 16, 32, 64)
DRAWS = 200
GRADIENT_SIZES = (4, 16, 64)
GRADIENT_DRAWS = 40


@torch.no_grad()
def statistics_noise(net: nn.Module, config: RunConfig, splits: Splits) -> dict[str, float]:
    """How the standard error of a batch's mean and variance falls with its size.

    At fixed weights, the inputs of every batch norm are taken for 2,000 training images (in evaluation, so that no
    layer's batch disturbs the next). Batches of B images are drawn without replacement, their mean and variance a
    channel computed as batch norm would, and the standard deviation over 200 draws averaged over channels. Returns
    ``mean_slope`` and ``variance_slope``, the exponents of B fitted over B = 2 … 64 on log-log axes and averaged over
    layers. Independent images would give −0.5 for both.
    """
    layers = batch_norms(net)
    moments: dict[int, list[tuple[Tensor, Tensor]]] = {i: [] for i in range(len(layers))}

    def watch(index: int) -> object:
        def hook(_: nn.Module, inputs: tuple[Tensor]) -> None:
            x = inputs[0].flatten(2) if inputs[0].dim() > 2 else inputs[0].unsqueeze(2)
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
        first, second = first[:, alive].double(), second[:, alive].double()
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
    return {f"{name}_slope": sum(values) / len(values) for name, values in slopes.items()}


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
    recalibrate(net, splits.train.images)
    parameters = [p for p in net.parameters() if p.requires_grad]
    layers = batch_norms(net)
    measures = {}
    for size in GRADIENT_SIZES:
        variances = []
        for live in (True, False):
            source = generator(config.seed, f"gradient_noise/{size}")  # both see the same batches
            net.eval()
            for layer in layers:
                layer.train(live)
                layer.track_running_stats = not live
            gradients = []
            for _ in range(GRADIENT_DRAWS):
                indices = torch.randperm(len(splits.train), generator=source)[:size]
                loss = F.cross_entropy(net(splits.train.images[indices]), splits.train.labels[indices])
                found = torch.autograd.grad(loss, parameters)
                gradients.append(torch.cat([g.flatten() for g in found]))
            variances.append(torch.stack(gradients).double().var(0).sum().item())
        for layer in layers:
            layer.track_running_stats = True
        measures[f"log_ratio_{size}"] = math.log(variances[0] / variances[1])
    net.eval()
    return measures
