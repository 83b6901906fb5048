"""Texts that sequences of characters are drawn from."""

from functools import lru_cache
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from normlab.data.book import ALPHABET, EVERY_TENTH, MOBY_DICK
from normlab.data.images import read
from normlab.errors import NormlabError


class Text(Protocol):
    """Where sequences come from: ``draw(part, count, source)`` gives ``count`` of them of a part (train, validation or test), each of
    ``length`` + 1 characters as their places in ``alphabet``, (count, length + 1).
    """

    alphabet: str
    length: int
    version: int

    def draw(self, part: str, count: int, source: torch.Generator) -> Tensor: ...


class Sums:
    """Sums of two numbers below 100, such as ``7+35=42;``, one behind the other from a random place on."""

    alphabet = "0123456789+=;"
    length = 32
    version = 1

    def draw(self, part: str, count: int, source: torch.Generator) -> Tensor:
        del part  # all are drawn alike
        rows = []
        for _ in range(count):
            text = ""
            first = int(torch.randint(0, 6, (1,), generator=source))
            while len(text) < first + self.length + 1:
                a, b = torch.randint(0, 100, (2,), generator=source).tolist()
                text += f"{a}+{b}={a + b};"
            rows.append([self.alphabet.index(character) for character in text[first : first + self.length + 1]])
        return torch.tensor(rows)


class Book:
    """Excerpts of a novel's chapters, none of them over the end of one: every tenth chapter is for testing, and of the others every tenth
    for validation.
    """

    alphabet = ALPHABET
    length = 64
    version = 1

    def draw(self, part: str, count: int, source: torch.Generator) -> Tensor:
        letters, first = _excerpts(part, self.length + 1)
        chosen = first[torch.randint(0, len(first), (count,), generator=source)]
        return letters[chosen[:, None] + torch.arange(self.length + 1)]


@lru_cache(maxsize=3)
def _excerpts(part: str, size: int) -> tuple[Tensor, Tensor]:
    """The characters of a part of the book, and where in it an excerpt may begin."""
    arrays = read(MOBY_DICK)
    train = part != "test"
    letters, chapters = arrays[:2] if train else arrays[2:]
    if train:
        order = np.searchsorted(np.unique(chapters), chapters)
        held_out = order % EVERY_TENTH == EVERY_TENTH - 1
        chosen = held_out if part == "validation" else ~held_out
        letters, chapters = letters[chosen], chapters[chosen]
    first = np.flatnonzero(chapters[: -size + 1] == chapters[size - 1 :])
    return torch.from_numpy(letters).long(), torch.from_numpy(first)


TEXTS: dict[str, Text] = {"sums": Sums(), "moby_dick": Book()}


def find_text(name: str) -> Text:
    """The text called ``name``.

    Raises:
        NormlabError: if there is none.
    """
    if name not in TEXTS:
        raise NormlabError(f"task=text reads data={', '.join(TEXTS)}, not data={name}")
    return TEXTS[name]
