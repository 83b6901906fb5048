"""The articles' outlines, with the claims that each part makes."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from normlab.core.claim import Text


@dataclass(frozen=True)
class Part:
    """A part of an article: how it is cited, and what it is about."""

    cite: str
    title: Text


@dataclass(frozen=True)
class Article:
    """An article by its letter."""

    letter: str
    title: Text
    parts: tuple[Part, ...]

    def part_of(self, source: str) -> Part | None:
        """The part that a claim's source lies in: the one whose citation it begins with, the longest of several."""
        found = [part for part in self.parts if source == part.cite or source.startswith(part.cite + " ")]
        return max(found, key=lambda part: len(part.cite), default=None)


def load_articles(file: Path) -> list[Article]:
    """The outlines that a file holds."""
    content: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return [
        Article(
            letter,
            Text(**found["title"]),
            tuple(Part(part["cite"], Text(part["en"], part["ja"])) for part in found["parts"]),
        )
        for letter, found in content.items()
    ]


def unplaced(articles: Sequence[Article], sources: Sequence[str]) -> list[str]:
    """The sources that lie in no part."""
    return [source for source in sources if not any(article.part_of(source) for article in articles)]
