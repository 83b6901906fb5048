"""Segmentation: which class of thing stands at every pixel of a scene."""

import math
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from normlab.config import DataConfig, NetConfig, RunConfig
from normlab.core.metric import IOU
from normlab.data import find_image_set
from normlab.data.batches import Split, Splits
from normlab.data.scenes import SCENES, SIDE, VERSION, Scenes, load_scenes, standardized
from normlab.nets import make_net, net_version, unet
from normlab.tasks.supervised import Supervised
from normlab.tasks.task import Task
from normlab.training.objective import Objective

NETS = {"unet": (unet.build, 1)}
SHAPE = (1, SIDE, SIDE)
ARITHMETIC = 1  # bumped when the loss changes; part of every run's key


def mean_iou(logits: Tensor, masks: Tensor) -> float:
    """Of each class |said ∩ true| / |said ∪ true| over all pixels of all images, the mean over the classes that are there.

    logits (N, classes, H, W), masks (N, H, W).
    """
    classes, said = logits.shape[1], logits.argmax(1)
    both = torch.bincount(masks[said == masks], minlength=classes)
    either = (
        torch.bincount(masks.flatten(), minlength=classes) + torch.bincount(said.flatten(), minlength=classes) - both
    )
    there = torch.bincount(masks.flatten(), minlength=classes) > 0
    return (both[there] / either[there]).double().mean().item()


def loss(logits: Tensor, masks: Tensor) -> Tensor:
    """Cross-entropy, the mean over pixels of things and the mean over the others counting alike: nothing stands at most pixels."""
    found, thing = F.cross_entropy(logits, masks, reduction="none"), (masks > 0).to(logits.dtype)
    others = 1 - thing
    return ((found * thing).sum() / thing.sum().clamp(min=1) + (found * others).sum() / others.sum().clamp(min=1)) / 2


def ignorance(splits: Splits) -> float:
    """The loss of saying of every pixel how much each class counts in training: −Σ p ln p, nothing having p = 1/2."""
    counts = torch.bincount(splits.train.labels.flatten())[1:].double()
    shares = [0.5, *(counts / counts.sum() / 2).tolist()]
    return -sum(share * math.log(share) for share in shares if share)


# Classes of pixels: logits (N, classes, H, W) and masks (N, H, W).
SEGMENT = Objective(
    {IOU.name: IOU},
    loss,
    lambda logits, masks: {IOU.name: mean_iou(logits, masks)},
    ignorance,
    lambda splits: {"nothing": 0.0},
)


def load(data: DataConfig, seed: int) -> Splits:
    """Scenes (N, 1, 48, 48) and what stands at every pixel (N, 48, 48), 0 being nothing.

    Raises:
        NormlabError: as :func:`normlab.data.scenes.load_scenes`.
    """
    scenes = load_scenes(data, seed)

    def split(part: Scenes) -> Split:
        return Split(standardized(part, data.name), part.masks)

    return Splits(split(scenes.train), split(scenes.validation), split(scenes.test), SHAPE, classes_of(data))


def classes_of(data: DataConfig) -> int:
    """Of pixels: those of the things, and nothing."""
    return 1 + find_image_set(data.name).classes


def make(config: RunConfig, device: torch.device, pretrained: Mapping[str, Tensor] | None) -> Supervised:
    """The net on its scenes."""
    return Supervised(config, load(config.data, config.seed), lambda: net_of(config), device, pretrained, SEGMENT)


def net_of(config: RunConfig) -> nn.Module:
    """The net."""
    return make_net(config.net, config.norm, SHAPE, classes_of(config.data), config.seed, NETS)


def data_version(data: DataConfig) -> str:
    return f"{find_image_set(data.name).version}-scenes{VERSION}"


def version(net: NetConfig) -> str:
    return f"{net_version(net, NETS)}-{ARITHMETIC}"


def cost(config: RunConfig) -> float:
    scenes = config.training.epochs * (config.data.train_size or SCENES["train"])
    return scenes * sum(config.net.widths) ** 2 * 1e-4


TASK = Task("segmentation", {IOU.name: IOU}, make, net_of, data_version, version, cost)
