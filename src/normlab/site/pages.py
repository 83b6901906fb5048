"""All pages of a report, in both languages, from its sections: plain files that open from any folder."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd

from normlab.config import NormConfig
from normlab.core.record import write_atomically
from normlab.core.trial import ClaimResult
from normlab.core.word import OF_CLAIMS, Word
from normlab.norms import METHODS
from normlab.norms.properties import Properties, properties
from normlab.report import sentences
from normlab.report.build import Report
from normlab.report.sections import Section
from normlab.report.style import DATA_TITLES
from normlab.report.unseen import Prediction, effect_of, from_table, label, seen_inside
from normlab.runs.store import Store
from normlab.site import answers
from normlab.site.articles import Article
from normlab.site.compared import fields, gates
from normlab.site.drawn import script
from normlab.site.forest import panels, summary_panel
from normlab.site.language import LANGUAGES, Language
from normlab.site.literature import Reported
from normlab.site.situations import Field
from normlab.site.speed import measured

FINDINGS = 8  # on the first page
CLASSES = {
    Word.SUPPORTED: "yes", Word.HOLDS: "yes", Word.VERIFIED: "yes", Word.MOSTLY_HOLDS: "mostly", Word.DEPENDS: "depends",
    Word.VARIES: "varies", Word.NEGLIGIBLE: "same", Word.NO_DIFFERENCE: "same", Word.ABSENT: "absent", Word.OPPOSED: "no",
    Word.CONTRADICTED: "no", Word.FALSIFIED: "no", Word.BORDERLINE: "open", Word.UNRESOLVED: "open", Word.NOT_RUN: "unrun",
}  # fmt: skip
SHAPES = {  # of the marks in forests, around (0, 0): what differs in colour differs in shape, too
    "yes": "M0-6 6 0 0 6-6 0Z", "mostly": "M0-6 6 0 0 6-6 0Z", "depends": "M-5-5H5V5H-5Z", "varies": "M-5-5H5V5H-5Z",
    "same": "M-5 0A5 5 0 1 1 5 0A5 5 0 1 1-5 0Z", "absent": "M0-6 6 5H-6Z", "no": "M0 6 6-5H-6Z",
    "open": "M-5-1.2H-1.2V-5H1.2V-1.2H5V1.2H1.2V5H-1.2V1.2H-5Z", "unrun": "M-4-1H4V1H-4Z",
}  # fmt: skip


@dataclass(frozen=True)
class Page:
    """A file below a language's folder, the template that it is made with, and what that is given."""

    file: str
    template: str
    values: dict[str, Any]

    @property
    def up(self) -> str:
        """The way to its language's folder."""
        return "../" * self.file.count("/")


@dataclass(frozen=True)
class Site:
    """A report's pages."""

    report: Report
    scale: str
    store: Store
    articles: list[Article]
    literature: Mapping[str, list[Reported]]

    @cached_property
    def fields(self) -> list[Field]:
        return fields(self.report.sections, self.scale, self.store)

    @cached_property
    def _drawn(self) -> list[Field]:
        """Those whose training and rates are drawn: all that have accuracies."""
        return [field for field in self.fields if field.measure == "accuracy"]

    @cached_property
    def _seen(self) -> tuple[int, int]:
        """Of the settings that summaries were made of, those inside what they predict, of how many."""
        return seen_inside(self.report.sections)

    @cached_property
    def _methods(self) -> list[str]:
        """The methods that any situation has, in the order of methods."""
        return [name for name in METHODS if any(arm.method == name for field in self._drawn for arm in field.arms)]

    @cached_property
    def _properties(self) -> dict[str, Properties]:
        """What is measured of each method of the table."""
        return {name: properties(NormConfig(name=name)) for name in self.report.methods["norm"] if name in METHODS}

    def _cards(self) -> list[str]:
        """The trials of this scale that have a report card."""
        return sorted(
            file.parent.name for file in (self.store.root.parent / "trials" / self.scale).glob("*/index.html")
        )

    @cached_property
    def results(self) -> list[tuple[Section, ClaimResult]]:
        """Every claim with its section."""
        return [(section, result) for section in self.report.sections for result in section.claims]

    @cached_property
    def facts(self) -> dict[str, Any]:
        """What all of it was made of."""
        table = self.store.runs()
        known: list[str] = list(table["environment"].dropna().unique()) if "environment" in table else []
        machines = [json.loads(text) for text in known]
        dates = sorted(table["date"].dropna().astype(str)) if "date" in table else []
        return {
            "scale": self.scale,
            "runs": len(self.store),
            "machines": sorted(
                {" · ".join(filter(None, (m["cpu"], m.get("gpu"), f"torch {m['torch']}"))) for m in machines}
            ),
            "dates": [dates[0], dates[-1]] if dates else [],
        }

    def write(self) -> Path:
        """Write all pages below ``<store>/report``; the first one."""
        root = self.store.root / "report"
        for name in ("site.css", "site.js", "plots.js"):
            content = resources.files("normlab.site").joinpath("assets", name).read_bytes()
            write_atomically(root / "assets" / name, content)
        write_atomically(root / "assets" / "data.js", script(self._drawn, self.store).encode())
        environment = jinja2.Environment(
            loader=jinja2.ChoiceLoader(
                [jinja2.PackageLoader("normlab", f"{room}/templates") for room in ("site", "report")]
            ),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        for language in LANGUAGES:
            shared = self._shared(language)
            for page in self._pages(language):
                text = environment.get_template(page.template).render(**shared, **page.values, page=page, up=page.up)
                write_atomically(root / language.code / page.file, text.encode())
        write_atomically(root / "index.html", environment.get_template("start.html").render().encode())
        return root / "index.html"

    def _shared(self, language: Language) -> dict[str, Any]:
        counts = Counter(result.verdict.word for section, result in self.results if not section.old)
        return {
            "t": language,
            "both": language,
            "other": next(each for each in LANGUAGES if each is not language),
            "facts": self.facts,
            "version": version("normlab"),
            "sections": self.report.sections,
            "counts": {word: counts[word] for word in OF_CLAIMS if counts[word]},
            "classes": CLASSES,
            "shapes": SHAPES,
            "answers": answers,
            "sentences": sentences,
            "METHODS": {name: method for name, method in METHODS.items() if name not in ("custom", "sync")},
            "data_titles": DATA_TITLES,
            "articles": self.articles,
            "reference": self._reference(),
        }

    def _reference(self) -> Counter[str]:
        """What the committed results of the scale cpu say, for a scale that only demonstrates."""
        file = self.store.root.parent / "cpu" / "verdicts.csv"
        if self.scale != "quick" or not file.exists():
            return Counter()
        table = pd.read_csv(file)
        words = table.loc[(table["setting"] == "all") & (table["edition"] == 2), "verdict"]
        return Counter(str(word).split(" on ")[0] for word in words)

    def _unseen(self, language: Language) -> list[dict[str, Any]]:
        """What was predicted of settings before they were run, with their claims and what came of it."""
        table = next((s.published["unseen"].table for s in self.report.sections if "unseen" in s.published), None)
        if table is None:
            return []
        known = {result.claim.id: (section, result.claim) for section, result in self.results}
        rows = []
        for row in table.to_dict("records"):
            section, claim = known[row["claim"]]
            prediction = from_table(pd.DataFrame([row])[list(Prediction.__dataclass_fields__)])[0]
            place = label(prediction, claim, self.scale, section.question.japanese)
            texts = [place, effect_of(prediction, claim, self.scale)]
            told = " · ".join(language.of(text) for text in texts if text)
            known_of = {str(name): value for name, value in row.items()}
            rows.append({**known_of, "claim": claim, "where": told, "run": row["inside"] is not None})
        return rows

    def _pages(self, language: Language) -> Sequence[Page]:
        of_edition_2 = [(s, r) for s, r in self.results if not s.old]
        first = answers.notable([result for _, result in of_edition_2], FINDINGS)
        section_of = {result.claim.id: section for section, result in self.results}
        findings = [{"section": section_of[result.claim.id], "result": result} for result in first]
        panel = summary_panel(first, language)
        strips = {strip.part: strip for strip in panel.strips} if panel else {}
        unseen = self._unseen(language)
        about = {
            "panel": panel,
            "strips": strips,
            "findings": findings,
            "gates": gates(self.report.sections),
            "fields": self.fields,
            "unseen": unseen,
        }
        tried = {"unseen": unseen, "seen": self._seen if unseen else (0, 0)}
        pages = [
            Page("index.html", "home.html", about),
            Page("choose.html", "choose.html", {"fields": self.fields}),
            Page("explore.html", "explore.html", {"fields": self._drawn, "shown": self._methods}),
            Page("compare.html", "compare.html", {"fields": self._drawn, "shown": self._methods}),
            Page("speed.html", "speed.html", {"measured": measured(self.store.root.parent / "bench")}),
            Page("trials.html", "trials.html", {"cards": self._cards()}),
            Page("claims.html", "claims.html", {"ordered": sorted(self.report.sections, key=_is_definition)}),
            Page("methods.html", "methods.html", {"methods": self.report.methods, "found": self._properties}),
            Page("judged.html", "judged.html", tried),
        ]
        for article in self.articles:
            by_part = {
                part.cite: [(s, r) for s, r in self.results if part in map(article.part_of, r.claim.sources)]
                for part in article.parts
            }
            values = {"article": article, "by_part": by_part}
            pages.append(Page(f"article-{article.letter.lower()}.html", "article.html", values))
        for section in self.report.sections:
            panel = summary_panel(section.claims, language)
            pages.append(
                Page(
                    f"question/{section.question.name}.html",
                    "question.html",
                    {"section": section, "panel": panel, **(tried if "unseen" in section.published else {})},
                )
            )
        for section, result in self.results:
            reported = self.literature.get(result.claim.id, [])
            drawn = self._panels(section, result, language)
            values = {"section": section, "result": result, "panels": drawn, "reported": reported}
            pages.append(Page(f"claim/{result.claim.id}.html", "claim.html", values))
        return pages

    @staticmethod
    def _panels(section: Section, result: ClaimResult, language: Language) -> list[Any]:
        return panels(result, language, section.question.japanese, section.results.untrained)


def _is_definition(section: Section) -> bool:
    """Whether its claims are decided by computation alone: readers look for the others first."""
    return not section.question.design.grids
