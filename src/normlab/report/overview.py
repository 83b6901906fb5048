"""All verdicts in one picture: a block a question, a chip a claim, coloured by its verdict."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from normlab.core.word import Word
from normlab.report.style import OLD, VERDICT_COLOURS

WIDTH, ROW = 13.5, 0.27  # inches: the picture's width and the height of a line of chips
LETTER, FONT = 0.0685, 8.0  # inches a monospaced letter takes at this size in points
PAD, GAP, LEFT, BETWEEN = 0.09, 0.07, 0.1, 0.36

MARKS = {
    Word.HOLDS: "✓",
    Word.VERIFIED: "✓",
    Word.MOSTLY_HOLDS: "✓",
    Word.DEPENDS: "◐",
    Word.VARIES: "◐",
    Word.NO_DIFFERENCE: "≈",
    Word.ABSENT: "✗",
    Word.CONTRADICTED: "✗",
    Word.FALSIFIED: "✗",
    Word.UNRESOLVED: "?",
    Word.NOT_RUN: "–",
}


@dataclass(frozen=True)
class Block:
    """A question and the words of its claims; ``old``: of evidence to be replaced, which is shown in grey."""

    title: str
    claims: Mapping[str, Word]
    old: bool = False


Chip = tuple[str, Word, float, int]  # text, word, distance from the left and line from the block's top


def chips(claims: Mapping[str, Word]) -> tuple[list[Chip], int]:
    """Where each claim's chip stands in its block, and how many lines the block takes."""
    placed: list[Chip] = []
    x, line = LEFT, 0
    for name, word in claims.items():
        width = _width(name)
        if x + width > WIDTH - LEFT and x > LEFT:
            x, line = LEFT, line + 1
        placed.append((name, word, x, line))
        x += width + GAP
    return placed, line + 1


def overview_figure(questions: Sequence[Block]) -> Figure | None:
    """The picture of all questions that have claims, with the counts of words above; None without any."""
    blocks = [(block, *chips(block.claims)) for block in questions if block.claims]
    if not blocks:
        return None
    height = sum(BETWEEN + ROW * (lines + 0.25) for _, _, lines in blocks) + 0.5
    figure, ax = plt.subplots(figsize=(WIDTH, height))
    ax.set(xlim=(0, WIDTH), ylim=(height, 0))
    ax.set_axis_off()
    figure.subplots_adjust(0, 0, 1, 1)
    counts = Counter(word for block in questions if not block.old for word in block.claims.values())
    x = LEFT
    for word in [word for word in Word if counts[word]]:
        x = _chip(ax, f"{word} {counts[word]}", word, x, 0.22, VERDICT_COLOURS[word]) + 2 * GAP
    y = 0.5
    for block, placed, lines in blocks:
        title = f"{block.title}  (edition 1, to be replaced)" if block.old else block.title
        ax.text(
            LEFT,
            y + BETWEEN - 0.1,
            title,
            fontsize=11,
            fontweight="bold",
            va="bottom",
            color=OLD if block.old else "black",
        )
        y += BETWEEN
        for name, word, x, line in placed:
            _chip(ax, name, word, x, y + ROW * (line + 0.5), OLD if block.old else VERDICT_COLOURS[word])
        y += ROW * (lines + 0.25)
    return figure


def _width(text: str) -> float:
    return LETTER * (len(text) + 2) + 2 * PAD


def _chip(ax: Axes, text: str, word: Word, x: float, y: float, colour: str) -> float:
    """Draw a chip from ``x`` on, centred on ``y``; where it ends."""
    width = _width(text)
    box = FancyBboxPatch(
        (x, y - 0.1), width, 0.2, boxstyle="round,pad=0,rounding_size=0.06", facecolor=colour, linewidth=0,
    )  # fmt: skip
    ax.add_patch(box)
    ax.text(
        x + width / 2, y + 0.005, f"{MARKS[word]} {text}", family="DejaVu Sans Mono", fontsize=FONT, color="white",
        ha="center", va="center",
    )  # fmt: skip
    return x + width
