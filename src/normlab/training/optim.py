"""Optimizers and learning-rate schedules by name."""

from collections.abc import Callable, Iterable

import torch
from torch import nn
from torch.optim import lr_scheduler

from normlab.config import OptimizerConfig, ScheduleConfig

OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "sgd": torch.optim.SGD,
    "adam": torch.optim.Adam,
    "rmsprop": torch.optim.RMSprop,
}


def make_optimizer(config: OptimizerConfig, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """PyTorch's optimizer, in the implementation that takes all parameters in one call."""
    options = config.model_dump(exclude={"name"}, exclude_none=True)
    options |= {"foreach": True} if config.name == "rmsprop" else {"fused": True}
    return OPTIMIZERS[config.name](parameters, **options)


def make_schedule(
    config: ScheduleConfig, optimizer: torch.optim.Optimizer, lr: float, steps: int
) -> lr_scheduler.LRScheduler | None:
    """The rate over ``steps`` optimizer steps, or None where it stays ``lr``.

    ``cosine`` falls from ``lr`` to 0 (Loshchilov & Hutter 2017); ``one_cycle`` rises to ``lr`` over the fraction
    ``warmup`` of the steps and falls to nearly 0 (Smith & Topin 2018), with the optimizer's momentum left as it is.
    """
    match config.name:
        case "constant":
            return None
        case "cosine":
            return lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps)
        case "one_cycle":
            total, warmup = max(steps, 2), config.warmup or 0.3
            if abs(warmup * total - 1) < 1e-9:  # PyTorch would divide by the length of a rise of no step
                warmup *= 1 + 1e-6
            return lr_scheduler.OneCycleLR(
                optimizer, max_lr=lr, total_steps=total, pct_start=warmup, cycle_momentum=False
            )
