"""Forecasts: from the first half of a series its second half."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from normlab.config import DataConfig, NetConfig, RunConfig
from normlab.core.metric import REGRESSION
from normlab.data import SERIES_SETS
from normlab.data.batches import Split, Splits, load_splits, refuse_what_images_have
from normlab.data.images import ImageSet
from normlab.errors import NormlabError
from normlab.nets import fcn, make_net, net_version
from normlab.tasks.supervised import Supervised
from normlab.tasks.task import Task
from normlab.training.objective import PREDICT

NETS = {"fcn": (fcn.build, 1)}


def halves(series: Tensor) -> tuple[Tensor, Tensor]:
    """Series (N, 1, 1, T) as what is known of each, (N, 1, 1, T/2), and what comes, (N, T/2), in units of what is known: less its mean,
    over its standard deviation. No unit or level of a series that its second half would decide can be left in that.
    """
    known, comes = series.flatten(1).chunk(2, dim=1)
    mean, std = known.mean(1, keepdim=True), known.std(1, keepdim=True).clamp(min=1e-6)
    return ((known - mean) / std)[:, None, None], (comes - mean) / std


def series_of(data: DataConfig) -> ImageSet:
    """The data set, if forecasts can be made in it.

    Raises:
        NormlabError: for data that are no series of one value a step.
    """
    known = {name: found for name, found in SERIES_SETS.items() if found.shape[0] == 1}
    if data.name not in known:
        raise NormlabError(f"task=forecast reads data={', '.join(known)}, not data={data.name}")
    return known[data.name]


def load(data: DataConfig, seed: int) -> Splits:
    """What is known and what comes, the latter standardized over the training series.

    Raises:
        NormlabError: for data that are no series of one value a step, or options of images.
    """
    series_of(data)
    refuse_what_images_have(data, "series")
    whole = load_splits(data, seed)
    parts = [halves(part.images) for part in (whole.train, whole.validation, whole.test)]
    mean = parts[0][1].mean(0)
    std = (parts[0][1] - mean).square().mean().sqrt()  # so that saying the mean of each step has a loss of 1
    train, validation, test = (Split(known, (comes - mean) / std) for known, comes in parts)
    return Splits(train, validation, test, (1, 1, train.images.shape[-1]), train.labels.shape[1])


def make(config: RunConfig, device: torch.device, pretrained: Mapping[str, Tensor] | None) -> Supervised:
    """The net on its series."""
    splits = load(config.data, config.seed)
    return Supervised(config, splits, lambda: net_of(config), device, pretrained, PREDICT)


def net_of(config: RunConfig) -> nn.Module:
    """The net, for which the length of the series is enough.

    Raises:
        NormlabError: as :func:`load`.
    """
    steps = series_of(config.data).shape[-1] // 2
    return make_net(config.net, config.norm, (1, 1, steps), steps, config.seed, NETS)


def data_version(data: DataConfig) -> int | str:
    return SERIES_SETS[data.name].version if data.name in SERIES_SETS else 0


def version(net: NetConfig) -> str:
    return net_version(net, NETS)


def cost(config: RunConfig) -> float:
    return config.training.epochs * 1000 * sum(config.net.widths) * 1e-4


TASK = Task("forecast", REGRESSION, make, net_of, data_version, version, cost)
