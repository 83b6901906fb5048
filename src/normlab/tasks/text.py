"""Next characters: a recurrent net or a transformer reads text and says at every position which character comes next."""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from normlab.config import DataConfig, NetConfig, RunConfig
from normlab.core.metric import CLASSIFICATION
from normlab.data.batches import FIXED, Split, Splits, refuse_what_images_have
from normlab.errors import NormlabError
from normlab.nets import make_net, net_version
from normlab.nets.block import Parts
from normlab.nets.recurrent import Memory, one_width
from normlab.nets.transformer import Encoder, positions
from normlab.seeds import generator
from normlab.tasks.supervised import Supervised
from normlab.tasks.task import Task

CHARACTERS = "0123456789+=;"
LENGTH = 32  # characters of a sequence
SIZES = {"train": 2000, "test": 1000}  # sequences, where the configuration says nothing
DATA = {"sums": 1}  # name: version


def sums(count: int, source: torch.Generator) -> Tensor:
    """``count`` sequences of LENGTH + 1 characters, as their numbers: sums of two numbers below 100, such as ``7+35=42;``, one behind
    the other from a random place on.
    """
    rows = []
    for _ in range(count):
        text = ""
        first = int(torch.randint(0, 6, (1,), generator=source))
        while len(text) < first + LENGTH + 1:
            a, b = torch.randint(0, 100, (2,), generator=source).tolist()
            text += f"{a}+{b}={a + b};"
        rows.append([CHARACTERS.index(character) for character in text[first : first + LENGTH + 1]])
    return torch.tensor(rows)


def load(data: DataConfig, seed: int) -> Splits:
    """Sequences (N, T) and the character behind each of theirs (N, T); training ones are drawn by ``seed``.

    Raises:
        NormlabError: for other data, and for what only images have.
    """
    if data.name not in DATA:
        raise NormlabError(f"task=text reads data={', '.join(DATA)}, not data={data.name}")
    refuse_what_images_have(data, "texts")

    def split(count: int, source: torch.Generator) -> Split:
        whole = sums(count, source)
        return Split(whole[:, :-1].contiguous(), whole[:, 1:].contiguous())

    train = split(data.train_size or SIZES["train"], generator(seed, "subset"))
    validation = split(data.validation_size, generator(FIXED, "validation"))
    test = split(data.test_size or SIZES["test"], generator(FIXED, "test"))
    if len(train) < data.batch_size:
        raise NormlabError(f"data.batch_size={data.batch_size} is more than the {len(train)} training sequences")
    return Splits(train, validation, test, (1, 1, LENGTH), len(CHARACTERS))


class Reader(nn.Module):
    """Says at every position which character comes next: (N, T) characters → (N, classes, T) logits."""

    def __init__(self, parts: Parts, kind: str, classes: int) -> None:
        super().__init__()
        self.classes = classes
        self.memory = Memory(parts, kind, classes, one_width(parts), LENGTH)
        self.head = nn.Sequential(*parts.head(self.memory.hidden, classes))

    def forward(self, input: Tensor) -> Tensor:
        letters = F.one_hot(input, self.classes).to(next(self.parameters()).dtype)
        says: Tensor = self.head(self.memory(letters))
        return says.transpose(1, 2)


class CausalTransformer(nn.Module):
    """The same of an :class:`Encoder` in which no character looks at later ones: (N, T) characters, T ≤ 32 → (N, classes, T) logits."""

    def __init__(self, parts: Parts, classes: int) -> None:
        super().__init__()
        if len(parts.net.widths) != 1:
            raise NormlabError(f"net.widths={list(parts.net.widths)}: net=transformer has one, as in net.widths=[64]")
        (features,) = parts.net.widths
        self.classes = classes
        self.embed = nn.Linear(classes, features)
        self.positions = positions(parts, LENGTH, features)
        self.encoder = Encoder(parts, features, causal=True)
        self.head = nn.Sequential(*parts.head(features, classes))

    def forward(self, input: Tensor) -> Tensor:
        letters = F.one_hot(input, self.classes).to(self.positions.dtype)
        says: Tensor = self.head(self.encoder(self.embed(letters) + self.positions[:, : input.shape[1]]))
        return says.transpose(1, 2)


def build_transformer(parts: Parts, shape: tuple[int, int, int], classes: int) -> nn.Module:
    """A :class:`CausalTransformer`."""
    del shape
    return CausalTransformer(parts, classes)


def build_lstm(parts: Parts, shape: tuple[int, int, int], classes: int) -> nn.Module:
    """A :class:`Reader` of long short-term memories."""
    del shape  # it reads sequences of any length
    return Reader(parts, "lstm", classes)


def build_gru(parts: Parts, shape: tuple[int, int, int], classes: int) -> nn.Module:
    """A :class:`Reader` of gated recurrent units."""
    del shape
    return Reader(parts, "gru", classes)


NETS = {"lstm": (build_lstm, 2), "gru": (build_gru, 1), "transformer": (build_transformer, 1)}


def make(config: RunConfig, device: torch.device, pretrained: Mapping[str, Tensor] | None) -> Supervised:
    """The net on its text."""
    return Supervised(config, load(config.data, config.seed), lambda: net_of(config), device, pretrained)


def net_of(config: RunConfig) -> nn.Module:
    """The net."""
    return make_net(config.net, config.norm, (1, 1, LENGTH), len(CHARACTERS), config.seed, NETS)


def data_version(data: DataConfig) -> int:
    return DATA.get(data.name, 0)


def version(net: NetConfig) -> str:
    return net_version(net, NETS)


def cost(config: RunConfig) -> float:
    sequences = config.training.epochs * (config.data.train_size or SIZES["train"])
    return sequences * LENGTH * (0.02 + config.net.widths[0] ** 2 * 1e-6)


TASK = Task("text", CLASSIFICATION, make, net_of, data_version, version, cost)
