"""Texts: what is made of a book's chapters, and the sequences drawn from it."""

from collections.abc import Iterator

import pytest
import torch

from normlab.data import text
from normlab.data.book import ALPHABET, plain, read_chapters
from normlab.data.images import Arrays
from normlab.data.text import Book, Sums, find_text
from normlab.errors import NormlabError


def said(letters: object) -> str:
    return "".join(ALPHABET[number] for number in letters)  # type: ignore[attr-defined]


@pytest.fixture
def chapters(monkeypatch: pytest.MonkeyPatch) -> Iterator[Arrays]:
    """Chapters of one letter each, a hundred times."""
    arrays = read_chapters([ALPHABET[number] * 100 for number in range(22)])
    text._excerpts.cache_clear()
    monkeypatch.setattr(text, "read", lambda data_set: arrays)
    yield arrays
    text._excerpts.cache_clear()


def test_a_text_becomes_small_letters_of_the_alphabet() -> None:
    assert plain("“Ça—va?”\n\n\tHe  said:\u00a0‘No’…  7 & 8") == "\"ca-va?\" he said: 'no'..."
    assert set(plain("Ünicode\n½ 漢字 A.")) <= set(ALPHABET)


def test_every_tenth_chapter_is_for_testing(chapters: Arrays) -> None:
    assert said(chapters.test_images) == "j" * 100 + "t" * 100
    assert set(chapters.test_labels.tolist()) == {9, 19}
    assert said(chapters.train_images[95:105]) == "aaaaabbbbb"
    assert len(chapters.train_images) == 2000


def test_no_excerpt_runs_over_the_end_of_a_chapter_and_no_part_shares_one(chapters: Arrays) -> None:
    seen = {}
    for part in ("train", "validation", "test"):
        rows = Book().draw(part, 500, torch.Generator().manual_seed(0))
        assert rows.shape == (500, Book.length + 1)
        assert all(len(set(row)) == 1 for row in rows.tolist())
        seen[part] = set(said(rows[:, 0].tolist()))
    assert seen["test"] == {"j", "t"}
    assert seen["validation"] == {"k", "v"}  # every tenth of the twenty that are not for testing
    assert seen["train"] == set(ALPHABET[:22]) - {"j", "t", "k", "v"}


def test_excerpts_begin_anywhere_in_a_chapter(monkeypatch: pytest.MonkeyPatch) -> None:
    chapter = "".join(ALPHABET[(i * i) % 26] for i in range(Book.length + 4))
    arrays = read_chapters([chapter] * 11)
    text._excerpts.cache_clear()
    monkeypatch.setattr(text, "read", lambda data_set: arrays)
    rows = Book().draw("train", 400, torch.Generator().manual_seed(0))
    found = {said(row) for row in rows.tolist()}
    assert found == {chapter[first : first + Book.length + 1] for first in range(4)}
    text._excerpts.cache_clear()


def test_sums_are_right() -> None:
    for row in Sums().draw("train", 20, torch.Generator().manual_seed(0)).tolist():
        line = "".join(Sums.alphabet[number] for number in row)
        for whole in line.split(";")[1:-1]:
            left, right = whole.split("=")
            assert sum(map(int, left.split("+"))) == int(right)


def test_texts_are_found_by_name() -> None:
    assert isinstance(find_text("moby_dick"), Book)
    with pytest.raises(NormlabError, match="task=text reads data=sums, moby_dick, not data=digits"):
        find_text("digits")
