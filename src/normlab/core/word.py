"""What a verdict says: a word, and where the word needs it a reason."""

from dataclasses import dataclass
from enum import StrEnum


class Word(StrEnum):
    """The words of settings, then those of claims, in the order in which they are counted and shown."""

    SUPPORTED = "supported"
    OPPOSED = "opposed"
    NEGLIGIBLE = "negligible"
    ABSENT = "absent"
    BORDERLINE = "borderline"

    HOLDS = "holds"
    VERIFIED = "verified"
    MOSTLY_HOLDS = "mostly holds"
    DEPENDS = "depends"
    VARIES = "varies"
    NO_DIFFERENCE = "makes no difference"
    CONTRADICTED = "contradicted"
    FALSIFIED = "falsified"

    UNRESOLVED = "unresolved"
    NOT_RUN = "not run"


NOT_SO = frozenset({Word.OPPOSED, Word.NEGLIGIBLE, Word.ABSENT})  # words of settings in which a claim is not so
TESTED = (Word.SUPPORTED, Word.OPPOSED, Word.NEGLIGIBLE, Word.ABSENT)  # words of settings that a test gives
OF_CLAIMS = (
    Word.HOLDS, Word.VERIFIED, Word.MOSTLY_HOLDS, Word.DEPENDS, Word.VARIES, Word.NO_DIFFERENCE, Word.ABSENT, Word.CONTRADICTED,
    Word.FALSIFIED, Word.BORDERLINE, Word.UNRESOLVED, Word.NOT_RUN,
)  # in the order in which they are shown  # fmt: skip
DECIDED = frozenset(Word) - {Word.UNRESOLVED, Word.NOT_RUN, Word.BORDERLINE}


@dataclass(frozen=True)
class Verdict:
    """A word and its reason, such as on what a claim depends; as text, "depends on batch size"."""

    word: Word
    reason: str = ""

    def __str__(self) -> str:
        if not self.reason:
            return str(self.word)
        return f"{self.word} on {self.reason}" if self.word is Word.DEPENDS else f"{self.word} ({self.reason})"


NOT_RUN = Verdict(Word.NOT_RUN)
