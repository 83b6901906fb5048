"""A task: what is learned, from which data, with which nets, measured how."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from normlab.config import DataConfig, NetConfig, RunConfig
from normlab.core.metric import Metric
from normlab.training.problem import Problem


@dataclass(frozen=True)
class Task:
    """One kind of learning.

    Attributes:
        name: as in ``task=…``.
        metrics: what it measures, by name.
        make: sets a run up, from pre-trained weights if there are any.
        net: the nets of a configuration, untrained and without its data.
        versions: of the data and of the net, which go into a run's key.
        cost: of a run, in arbitrary units, for sweeps that take long ones first.
        packages: that decide what is measured besides PyTorch; their versions go into a run's record.
    """

    name: str
    metrics: Mapping[str, Metric]
    make: Callable[[RunConfig, torch.device, Mapping[str, Tensor] | None], Problem]
    net: Callable[[RunConfig], nn.Module]
    data_version: Callable[[DataConfig], int | str]
    net_version: Callable[[NetConfig], str]
    cost: Callable[[RunConfig], float]
    packages: tuple[str, ...] = ()
