"""The two languages of the pages."""

from dataclasses import dataclass
from typing import Literal

from normlab.core.claim import Claim, Text
from normlab.core.trial import ClaimResult
from normlab.core.word import Verdict, Word
from normlab.norms import METHODS
from normlab.report import sentences
from normlab.report.results import Results
from normlab.report.style import DATA_TITLES
from normlab.site.situations import Field

SAMPLES_JA = {"images": "画像", "series": "系列", "ratings": "評価", "sequences": "文字列"}


@dataclass(frozen=True)
class Language:
    """One of them: what is said in it."""

    code: Literal["en", "ja"]
    name: str

    def __call__(self, en: str, ja: str) -> str:
        return en if self.code == "en" else ja

    def of(self, text: Text) -> str:
        """A text that is there in both."""
        return self(text.en, text.ja)

    def word(self, word: Word) -> str:
        """A verdict's word."""
        return self(str(word), sentences.WORDS_JA[word])

    def verdict(self, verdict: Verdict, result: ClaimResult | None = None) -> str:
        """A verdict with its reason."""
        return self.of(sentences.verdict_text(verdict, result))

    def method(self, name: str) -> str:
        """A method's title; what is no method of normlab's is called as it is."""
        method = METHODS.get(name)
        return self(method.title, method.title_ja or method.title) if method else name

    def situation(self, field: Field) -> str:
        """A situation of the chooser."""
        if field.titled:
            return self.of(field.titled)
        data = DATA_TITLES.get(field.data, field.data)
        if field.shared:
            return self(
                f"{data}, batch 128, statistics over {field.batch}", f"{data}、バッチ 128、統計量 {field.batch} 枚"
            )
        return self(f"{data}, batch {field.batch}", f"{data}、バッチ {field.batch}")

    def length(self, field: Field) -> str:
        """How long and on how many samples the nets of a situation were trained."""
        return self.counted(field.samples, field.of, field.epochs)

    def measured(self, field: Field) -> str:
        """What methods are compared by there."""
        if field.measure == "explained":
            return self("explained variance, %", "説明された分散 %")
        return self("test accuracy, %", "テスト正解率 %")

    def counted(self, samples: int | None, of: str, epochs: float) -> str:
        """How many samples of a kind are learned from how often; all that there are where no number is given."""
        many = self("all", "全て") if samples is None else f"{samples:,}"
        english, japanese = f"{many} {of}", f"{SAMPLES_JA[of]} {many}"
        return self(f"{english} × {epochs:g} epochs", f"{japanese} × {epochs:g} エポック")

    def trained(self, results: Results) -> str:
        """The same of every setting of an experiment."""
        told = (
            f"{self.of(each.title)}: {self.counted(each.samples, each.of, each.epochs)}" for each in results.lengths
        )
        return self("; ", "、").join(dict.fromkeys(told))

    def searched(self, claim: Claim) -> str:
        """What a claim is found by: its id, its statement in both languages, and all names of the methods that it names."""
        text = f"{claim.id} {claim.statement.en} {claim.statement.ja}".lower()
        names = [
            [m.title, m.title_ja, *m.also] for m in METHODS.values() if m.title.lower() in text or m.title_ja in text
        ]
        return " ".join([text, *(name.lower() for own in names for name in own)])

    def listed(self, items: list[str]) -> str:
        """Several things in a row."""
        return self(", ", "、").join(items)


ENGLISH = Language("en", "English")
JAPANESE = Language("ja", "日本語")
LANGUAGES = (ENGLISH, JAPANESE)
