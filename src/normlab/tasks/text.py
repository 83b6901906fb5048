"""Next characters: a recurrent net or a transformer reads text and says at every position which character comes next."""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from normlab.config import DataConfig, NetConfig, RunConfig
from normlab.core.metric import CLASSIFICATION
from normlab.data.batches import FIXED, Split, Splits, refuse_what_images_have
from normlab.data.text import TEXTS, find_text
from normlab.errors import NormlabError
from normlab.nets import make_net, net_version
from normlab.nets.block import Parts
from normlab.nets.recurrent import Memory, one_width
from normlab.nets.transformer import Encoder, positions
from normlab.seeds import generator
from normlab.tasks.supervised import Supervised
from normlab.tasks.task import Task

SIZES = {"train": 2000, "test": 1000}  # sequences, where the configuration says nothing


def load(data: DataConfig, seed: int) -> Splits:
    """Sequences (N, T) and the character behind each of theirs (N, T); training ones are drawn by ``seed``.

    Raises:
        NormlabError: for other data, for what only images have, and for a book that is not there.
    """
    text = find_text(data.name)
    refuse_what_images_have(data, "texts")

    def split(part: str, count: int, source: torch.Generator) -> Split:
        whole = text.draw(part, count, source)
        return Split(whole[:, :-1].contiguous(), whole[:, 1:].contiguous())

    train = split("train", data.train_size or SIZES["train"], generator(seed, "subset"))
    validation = split("validation", data.validation_size, generator(FIXED, "validation"))
    test = split("test", data.test_size or SIZES["test"], generator(FIXED, "test"))
    if len(train) < data.batch_size:
        raise NormlabError(f"data.batch_size={data.batch_size} is more than the {len(train)} training sequences")
    return Splits(train, validation, test, (1, 1, text.length), len(text.alphabet))


class Reader(nn.Module):
    """Says at every position which character comes next: (N, T) characters → (N, classes, T) logits."""

    def __init__(self, parts: Parts, kind: str, length: int, classes: int) -> None:
        super().__init__()
        self.classes = classes
        self.memory = Memory(parts, kind, classes, one_width(parts), length)
        self.head = nn.Sequential(*parts.head(self.memory.hidden, classes))

    def forward(self, input: Tensor) -> Tensor:
        letters = F.one_hot(input, self.classes).to(next(self.parameters()).dtype)
        says: Tensor = self.head(self.memory(letters))
        return says.transpose(1, 2)


class CausalTransformer(nn.Module):
    """The same of an :class:`Encoder` in which no character looks at later ones: (N, T) characters, no more than in
    training → (N, classes, T) logits."""

    def __init__(self, parts: Parts, length: int, classes: int) -> None:
        super().__init__()
        if len(parts.net.widths) != 1:
            raise NormlabError(f"net.widths={list(parts.net.widths)}: net=transformer has one, as in net.widths=[64]")
        (features,) = parts.net.widths
        self.classes = classes
        self.embed = nn.Linear(classes, features)
        self.positions = positions(parts, length, features)
        self.encoder = Encoder(parts, features, causal=True)
        self.head = nn.Sequential(*parts.head(features, classes))

    def forward(self, input: Tensor) -> Tensor:
        letters = F.one_hot(input, self.classes).to(self.positions.dtype)
        says: Tensor = self.head(self.encoder(self.embed(letters) + self.positions[:, : input.shape[1]]))
        return says.transpose(1, 2)


def build_transformer(parts: Parts, shape: tuple[int, int, int], classes: int) -> nn.Module:
    """A :class:`CausalTransformer`."""
    return CausalTransformer(parts, shape[-1], classes)


def build_lstm(parts: Parts, shape: tuple[int, int, int], classes: int) -> nn.Module:
    """A :class:`Reader` of long short-term memories."""
    return Reader(parts, "lstm", shape[-1], classes)


def build_gru(parts: Parts, shape: tuple[int, int, int], classes: int) -> nn.Module:
    """A :class:`Reader` of gated recurrent units."""
    return Reader(parts, "gru", shape[-1], classes)


NETS = {"lstm": (build_lstm, 3), "gru": (build_gru, 2), "transformer": (build_transformer, 1)}


def make(config: RunConfig, device: torch.device, pretrained: Mapping[str, Tensor] | None) -> Supervised:
    """The net on its text."""
    return Supervised(config, load(config.data, config.seed), lambda: net_of(config), device, pretrained)


def net_of(config: RunConfig) -> nn.Module:
    """The net."""
    text = find_text(config.data.name)
    return make_net(config.net, config.norm, (1, 1, text.length), len(text.alphabet), config.seed, NETS)


def data_version(data: DataConfig) -> int:
    return TEXTS[data.name].version if data.name in TEXTS else 0


def version(net: NetConfig) -> str:
    return net_version(net, NETS)


def cost(config: RunConfig) -> float:
    sequences = config.training.epochs * (config.data.train_size or SIZES["train"])
    return sequences * find_text(config.data.name).length * (0.02 + config.net.widths[0] ** 2 * 1e-6)


TASK = Task("text", CLASSIFICATION, make, net_of, data_version, version, cost)
