"""Grids that measure costs: nothing is trained, everything is measured once, and contrasts read it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from normlab.core.claim import Arm, Case, Claim, Contrast, Text
from normlab.core.design import Design
from normlab.runs.store import Store
from normlab.sweeps.compose import Composer
from normlab.sweeps.expand import Expander
from normlab.sweeps.status import is_finished, status_of
from normlab.sweeps.sweep import sweep
from normlab.training import cost
from normlab.verdicts.looks import expand_and_judge
from tests.conftest import SMALL

T = Text("x", "x")
DESIGN = Design.parse(
    {
        "name": "toy",
        "title": "Toy",
        "title_ja": "Toy",
        "scales": {"quick": {"seeds": {"tune": [100], "report": [0, 1, 2]}, "settings": {"one": {"overrides": SMALL}}}},
        "grids": {"nets": {"costs": "net", "axes": {"norm": ["none", "batch"]}}},
    },
    "toy",
)
DEARER = Claim(
    "dearer", ("A",), T, T, "superiority", unit="ratio", delta=0.05,
    cases=(Case(T, (Contrast(T, "cost.saved_bytes", Arm("nets", {"norm": "batch"}), Arm("nets", {"norm": "none"}), log=True),)),),
)  # fmt: skip


@pytest.fixture
def expander(tmp_path: Path) -> Expander:
    return Expander(DESIGN, "quick", Store(tmp_path / "quick"), Composer())


def never(plan: Path) -> None:
    raise AssertionError("nothing is to be trained")


def run(expander: Expander, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Sweep, and say how many configurations each call measured."""
    calls: list[int] = []

    def counted(configs: Any) -> list[dict[str, float]]:
        calls.append(len(configs))
        return [{"saved_bytes": 100.0 + 50 * (c.norm.name == "batch") + c.seed} for c in configs]

    monkeypatch.setitem(cost.COSTS, "net", counted)
    sweep("toy", expander.expand, never, expander.store, {"name": "none"})
    expander.store.refresh()
    return calls


def test_costs_are_measured_by_repetition_and_only_once(expander: Expander, monkeypatch: pytest.MonkeyPatch) -> None:
    before = status_of(expander.expand(), expander.store)
    assert (before.done, before.left) == (0, 6)
    assert not is_finished(expander.expand(), expander.store)
    assert run(expander, monkeypatch) == [2, 2, 2]
    assert run(expander, monkeypatch) == []
    after = status_of(expander.expand(), expander.store)
    assert (after.done, after.left) == (6, 0)
    assert is_finished(expander.expand(), expander.store)


def test_a_contrast_reads_costs_and_is_not_run_without_them(
    expander: Expander, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, (before,) = expand_and_judge(expander, [DEARER])
    assert str(before.verdict) == "not run"
    run(expander, monkeypatch)
    _, (after,) = expand_and_judge(expander, [DEARER])
    assert str(after.verdict) == "holds"
    assert after.settings[0].parts[0].estimate == pytest.approx(0.4, abs=0.01)


def test_a_run_whose_cost_was_not_measured_is_missing_not_excluded(expander: Expander) -> None:
    for plan in expander.expand().costs:
        expander.store._facts[plan.run_key] = {"run_key": plan.run_key, "status": "ok"}
    _, (found,) = expand_and_judge(expander, [DEARER])
    assert str(found.verdict) == "not run"
    assert found.settings[0].parts[0].effects.missing == 6


def test_one_sweep_measures_the_second_look_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scales = DESIGN.model_dump()["scales"]
    scales["quick"]["seeds"]["second_look"] = [3, 4]
    twice = Design.parse({**DESIGN.model_dump(exclude_unset=True), "scales": scales}, "toy")
    expander = Expander(twice, "quick", Store(tmp_path / "quick"), Composer())
    unsure = replace(DEARER, cases=(Case(T, (replace(DEARER.cases[0].parts[0], measure="cost.step"),)),))

    def noisy(configs: Any) -> list[dict[str, float]]:
        gain = {0: -0.5, 1: 0.6, 2: 0.1, 3: 0.3, 4: -0.2}
        return [{"step": 1.0 + gain[c.seed] * (c.norm.name == "batch")} for c in configs]

    monkeypatch.setitem(cost.COSTS, "net", noisy)
    sweep("toy", lambda: expand_and_judge(expander, [unsure])[0], never, expander.store, {"name": "none"})
    _, (found,) = expand_and_judge(expander, [unsure])
    assert found.settings[0].parts[0].n == 5
    assert not found.settings[0].outstanding
