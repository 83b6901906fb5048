"""The report: what it writes, that it is one safe page in two languages, and that it flags what was changed."""

import math
import re
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from normlab.core.claim import Arm, Case, Claim, Contrast, Finding, Text
from normlab.core.design import Design
from normlab.core.record import Record
from normlab.core.trial import ClaimResult
from normlab.core.word import Word
from normlab.errors import NormlabError
from normlab.norms import METHODS
from normlab.report import sentences
from normlab.report.build import build
from normlab.report.choice import Situation
from normlab.report.comparison import Comparison
from normlab.report.forest import forest
from normlab.report.gallery import SHOWN
from normlab.report.methods import method_table
from normlab.report.overview import LETTER, WIDTH, Block, chips, overview_figure
from normlab.report.page import write_page
from normlab.report.readme import table, update
from normlab.report.results import Published, Results
from normlab.report.sections import Section
from normlab.runs.store import Store
from normlab.sweeps.compose import Composer
from normlab.sweeps.expand import Expander
from normlab.verdicts.registry import make_lock, register

HOSTILE = "<script>alert(1)</script>"
DESIGN = Design.parse(
    {
        "name": "toy",
        "title": f"Toy {HOSTILE}",
        "title_ja": "おもちゃ",
        "scales": {
            "quick": {
                "seeds": {"tune": [100], "report": [0, 1, 2, 3, 4]},
                "settings": {"one": {"overrides": {"data": "digits"}, "constants": {"delta": 0.01}}},
            }
        },
        "grids": {"g": {"axes": {"norm": ["none", "batch"]}}},
    },
    "toy",
)
BETTER = Claim(
    "batch-is-better",
    ("A §1",),
    Text(f"Batch is better {HOSTILE}", "バッチの方がよい"),
    Text("By accuracy.", "正解率による。"),
    "superiority",
    cases=(
        Case(
            Text("each", "各々"),
            (Contrast(Text("batch − none", "batch − none"), "test_accuracy", Arm("g", {"norm": "batch"}), Arm("g", {"norm": "none"})),),
        ),
    ),
)  # fmt: skip
EXACT = Claim("sum", ("B how",), Text("One and one is two.", "1足す1は2。"), Text("Added.", "足した。"), "exact",
              check=lambda: Finding(1 + 1 == 2, {"sum": 2.0}))  # fmt: skip
UNRUN = replace(
    BETTER,
    id="never-run",
    cases=(Case(Text("x", "x"), (Contrast(Text("x", "x"), "test_accuracy", Arm("g", {"norm": "layer"})),)),),
)


@dataclass(frozen=True)
class Toy:
    name: str = "toy"
    design: Design = DESIGN
    claims: tuple[Claim, ...] = (BETTER, EXACT)
    source: str = ""
    japanese: dict[str, str] = field(default_factory=dict)

    def draw(self, results: Results) -> Figure | None:
        figure, ax = plt.subplots()
        ax.plot(results.values(results.select("g", norm="batch"), "test_accuracy"), label=HOSTILE)
        ax.legend()
        return figure

    def table(self, results: Results) -> pd.DataFrame | None:
        return pd.DataFrame([{"a": 1.23456, "b": HOSTILE}, {"a": math.nan, "b": ""}])

    compared: tuple[Comparison, ...] = ()

    def situations(self, results: Results) -> list[Situation]:
        return []

    def published(self, results: Results) -> dict[str, Published]:
        rows = [
            {
                "recipe": "M",
                "data": "one",
                "arm": arm,
                "n": 5,
                "test_accuracy": value,
                "linear_accuracy": 0.9,
                "cleared": value > 0.9,
            }
            for arm, value in (("none", 0.85), ("batch", 0.95), (HOSTILE, 0.91))
        ]
        return {"gates": Published(Text(HOSTILE, HOSTILE), pd.DataFrame(rows))}


def toy_store(folder: Path) -> Store:
    """A store with the runs of the toy experiment."""
    store = Store(folder / "quick")
    noise = np.random.default_rng(0).normal(0, 0.003, 10)
    for index, plan in enumerate(Expander(DESIGN, "quick", store, Composer()).expand().planned):
        value = 0.8 + 0.05 * (plan.config.norm.name == "batch") + noise[index]
        facts: dict[str, Any] = {"run_key": plan.run_key, "status": "ok", "chance": 0.1, "date": "2026-01-02",
                                 "environment": '{"cpu": "a <b>cpu</b>", "torch": "2", "gpu": null}'}  # fmt: skip
        store.put(Record(facts | {f"test_accuracy{s}": value for s in ("", "_recalibrated", "_batch")}, [{"step": 1}]))
    return store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return toy_store(tmp_path)


def lock() -> Any:
    return make_lock([(DESIGN, (BETTER, EXACT))])


def built(questions: list[Any], scale: str, store: Store, locked: Any) -> tuple[list[Section], Path]:
    """The sections of a report, and its page."""
    report = build(questions, scale, store, locked)
    return report.sections, write_page(report, scale, store)


def test_it_writes_verdicts_tables_figures_and_one_safe_page(store: Store) -> None:
    (section,), page = built([Toy()], "quick", store, lock())
    assert [str(r.verdict) for r in section.claims] == ["holds", "verified"]
    verdicts = pd.read_csv(store.root / "verdicts.csv")
    row = verdicts[(verdicts["claim"] == "batch-is-better") & (verdicts["setting"] == "all")].iloc[0]
    assert row["verdict"] == "holds"
    assert row["estimate"] == pytest.approx(0.05, abs=0.005)
    assert row["n"] == 5
    assert (store.root / row["figure"]).exists()
    for name in ("toy", "toy--batch-is-better"):
        assert (store.root / "figures" / f"{name}.png").stat().st_size > 1000
        assert not pd.read_csv(store.root / "tables" / f"{name}.csv").empty
    text = page.read_text()
    assert "<script>alert" not in text
    assert '<td class="num">1.23</td>' in text
    assert "<b>cpu" not in text
    assert "バッチの方がよい" in text
    assert "make claim CLAIM=batch-is-better SCALE=quick" in text
    links = re.findall(r'(?:src|href)="([^"]+)"', re.sub(r'xlink:href="[^"]*"', "", text))
    assert not [link for link in links if link.startswith(("http", "//")) and "itables" not in link]
    for link in links:
        if link.startswith("../"):
            assert (page.parent / link).exists()


def files(store: Store, *suffixes: str) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in store.root.rglob("*") if p.suffix in suffixes}


def test_drawing_again_changes_no_figure_and_no_verdict(store: Store) -> None:
    build([Toy()], "quick", store, lock())
    first = files(store, ".svg", ".csv")
    (store.root / "figures" / SHOWN).unlink()
    build([Toy()], "quick", Store(store.root), lock())
    assert files(store, ".svg", ".csv") == first


def test_a_figure_is_drawn_again_only_where_it_shows_something_else(store: Store) -> None:
    def drawn() -> dict[str, int]:
        return {p.stem: p.stat().st_mtime_ns for p in (store.root / "figures").glob("*.svg")}

    build([Toy()], "quick", store, lock())
    first = drawn()
    build([Toy()], "quick", Store(store.root), lock())
    assert drawn() == first
    build([Toy(source="drawn otherwise")], "quick", Store(store.root), lock())
    assert {name for name, when in drawn().items() if when != first[name]} == {"toy"}
    plan = Expander(DESIGN, "quick", store, Composer()).expand().planned[0]
    store.forget(lambda key: key == plan.run_key)
    facts = {"run_key": plan.run_key, "status": "ok", "chance": 0.1}
    store.put(Record(facts | {f"test_accuracy{s}": 0.5 for s in ("", "_recalibrated", "_batch")}, [{"step": 1}]))
    (store.root / "figures" / "toy.png").unlink()
    build([Toy(source="drawn otherwise")], "quick", Store(store.root), lock())
    assert {"toy", "toy--batch-is-better"} <= {name for name, when in drawn().items() if when != first[name]}


def test_a_changed_claim_is_flagged(store: Store) -> None:
    hashes = {claim: scales["quick"] for claim, scales in lock().items()}
    register(store.root, hashes)
    (section,), page = built([Toy()], "quick", store, lock())
    assert not any(r.changed_after_first_run or not r.locked for r in section.claims)
    assert "changed after its first run" not in page.read_text()
    moved = replace(BETTER, delta=0.001)
    (section,), page = built([Toy(claims=(moved, EXACT))], "quick", store, lock())
    assert section.claims[0].changed_after_first_run
    assert not section.claims[0].locked
    assert "changed after its first run" in page.read_text()


def test_claims_without_runs_say_so(store: Store) -> None:
    (section,), page = built([Toy(claims=(BETTER, UNRUN))], "quick", store, lock())
    assert str(section.claims[1].verdict) == "not run"
    assert "Not decided" in page.read_text()


def test_a_claim_says_how_many_of_its_nets_were_trained_again(store: Store) -> None:
    of_constants = replace(
        BETTER,
        id="gap",
        cases=(replace(BETTER.cases[0], parts=(replace(BETTER.cases[0].parts[0], measure="accuracy_gap@{level}"),)),),
    )
    contrast = replace(BETTER.cases[0].parts[0], measure="corruptions.accuracy")
    robust = replace(BETTER, id="robust", cases=(replace(BETTER.cases[0], parts=(contrast,)),))
    keys = list(store.runs()["run_key"])
    for place, key in enumerate(keys):
        store.put_evaluation(
            key, "corruptions", {"accuracy": 0.5 + place / 100} | ({"of_other_weights": 1.0} if place < 3 else {})
        )
    (section,), page = built([Toy(claims=(BETTER, robust))], "quick", store.refresh(), lock())
    notes = [[note.en for note in section.notes(result)] for result in section.claims]
    assert section.notes(ClaimResult(of_constants, [])) == []  # a constant stands for a number
    assert notes[0] == []
    assert notes[1][0].startswith("3 nets were trained again")
    assert "学習し直し" in page.read_text()


def test_the_readme_gets_its_table_between_markers(store: Store, tmp_path: Path) -> None:
    sections, _ = built([Toy()], "quick", store, lock())
    readme = tmp_path / "README.md"
    readme.write_text(
        "before\n<!-- verdicts quick: start (make readme) -->\nold\n<!-- verdicts quick: end -->\nafter\n"
    )
    update(readme, "quick", table(sections, "quick", store))
    text = readme.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "\nold\n" not in text
    assert "| M, one | 90.0 | 85.0 (untrained) | 95.0 |" in text
    assert "| Toy | 1 | 1 |" in text or "| holds | verified |" in text
    assert "10 runs, 5 reporting seeds" in text
    assert "2026-01-02" in text
    with pytest.raises(NormlabError, match="no markers"):
        update(readme, "cpu", "x")


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [(0.0123, "points", "+1.2"), (-0.5, "points", "−50.0"), (0.6931, "ratio", "×2.00"), (-0.25, "number", "−0.25")],
)
def test_amounts(value: float, unit: str, text: str) -> None:
    assert sentences.amount(value, unit) == text


def test_the_table_of_methods_is_measured() -> None:
    table = method_table().set_index("norm")
    assert set(table.index) == set(METHODS) - {"custom"}
    assert table.loc["batch", "depends on other"] == "samples, positions"
    assert table.loc["batch", "in evaluation"] == "running statistics"
    assert table.loc["instance", "in evaluation"] == "the same"
    assert table.loc["frn", "parameters a channel"] == 3


def test_every_claim_has_a_chip_and_none_covers_another() -> None:
    claims = {f"a-claim-called-{'x' * (k % 17)}-{k}": Word.HOLDS for k in range(40)}
    placed, lines = chips(claims)
    assert [name for name, *_ in placed] == list(claims)
    assert {line for *_, line in placed} == set(range(lines))
    for (name, _, x, line), (_, _, after, below) in pairwise(placed):
        assert x + LETTER * len(name) <= (after if line == below else WIDTH)
    figure = overview_figure(
        [Block("Question?", claims), Block("Empty?", {}), Block("Old", {"old": Word.HOLDS}, old=True)]
    )
    assert figure is not None
    shown = [text.get_text() for text in figure.axes[0].texts]
    assert "✓ holds 40" in shown
    assert "Empty?" not in shown
    assert sum(text.startswith("✓ a-claim") for text in shown) == 40
    assert overview_figure([Block("Empty?", {})]) is None


def test_settings_that_read_untrained_nets_are_marked(store: Store) -> None:
    sections, _ = built([Toy()], "quick", store, lock())
    (store.root / "gates.csv").unlink()
    results, (setting,) = sections[0].results, sections[0].claims[0].settings
    assert not results.untrained(setting)  # no gate knows this setting
    place = str(setting.at["setting"])
    data = results.configs[place].data.name  # whatever the setting is called
    for bar, marked in ((0.7, False), (0.82, True)):
        pd.DataFrame([{"data": data, "linear_accuracy": bar}]).to_csv(store.root / "gates.csv", index=False)
        assert results.untrained(setting) is marked
    labels = [
        text.get_text() for text in forest(sections[0].claims[0], "", results.untrained).axes[0].get_yticklabels()
    ]
    assert labels == [f"{place} · untrained"]
