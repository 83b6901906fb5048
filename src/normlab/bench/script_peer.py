"""A peer: the training script as most people write it, with torchvision's data set, PIL transforms and a DataLoader."""

import importlib
import itertools
import time
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

from normlab.bench.crew import Turns
from normlab.config import RunConfig
from normlab.data import find_image_set
from normlab.data.images import read
from normlab.data.sources import torchvision_datasets

WARM = 6  # Steps before the clock starts: what loader workers fetched ahead is used up by then.


def plain_net(channels: int, widths: tuple[int, ...], hidden: int, classes: int) -> nn.Module:
    """The plain CNN with batch norm as a script spells it: conv, norm, ReLU, pool."""
    layers: list[nn.Module] = []
    for index, width in enumerate(widths):
        layers += [nn.Conv2d(channels, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
        if index < len(widths) - 1:
            layers.append(nn.MaxPool2d(2))
        channels = width
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    layers += [nn.Linear(channels, hidden, bias=False), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Linear(hidden, classes)]
    return nn.Sequential(*layers)


def torchvision_set(config: RunConfig) -> Dataset[Any]:
    """torchvision's own data set class over the checked images, with the transforms that go with it."""
    datasets = torchvision_datasets()
    transforms = importlib.import_module("torchvision.transforms")
    image_set = find_image_set(config.data.name)
    arrays = read(image_set)
    steps = [
        transforms.ToTensor(),
        transforms.Normalize([m / 255 for m in image_set.mean], [s / 255 for s in image_set.std]),
    ]
    if config.data.augment == "flip_crop":
        steps = [transforms.RandomCrop(32, padding=4), transforms.RandomHorizontalFlip(), *steps]
    kind = {"cifar10": datasets.CIFAR10, "mnist": datasets.MNIST}[config.data.name]
    made = kind.__new__(kind)  # Its constructor would look for files in its own layout.
    made.transform, made.target_transform, made.train = transforms.Compose(steps), None, True
    images, labels = arrays.train_images[: config.data.train_size], arrays.train_labels[: config.data.train_size]
    if config.data.name == "cifar10":
        made.data, made.targets = images.transpose(0, 2, 3, 1).copy(), labels.tolist()
    else:
        made.data, made.targets = torch.from_numpy(images[:, 0].copy()), torch.from_numpy(labels.astype("int64"))
    return made


def make_plain_net(config: RunConfig) -> nn.Module:
    """:func:`plain_net` of a configuration."""
    image_set = find_image_set(config.data.name)
    return plain_net(image_set.shape[0], config.net.widths, config.net.hidden or 0, image_set.classes)


def load(images: Dataset[Any], batch_size: int, workers: int) -> DataLoader[Any]:
    """Shuffled batches. Workers are forked, as they are in a script; a crew's processes are not."""
    context = "fork" if workers else None
    return DataLoader(images, batch_size=batch_size, shuffle=True, num_workers=workers, multiprocessing_context=context)


def scripts(config: RunConfig, steps: int) -> Turns:
    """Turns of ``steps`` steps with a loader in the process and with two loader workers: samples a second."""
    images = torchvision_set(config)
    batch = config.data.batch_size
    torch.manual_seed(0)
    net = make_plain_net(config)
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(net.parameters(), lr=config.optimizer.lr, momentum=0.9)

    def turn(workers: int) -> float:
        loader = load(images, batch, workers)
        net.train()
        train_loss, correct, total = 0.0, 0, 0
        started = 0.0
        for step, (inputs, targets) in enumerate(itertools.islice(loader, WARM + steps)):
            if step == WARM:
                started = time.perf_counter()
            optimizer.zero_grad()
            outputs = net(inputs)
            loss = criterion(outputs, targets)
            loss.backward()
            optimizer.step()
            train_loss += loss.item()
            _, predicted = outputs.max(1)
            total += targets.size(0)
            correct += predicted.eq(targets).sum().item()
        return steps * batch / (time.perf_counter() - started)

    return {"0 workers": lambda: turn(0), "2 workers": lambda: turn(2)}
