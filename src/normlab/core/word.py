"""What a verdict says: a word, and where the word needs one a reason."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Word(StrEnum):
    """The words of settings and claims, in the order in which they are counted and shown."""

    SUPPORTED = "supported"
    VERIFIED = "verified"
    REFUTED = "refuted"
    FALSIFIED = "falsified"
    CONDITIONAL = "conditional"
    INCONCLUSIVE = "inconclusive"
    NOT_RUN = "not run"


class Reason(StrEnum):
    """Why a word was given, where that is not plain."""

    NONE = ""
    TOO_SMALL = "real but too small"


@dataclass(frozen=True)
class Verdict:
    """A word and its reason; as text, "refuted (real but too small)"."""

    word: Word
    reason: Reason = Reason.NONE

    def __str__(self) -> str:
        return f"{self.word} ({self.reason})" if self.reason else str(self.word)


NOT_RUN = Verdict(Word.NOT_RUN)


def combine(verdicts: Sequence[Verdict]) -> Verdict:
    """The verdict over several settings: agreement, ``conditional`` for support here and refutation there, else none."""
    words = {verdict.word for verdict in verdicts}
    if not words or Word.NOT_RUN in words:
        return NOT_RUN
    if len(words) == 1:
        return verdicts[0] if len(set(verdicts)) == 1 else Verdict(words.pop())
    return Verdict(Word.CONDITIONAL if {Word.SUPPORTED, Word.REFUTED} <= words else Word.INCONCLUSIVE)
