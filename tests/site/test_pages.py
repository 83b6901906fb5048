"""The pages: both languages whole, every link leads somewhere, nothing of a text becomes markup, and forests show what was measured."""

import math
import re
from dataclasses import asdict, replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from experiments import ARTICLES, LITERATURE, all_experiments
from normlab.core.claim import Arm, Case, Claim, Contrast, Text
from normlab.core.effects import Effects
from normlab.core.looks import Looks
from normlab.core.trial import ClaimResult, PartResult, SettingResult
from normlab.core.word import OF_CLAIMS, Verdict, Word
from normlab.report.build import build
from normlab.report.page import write_page
from normlab.report.results import Published, Results
from normlab.report.unseen import Prediction
from normlab.site.answers import answer, extremes, notable
from normlab.site.articles import load_articles, unplaced
from normlab.site.forest import EDGE, ENDS, FOLDED, IN_DELTAS, panels, summary_panel
from normlab.site.language import ENGLISH, JAPANESE, LANGUAGES
from normlab.site.literature import load_literature
from normlab.site.pages import CLASSES, SHAPES, Site
from normlab.site.situations import Arm as FieldArm
from normlab.site.situations import Field
from tests.report.test_report import HOSTILE, Toy, lock, toy_store


class Parsed(HTMLParser):
    """What a page links to, which ids it has, and which elements it leaves open."""

    VOID = frozenset({"meta", "link", "br", "input", "img", "hr"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: list[str] = []
        self.open: list[str] = []
        self.lang = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag not in self.VOID:
            self.open.append(tag)
        self.lang = found.get("lang") or "" if tag == "html" else self.lang
        self.ids += [found["id"] or ""] if "id" in found else []
        self.links += [found[name] or "" for name in ("href", "src") if name in found]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        return None

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = toy_store(tmp_path_factory.mktemp("site"))
    report = build([Toy()], "quick", store, lock())
    write_page(report, "quick", store)
    return Site(report, "quick", store, load_articles(ARTICLES), load_literature(LITERATURE)).write().parent


def test_every_page_is_there_in_both_languages_and_well_formed(site: Path) -> None:
    files = {
        lang.code: {p.relative_to(site / lang.code) for p in (site / lang.code).rglob("*.html")} for lang in LANGUAGES
    }
    assert files["en"] == files["ja"]
    assert {"index.html", "claims.html", "claim/batch-is-better.html", "question/toy.html"} <= set(
        map(str, files["en"])
    )
    for language in LANGUAGES:
        for name in files[language.code]:
            page = Parsed((site / language.code / name).read_text(encoding="utf-8"))
            assert page.lang == language.code
            assert not page.open
            assert len(page.ids) == len(set(page.ids))


def test_every_link_leads_somewhere_and_none_leaves(site: Path) -> None:
    for file in (page for language in LANGUAGES for page in (site / language.code).rglob("*.html")):
        for link in Parsed(file.read_text(encoding="utf-8")).links:
            assert not re.match(r"[a-z]+:|//", link), link
            target, _, place = link.partition("#")
            found = file if not target else file.parent / target.partition("?")[0]
            assert found.exists(), f"{file}: {link}"
            if place:
                assert place in Parsed(found.read_text(encoding="utf-8")).ids


def test_texts_stay_texts(site: Path) -> None:
    for file in site.rglob("*.html"):
        assert "<script>alert" not in file.read_text(encoding="utf-8")
    assert HOSTILE.replace("<", "&lt;").replace(">", "&gt;") in (site / "en/claims.html").read_text(encoding="utf-8")


class Foreseen(Toy):
    """An experiment with predictions: one that came true, one that did not, and one that is not run yet."""

    def published(self, results: Results) -> dict[str, Published]:
        known = Prediction("unseen", "batch-is-better", 0, 0, "{}", "Fashion-MNIST", 1.5, 0.5, 2.5)
        found = ((10, 1.25, 0.2, True), (10, -4.0, 0.2, False), (0, None, None, None))
        columns = ("n", "estimate", "standard_error", "inside")
        rows = [{**asdict(known), **dict(zip(columns, each, strict=True))} for each in found]
        return {"unseen": Published(Text("x", "x"), pd.DataFrame(rows))}


def test_what_was_predicted_stands_beside_what_was_found(tmp_path: Path) -> None:
    report = build([Foreseen(name="unseen")], "quick", toy_store(tmp_path), lock())
    root = Site(report, "quick", toy_store(tmp_path), load_articles(ARTICLES), {}).write().parent
    for language, told in (("en", "Of 2 effects 1 are inside."), ("ja", "2 の効果のうち 1 が区間に入った")):
        text = (root / language / "judged.html").read_text(encoding="utf-8")
        assert told in text
        assert "+1.5 [+0.5, +2.5]" in text
        assert "+1.2 ± 0.4" in text
        assert "−4.0 ± 0.4" in text
        assert 'href="claim/batch-is-better.html"' in text
        assert 'id="unseen"' in text
        assert ("1 are still to be run" if language == "en" else "残り 1 は未実行") in text
        assert 'id="unseen"' in (root / language / "question" / "unseen.html").read_text(encoding="utf-8")
        assert "judged.html#unseen" in (root / language / "index.html").read_text(encoding="utf-8")


def test_a_demonstration_says_so_first(site: Path) -> None:
    text = (site / "en/index.html").read_text(encoding="utf-8")
    assert text.index("This demonstrates") < text.index("<h1>")
    assert "動作の確認" in (site / "ja/index.html").read_text(encoding="utf-8")


def test_every_claim_stands_in_the_outline_of_an_article() -> None:
    sources = [s for e in all_experiments() for claim in e.claims for s in claim.sources if s != "–"]
    assert unplaced(load_articles(ARTICLES), sources) == []


def test_papers_stand_beside_claims_that_there_are() -> None:
    ids = {claim.id for e in all_experiments() for claim in e.claims}
    found = load_literature(LITERATURE)
    assert set(found) <= ids
    assert all(
        reported.text.en and reported.text.ja and "arXiv:" in reported.cite
        for own in found.values()
        for reported in own
    )


def test_every_word_has_a_look_and_words_that_disagree_differ_in_colour_and_shape() -> None:
    assert set(CLASSES) == set(Word)
    assert set(CLASSES.values()) == set(SHAPES)
    told_apart = [Word.SUPPORTED, Word.OPPOSED, Word.NEGLIGIBLE, Word.ABSENT, Word.UNRESOLVED]
    assert len({SHAPES[CLASSES[word]] for word in told_apart}) == len(told_apart)


def result_of(effects: list[list[float]], word: Word = Word.SUPPORTED, unit: str = "points") -> ClaimResult:
    contrast = Contrast(Text("a − b", "a − b"), "test_accuracy", Arm("g"), Arm("g"))
    case = Case(Text("each", "各々"), (contrast,), by=("setting", "batch"))
    claim = Claim("c", ("A §1",), Text("So.", "そう。"), Text("m", "m"), "superiority", cases=(case,))
    looks = Looks.of([tuple(range(len(effects[0])))])
    settings = [
        SettingResult(
            case,
            {"setting": "mnist", "batch": place},
            [PartResult(contrast, "superiority", 0.01, unit, Effects(dict(enumerate(values))), looks)],
            title="MNIST",
            verdict=Verdict(word),
        )
        for place, values in enumerate(effects)
    ]
    return ClaimResult(claim, settings, verdict=Verdict(Word.HOLDS))


def test_a_forest_shows_what_was_measured_where_it_belongs() -> None:
    (panel,) = panels(result_of([[0.02, 0.03, 0.04], [-0.01, 0.0, 0.01]]), ENGLISH)
    strong, weak = panel.strips
    assert strong.at > weak.at
    assert weak.at == pytest.approx(panel.zero)
    assert strong.low < strong.at < strong.high
    per_point = (strong.at - weak.at) / 3.0
    assert strong.zone[1] - strong.zone[0] == pytest.approx(1.0 * per_point, abs=0.05)
    assert strong.effect.startswith("+3.0 [")
    assert len(panel.ticks) >= 3
    assert all(0 <= x <= 100 for s in panel.strips for x in (s.low, s.at, s.high, *s.seeds, *s.zone))
    for tick in panel.ticks:
        value = float(tick.text.replace("−", "-"))
        assert tick.at == pytest.approx(panel.zero + value * per_point, abs=0.05)


def test_ratios_stand_on_a_logarithmic_axis() -> None:
    doubled = [math.log(2) + e for e in (-0.01, 0.0, 0.01)]
    (panel,) = panels(result_of([doubled, [-v for v in doubled]], unit="ratio"), JAPANESE)
    up, down = panel.strips
    assert up.at - panel.zero == pytest.approx(panel.zero - down.at, abs=0.02)
    assert any(tick.text.startswith("×") for tick in panel.ticks)
    assert len(panel.ticks) >= 3


def test_of_many_settings_the_strongest_and_the_weakest_are_open() -> None:
    result = result_of([[0.01 * k, 0.01 * k + 0.001, 0.01 * k + 0.002] for k in range(FOLDED + 5)])
    (panel,) = panels(result, ENGLISH)
    assert len(panel.strips) == 2 * ENDS
    assert len(panel.strips) + len(panel.folded) == FOLDED + 5
    ends = extremes(result)
    assert ends is not None
    assert (ends[0].at["batch"], ends[1].at["batch"]) == (FOLDED + 4, 0)


def test_a_summary_has_a_mark_a_setting_in_units_of_delta_and_the_interval_of_an_only_one() -> None:
    several = result_of([[0.02, 0.03, 0.04], [-0.01, 0.0, 0.01], [0.2, 0.3, 0.4]])  # δ is 0.01
    several.settings[1].verdict = Verdict(Word.NEGLIGIBLE)
    panel = summary_panel([several, result_of([[0.02, 0.03, 0.04]])], ENGLISH)
    assert panel is not None
    marked, single = panel.strips
    assert marked.marks == [
        (IN_DELTAS(3.0), Word.SUPPORTED), (IN_DELTAS(0.0), Word.NEGLIGIBLE), (IN_DELTAS(EDGE), Word.SUPPORTED),
    ]  # fmt: skip
    assert marked.effect == "+0.0 to +30.0 points in 3 settings"
    assert not single.marks
    assert single.effect.startswith("+3.0 [")
    japanese = summary_panel([several], JAPANESE)
    assert japanese is not None
    assert japanese.strips[0].effect == "3 設定で +0.0 から +30.0ポイント"


def test_findings_to_begin_with_are_those_that_the_articles_make_most_often() -> None:
    strong, frequent = result_of([[0.2, 0.3, 0.4]]), result_of([[0.02, 0.03, 0.04]])
    frequent.claim = replace(frequent.claim, id="frequent", sources=("A §1", "B intro"))
    assert [r.claim.id for r in notable([strong, frequent], 1)] == ["frequent"]


def test_an_answer_names_where_it_holds_and_where_not() -> None:
    result = result_of([[0.02, 0.03, 0.04]] * 2 + [[-0.01, 0.0, 0.01]])
    result.settings[2].verdict = Verdict(Word.NEGLIGIBLE)
    result.verdict = Verdict(Word.VARIES)
    told = answer(result, ENGLISH, {})
    assert "yes in MNIST · batch 0; MNIST · batch 1" in told
    assert "no in MNIST · batch 2" in told
    assert "バッチ 2" in answer(result, JAPANESE, {})


@pytest.mark.parametrize(
    "word", [word for word in OF_CLAIMS if word not in (Word.UNRESOLVED, Word.BORDERLINE, Word.NOT_RUN)]
)
def test_a_word_that_decides_is_not_told_as_undecided(word: Word) -> None:
    result = result_of([[0.02, 0.03, 0.04]] * 3)
    for setting in result.settings:
        setting.verdict = Verdict(Word.ABSENT)
    result.verdict = Verdict(word)
    assert not answer(result, ENGLISH, {}).startswith("Not decided")
    assert not answer(result, JAPANESE, {}).startswith("未判定")


def test_a_lucky_wide_interval_is_not_called_as_good_as_the_best() -> None:
    noise = np.random.default_rng(0).normal(0, 0.001, 8)
    best, close, broken = ({k: base + e for k, e in enumerate(noise)} for base in (0.9, 0.8995, 0.9))
    broken[3] = 0.1
    arms = [
        FieldArm("batch", 0.1, best),
        FieldArm("group", 0.1, {k: v + 0.002 * (-1) ** k for k, v in close.items()}),
        FieldArm("layer", 0.1, broken),
    ]
    field = Field("m", "mnist", 128, False, 10_000, 5.0, arms, [])
    assert field.alike == {"batch", "group"}
