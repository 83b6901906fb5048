"""What papers report of the same questions."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from normlab.core.claim import Text


@dataclass(frozen=True)
class Reported:
    """What a paper reports, and how it is cited."""

    cite: str
    text: Text


def load_literature(file: Path) -> Mapping[str, list[Reported]]:
    """By claim, what a file holds.

    Raises:
        KeyError: for a work that the file does not name.
    """
    content: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return {
        claim: [Reported(content["works"][each["work"]], Text(each["en"], each["ja"])) for each in reported]
        for claim, reported in content["claims"].items()
    }
