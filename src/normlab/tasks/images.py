"""Images and their classes."""

from collections.abc import Mapping

import torch
from torch import Tensor

from normlab.config import DataConfig, RunConfig
from normlab.core.metric import CLASSIFICATION
from normlab.data import find_image_set
from normlab.data.batches import load_splits, shape_of
from normlab.nets import make_net, net_version
from normlab.tasks.supervised import Supervised
from normlab.tasks.task import Task


def make(config: RunConfig, device: torch.device, pretrained: Mapping[str, Tensor] | None) -> Supervised:
    """A net of :mod:`normlab.nets` on a data set of :mod:`normlab.data`."""
    splits = load_splits(config.data, config.seed)

    def net() -> torch.nn.Module:
        return make_net(config.net, config.norm, splits.shape, splits.classes, config.seed)

    return Supervised(config, splits, net, device, pretrained)


def net_of(config: RunConfig) -> torch.nn.Module:
    """The net, for which the data set's shape is enough."""
    image_set = find_image_set(config.data.name)
    classes = len(config.data.classes or ()) or image_set.classes
    return make_net(config.net, config.norm, shape_of(config.data), classes, config.seed)


def data_version(data: DataConfig) -> int | str:
    return find_image_set(data.name).version


def cost(config: RunConfig) -> float:
    """A fixed part a step, and the multiplications of the run's samples."""
    channels, height, width = shape_of(config.data)
    images = config.data.train_size or {"digits": 1137}.get(config.data.name, 50_000)
    multiplications, pixels, before = 0.0, float(height * width), channels
    residual = config.net.name.startswith("resnet")
    for after, depth in zip(config.net.widths, config.net.depths, strict=True):
        layers = (depth - 2) // 3 if residual else depth
        multiplications += pixels * 9 * (before * after + (layers - 1) * after * after)
        pixels, before = pixels / 4, after
    samples = config.training.epochs * images
    layers = sum(config.net.depths)
    return samples / config.data.batch_size * (0.4 + 0.25 * layers) + samples * multiplications * 1e-7


TASK = Task("images", CLASSIFICATION, make, net_of, data_version, net_version, cost)
