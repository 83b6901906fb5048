"""Looks: which settings get more seeds, when, and what looking again costs."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from normlab.config import RunConfig
from normlab.core.claim import Arm, Case, Claim, Contrast, Text
from normlab.core.design import Design
from normlab.core.record import Record
from normlab.core.trial import ClaimResult
from normlab.core.word import Word
from normlab.errors import NormlabError
from normlab.runs.store import Store
from normlab.sweeps.compose import Composer
from normlab.sweeps.expand import Expander, Expansion
from normlab.verdicts.looks import expand_and_judge
from normlab.verdicts.registry import claim_hash, register_second_look, registered, second_look_changed

T = Text("x", "x")
FIRST, SECOND = (0, 1, 2, 3, 4), (5, 6, 7, 8, 9)
NOISE = np.array([-1.2, 0.7, 0.1, -0.4, 1.1, -0.6, 0.5, -0.2, 0.9, -0.9]) * 0.01


def design(second_look: tuple[int, ...] = SECOND, **changes: Any) -> Design:
    seeds = {"tune": [100], "report": FIRST, "second_look": second_look} | changes
    settings = {"one": {"title": "Digits", "overrides": {"data": "digits"}, "constants": {"delta": 0.01}}}
    grids = {"norms": {"axes": {"norm": ["none", "batch", "layer", "group"]}}}
    scales = {"quick": {"seeds": seeds, "settings": settings}}
    return Design.parse({"name": "toy", "title": "Toy", "title_ja": "Toy", "scales": scales, "grids": grids}, "toy")


def better(norm: str) -> Claim:
    contrast = Contrast(T, "test_accuracy", Arm("norms", {"norm": norm}), Arm("norms", {"norm": "none"}))
    return Claim(norm, ("A §1",), T, T, "superiority", cases=(Case(T, (contrast,)),))


CLAIMS = (better("batch"), better("layer"))


def finish(store: Store, expansion: Expansion, accuracy: Callable[[RunConfig], float]) -> None:
    for plan in expansion.planned:
        if plan.run_key not in store:
            facts = {"run_key": plan.run_key, "status": "ok", "test_accuracy": accuracy(plan.config), "chance": 0.1}
            store.put(Record(facts, [{"step": 1}]))
    store.refresh()


def accuracy(config: RunConfig) -> float:
    """Batch norm is clearly better than none; layer norm is better by a little and varies."""
    gain = {"batch": 0.2 + NOISE[config.seed] / 10, "layer": 0.012 + 2 * NOISE[config.seed]}
    return 0.5 + 0.01 * config.seed + gain.get(config.norm.name, 0.0)


def seeds_of(expansion: Expansion, norm: str) -> set[int]:
    return {plan.config.seed for plan in expansion.planned if plan.config.norm.name == norm}


@pytest.fixture
def expander(tmp_path: Path) -> Expander:
    return Expander(design(), "quick", Store(tmp_path / "quick"), Composer())


def judged(expander: Expander) -> tuple[Expansion, dict[str, ClaimResult]]:
    expansion, results = expand_and_judge(expander, CLAIMS)
    return expansion, {result.claim.id: result for result in results}


def test_only_the_cells_of_settings_without_a_word_go_on(expander: Expander) -> None:
    expansion, _ = judged(expander)
    finish(expander.store, expansion, accuracy)
    expansion, results = judged(expander)
    assert str(results["batch"].verdict) == "holds"
    assert str(results["layer"].verdict) == "unresolved"
    assert results["layer"].settings[0].outstanding
    assert seeds_of(expansion, "layer") == seeds_of(expansion, "none") == {*FIRST, *SECOND}
    assert seeds_of(expansion, "batch") == seeds_of(expansion, "group") == set(FIRST)


def test_the_second_look_is_at_all_seeds_and_each_look_pays_its_share(expander: Expander) -> None:
    for _ in range(2):
        expansion, _ = judged(expander)
        finish(expander.store, expansion, accuracy)
    expansion, results = judged(expander)
    assert all(plan.run_key in expander.store for plan in expansion.planned)
    layer, batch = results["layer"].settings[0], results["batch"].settings[0]
    assert not layer.outstanding
    assert (layer.parts[0].n, batch.parts[0].n) == (10, 5)
    both = [stats.ttest_1samp(0.012 + 2 * NOISE[:n], 0.0, alternative="greater").pvalue for n in (5, 10)]
    assert layer.parts[0].tails.positive == pytest.approx(2 * min(both))
    raw = stats.ttest_1samp(0.2 + NOISE[:5] / 10, 0.0, alternative="greater").pvalue
    assert batch.p(Word.SUPPORTED) == pytest.approx(2 * raw)


def test_a_fresh_reader_of_the_store_comes_to_the_same(expander: Expander) -> None:
    for _ in range(2):
        expansion, _ = judged(expander)
        finish(expander.store, expansion, accuracy)
    expansion, results = judged(expander)
    again, same = judged(Expander(design(), "quick", Store(expander.store.root).refresh(), Composer()))
    assert {p.run_key for p in again.planned} == {p.run_key for p in expansion.planned}
    assert same["layer"].p_adjusted == results["layer"].p_adjusted


def test_nobody_looks_again_while_the_first_look_goes_on(expander: Expander) -> None:
    expansion, _ = judged(expander)
    late = next(plan for plan in expansion.planned if plan.config.norm.name == "group")
    expansion.planned.remove(late)
    finish(expander.store, expansion, accuracy)
    expansion, _ = judged(expander)
    assert all(plan.config.seed in FIRST for plan in expansion.planned)


def test_nobody_looks_again_before_evaluations_are_there(tmp_path: Path) -> None:
    evaluated = design()
    grid = evaluated.grids["norms"].model_copy(update={"evaluate": ["features"]})
    expander = Expander(
        evaluated.model_copy(update={"grids": {"norms": grid}}), "quick", Store(tmp_path / "quick"), Composer()
    )
    finish(expander.store, expander.expand(), accuracy)
    expansion, _ = judged(expander)
    assert all(plan.config.seed in FIRST for plan in expansion.planned)
    for plan in expansion.planned:
        expander.store.put_evaluation(plan.run_key, "features", {"linear": 0.5})
    expander.store.refresh()
    expansion, _ = judged(expander)
    assert any(plan.config.seed in SECOND for plan in expansion.planned)


def test_a_third_look_is_flagged(tmp_path: Path) -> None:
    register_second_look(tmp_path, design(), "quick")
    noted = registered(tmp_path)
    assert not second_look_changed(noted, design(), "quick")
    assert second_look_changed(noted, design(second_look=(*SECOND, 10, 11)), "quick")
    register_second_look(tmp_path, design(second_look=(*SECOND, 10)), "quick")  # too late to be noted
    assert registered(tmp_path) == noted


def test_without_a_second_look_p_values_are_plain(tmp_path: Path) -> None:
    expander = Expander(design(second_look=()), "quick", Store(tmp_path / "quick"), Composer())
    finish(expander.store, expander.expand(), accuracy)
    expansion, results = judged(expander)
    assert str(results["layer"].verdict) == "unresolved"
    assert all(plan.config.seed in FIRST for plan in expansion.planned)
    raw = stats.ttest_1samp(0.2 + NOISE[:5] / 10, 0.0, alternative="greater").pvalue
    assert results["batch"].settings[0].p(Word.SUPPORTED) == pytest.approx(raw)


def test_further_seeds_are_no_change_of_a_claim() -> None:
    assert claim_hash(CLAIMS[0], design(), "quick") == claim_hash(CLAIMS[0], design(second_look=()), "quick")
    assert claim_hash(CLAIMS[0], design(), "quick") != claim_hash(CLAIMS[0], design(report=(0, 1, 2)), "quick")


def test_seeds_of_both_looks_must_differ() -> None:
    with pytest.raises(NormlabError, match="seeds overlap"):
        design(second_look=(4, 5))


def test_what_is_looked_at_besides_is_shown_and_decides_nothing(expander: Expander) -> None:
    extra = replace(better("group").cases[0], name=Text("besides", "併せて"))
    claims = (replace(CLAIMS[0], shown_besides=(extra,)), CLAIMS[1])
    finish(expander.store, expander.expand(), accuracy)
    _, plain = expand_and_judge(expander, CLAIMS)
    _, more = expand_and_judge(expander, claims)
    assert [(r.verdict, r.p_adjusted) for r in plain] == [(r.verdict, r.p_adjusted) for r in more]
    (shown,) = more[0].shown_besides
    assert shown.run
    assert shown.label(several_cases=True).en == "Digits · besides"
    assert shown.parts[0].estimate == pytest.approx(0.0)
    assert claim_hash(claims[0], design(), "quick") == claim_hash(CLAIMS[0], design(), "quick")
