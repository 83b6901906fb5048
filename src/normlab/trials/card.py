"""The report card of a trial: a page, a table and a picture."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from normlab.core.record import write_atomically
from normlab.report.style import method_title
from normlab.trials.bench import BATCH, ENOUGH
from normlab.trials.checks import CHECKS
from normlab.trials.docket import YOURS, Docket
from normlab.trials.ease import CHANGES
from normlab.trials.pages import inlined, page, png
from normlab.trials.picture import TITLES, picture

COST_JA = {
    "step": "学習の1ステップ",
    "inference": "推論",
    "peak_bytes": "最大メモリ",
    "saved_bytes": "逆伝播のために保持",
    "parameters": "パラメータ数",
}


@dataclass(frozen=True)
class Card:
    """What a trial found. In a notebook it shows itself.

    Attributes:
        label: how the norm is called.
        found: the table of :func:`normlab.trials.findings.findings`.
        trained: how long and on how many images the nets of each situation were trained.
        facts: what the trial was made with: scale, runs, machine, date, the command to go on.
    """

    label: str
    docket: Docket
    found: pd.DataFrame = field(repr=False)
    trained: dict[str, str] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)

    def to_frame(self) -> pd.DataFrame:
        """A row a number: question, where, what, arm, against, value, low, high, n, p_better, said."""
        return self.found.copy()

    def figure(self) -> Figure:
        """The picture to post, 1200 × 675 pixels."""
        trained = "; ".join(dict.fromkeys(self.trained.values()))
        return picture(
            self.found, self.docket, self.label, f"{trained} · scale {self.facts['scale']} · {self.facts['machine']}"
        )

    def html(self) -> str:
        """The page, in English and Japanese, with everything in it."""
        return page(
            "card.html", card=self, image=inlined(png(self.figure()), f"{self.label} on trial"), checks=CHECKS, changes=CHANGES,
            costs=TITLES, costs_ja=COST_JA, titled=self.titled, number=number, YOURS=YOURS, BATCH=BATCH,
        )  # fmt: skip

    def save(self, folder: Path) -> Path:
        """Write ``index.html``, ``card.csv`` and ``card.png`` there; the page."""
        write_atomically(folder / "card.png", png(self.figure()))
        write_atomically(folder / "card.csv", self.found.to_csv(index=False).encode())
        write_atomically(folder / "index.html", self.html().encode())
        self.facts["page"] = folder / "index.html"
        return folder / "index.html"

    def rows(self, question: str, **where: Any) -> list[dict[str, Any]]:
        """The rows of a question with these values."""
        found = self.found[self.found["question"] == question]
        for name, value in where.items():
            found = found[found[name] == value]
        return [{str(k): v for k, v in row.items()} for row in found.to_dict("records")]

    def value(self, question: str, what: str, arm: str, where: str | None = None) -> float | None:
        """A single number, or None while it is not known."""
        rows = (
            self.rows(question, what=what, arm=arm)
            if where is None
            else self.rows(question, what=what, arm=arm, where=where)
        )
        return float(rows[0]["value"]) if rows else None

    def best(self, where: str) -> dict[str, Any] | None:
        """The difference to the most accurate other method of a situation, of those with which it shares at least three seeds."""
        rows = self.rows("good", where=where, what="difference", arm=YOURS)
        return min((row for row in rows if row["n"] >= ENOUGH), key=lambda row: row["value"], default=None)

    def titled(self, arm: str) -> str:
        """How readers call an arm."""
        return self.label if arm == YOURS else method_title(arm)

    def _repr_html_(self) -> str:
        return self.html()


def number(value: Any, digits: int = 1, sign: bool = False) -> str:
    """A share as points, or a dash where there is none."""
    if value is None or pd.isna(value):
        return "–"
    text = f"{100 * float(value):{'+' if sign else ''}.{digits}f}"
    return text.replace("-", "−")
