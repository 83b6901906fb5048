"""Recommendation: how many stars a person will give a film."""

from collections.abc import Mapping
from itertools import pairwise

import torch
from torch import Tensor, nn

from normlab.config import DataConfig, NetConfig, RunConfig
from normlab.core.metric import REGRESSION
from normlab.data.batches import FIXED, Split, Splits, refuse_what_images_have
from normlab.data.images import read
from normlab.data.ratings import FILMS, MOVIELENS, PEOPLE
from normlab.errors import NormlabError
from normlab.nets import make_net, net_version
from normlab.nets.block import Parts
from normlab.seeds import generator
from normlab.tasks.supervised import Supervised
from normlab.tasks.task import Task
from normlab.training.objective import PREDICT


class Collaborative(nn.Module):
    """What a person and a film are, learned as vectors, side by side through fully connected layers to one number.

    (N, 2) numbers of people and films → (N, 1) stars, standardized.

    Paper: He et al. 2017 (neural collaborative filtering, its perceptron).
    """

    def __init__(self, parts: Parts) -> None:
        super().__init__()
        features, *widths = parts.net.widths
        self.people, self.films = nn.Embedding(PEOPLE, features), nn.Embedding(FILMS, features)
        for name, table in (("people", self.people), ("films", self.films)):
            nn.init.normal_(table.weight, std=0.1, generator=generator(parts.seed, f"init/{name}"))
        layers: list[nn.Module] = []
        for before, after in pairwise((2 * features, *widths)):
            norm = parts.norm(after, "fc")
            layers.append(parts.stage(parts.linear(before, after, norm), norm))
        self.layers = nn.Sequential(*layers, *parts.head(widths[-1], 1))

    def forward(self, input: Tensor) -> Tensor:
        says: Tensor = self.layers(torch.cat([self.people(input[:, 0]), self.films(input[:, 1])], dim=1))
        return says


def build(parts: Parts, shape: tuple[int, int, int], classes: int) -> nn.Module:
    """A :class:`Collaborative`; the first of ``net.widths`` is the length of its vectors, the others are its layers'.

    Raises:
        NormlabError: for fewer than two widths.
    """
    del shape, classes
    if len(parts.net.widths) < 2:
        raise NormlabError(
            "net=collaborative: net.widths are the length of its vectors, and at least one layer's width"
        )
    return Collaborative(parts)


NETS = {"collaborative": (build, 1)}


def load(data: DataConfig, seed: int) -> Splits:
    """Pairs (N, 2) and stars (N, 1), standardized over all that training may use; validation is fixed, the training subset drawn by
    ``seed``.

    Raises:
        NormlabError: for other data, options of images, or more pairs than there are.
    """
    if data.name != MOVIELENS.name:
        raise NormlabError(f"task=recommendation reads data={MOVIELENS.name}, not data={data.name}")
    refuse_what_images_have(data, "ratings")
    arrays = read(MOVIELENS)
    pairs, stars = (torch.from_numpy(a.astype("int64")) for a in (arrays.train_images, arrays.train_labels))
    order = torch.randperm(len(pairs), generator=generator(FIXED, "validation"))
    validation, rest = order[: data.validation_size], order[data.validation_size :]
    if data.train_size is not None:
        rest = rest[torch.randperm(len(rest), generator=generator(seed, "subset"))[: data.train_size]]
    if len(rest) < max(data.batch_size, data.train_size or 0):
        raise NormlabError(f"data.train_size={data.train_size}: there are {len(rest)} ratings to train on")
    mean, std = stars.float().mean(), stars.float().std()

    def split(pairs: Tensor, stars: Tensor) -> Split:
        return Split(pairs, ((stars.float() - mean) / std)[:, None])

    test = [torch.from_numpy(a.astype("int64")) for a in (arrays.test_images, arrays.test_labels)]
    asked = slice(data.test_size)
    return Splits(
        split(pairs[rest], stars[rest]),
        split(pairs[validation], stars[validation]),
        split(test[0][asked], test[1][asked]),
        (1, 1, 2),
        1,
    )


def make(config: RunConfig, device: torch.device, pretrained: Mapping[str, Tensor] | None) -> Supervised:
    """The net on its ratings."""
    splits = load(config.data, config.seed)
    return Supervised(config, splits, lambda: net_of(config), device, pretrained, PREDICT)


def net_of(config: RunConfig) -> nn.Module:
    """The net."""
    return make_net(config.net, config.norm, (1, 1, 2), 1, config.seed, NETS)


def data_version(data: DataConfig) -> int | str:
    return MOVIELENS.version


def version(net: NetConfig) -> str:
    return net_version(net, NETS)


def cost(config: RunConfig) -> float:
    return config.training.epochs * (config.data.train_size or 75_000) * sum(config.net.widths) * 1e-6


TASK = Task("recommendation", REGRESSION, make, net_of, data_version, version, cost)
