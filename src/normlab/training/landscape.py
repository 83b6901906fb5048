"""How smooth the loss is along the gradient, in steps measured against the weights themselves."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from normlab.config import RunConfig
from normlab.data.batches import Splits
from normlab.seeds import generator
from normlab.training.gradients import plain_weights
from normlab.training.statistics import batch_statistics

IMAGES = 500
LOSS_IMAGES = 10_000  # over which nets' losses are compared, at most
STEPS = (0.003, 0.006, 0.012, 0.025, 0.05, 0.1)
BATCHES = 4


def landscape(net: nn.Module, config: RunConfig, splits: Splits) -> dict[str, float]:
    """Loss range, gradient predictiveness and effective smoothness along the gradient (Santurkar et al. 2018, section 3).

    Weights are measured in units of their layer's own norm, so that a net whose norms make it blind to the scale of a layer gains
    nothing by a large one: with W_ℓ the weights of convolution or linear layer ℓ, r_ℓ = ‖W_ℓ‖·∂L/∂W_ℓ and r all of them in
    one vector, on 500 training images with their own batch statistics, a step of length t is

        W_ℓ(t) = W_ℓ − t·‖W_ℓ‖·r_ℓ/‖r‖,   t from 0.003 to 0.1

    with ‖W_ℓ‖ as it is at the start throughout; biases, γ and β stay where they are. ``loss``: L at W over up to
    10,000 training images, 500 at a time, each with their own batch statistics. Logarithms of

    - ``log_loss_range``: max_t L(W(t)) − min_t L(W(t)), W itself among them
    - ``log_gradient_change``: max_t ‖r(W(t)) − r(W)‖
    - ``log_smoothness``: max_t ‖r(W(t)) − r(W)‖ / t

    each the mean over four batches.
    """
    weights = plain_weights(net)
    start = [weight.detach().clone() for weight in weights]
    lengths = [weight.norm().clamp_min(1e-12) for weight in start]
    source = generator(config.seed, "landscape")
    rows = []
    with batch_statistics(net), torch.enable_grad():
        for _ in range(BATCHES):
            chosen = torch.randperm(len(splits.train), generator=source)[:IMAGES].to(splits.train.labels.device)
            batch = splits.train.images[chosen], splits.train.labels[chosen]
            loss, gradient = _look(net, weights, lengths, *batch)
            direction = gradient / gradient.norm().clamp_min(1e-12)
            losses, changes = [loss], []
            for step in STEPS:
                _move(weights, start, lengths, -step * direction)
                moved_loss, moved = _look(net, weights, lengths, *batch)
                losses.append(moved_loss)
                changes.append((moved - gradient).norm().item())
            _move(weights, start, lengths, torch.zeros_like(direction))
            smoothness = max(change / step for change, step in zip(changes, STEPS, strict=True))
            rows.append([max(losses) - min(losses), max(changes), smoothness])
    logs = torch.tensor(rows, dtype=torch.float64).clamp_min(1e-12).log().mean(0).tolist()
    found = dict(zip(("log_loss_range", "log_gradient_change", "log_smoothness"), logs, strict=True))
    return found | {"loss": _whole_loss(net, splits)}


@torch.no_grad()
def _whole_loss(net: nn.Module, splits: Splits) -> float:
    images, labels = splits.train.images[:LOSS_IMAGES], splits.train.labels[:LOSS_IMAGES]
    with batch_statistics(net):
        losses = [
            F.cross_entropy(net(part), of_part, reduction="sum").item()
            for part, of_part in zip(images.split(IMAGES), labels.split(IMAGES), strict=True)
        ]
    return sum(losses) / len(labels)


def _look(
    net: nn.Module, weights: list[nn.Parameter], lengths: list[Tensor], images: Tensor, labels: Tensor
) -> tuple[float, Tensor]:
    """The loss and r."""
    loss = F.cross_entropy(net(images), labels)
    gradients = torch.autograd.grad(loss, weights)
    return loss.item(), torch.cat([(n * g).flatten() for n, g in zip(lengths, gradients, strict=True)])


@torch.no_grad()
def _move(weights: list[nn.Parameter], start: list[Tensor], lengths: list[Tensor], by: Tensor) -> None:
    """Put the weights where they started, plus ``by`` in units of their norms."""
    parts = by.split([weight.numel() for weight in start])
    for weight, origin, length, part in zip(weights, start, lengths, parts, strict=True):
        weight.copy_(origin + length * part.view_as(origin))
