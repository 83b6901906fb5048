"""Findings of exact claims: verified or falsified, and computed once for the same code."""

from pathlib import Path

import pytest

from normlab.core.claim import Claim, Finding, Text
from normlab.verdicts import exact
from normlab.verdicts.exact import Findings

T = Text("", "")


def claim(holds: bool, calls: list[int]) -> Claim:
    def check() -> Finding:
        calls.append(1)
        return Finding(holds, {"x": 0.1 + 0.2, "none": float("nan")})

    return Claim("e", ("A",), T, T, "exact", check=check)


@pytest.mark.parametrize(("holds", "verdict"), [(True, "verified"), (False, "falsified")])
def test_they_are_verified_or_falsified_and_computed_once(tmp_path: Path, holds: bool, verdict: str) -> None:
    calls: list[int] = []
    for _ in range(2):
        result = Findings(tmp_path).of(claim(holds, calls))
        assert str(result.verdict) == verdict
        assert result.finding is not None
        assert result.finding.numbers["x"] == 0.1 + 0.2
    assert len(calls) == 1


def test_other_code_computes_them_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    assert Findings(tmp_path).of(claim(True, calls)).finding is not None
    monkeypatch.setattr(exact, "_package", lambda: b"another version")
    assert str(Findings(tmp_path).of(claim(False, calls)).verdict) == "falsified"
    assert len(calls) == 2


def test_a_damaged_file_and_one_that_cannot_be_written_cost_a_computation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    (tmp_path / exact.FILE).write_text("{cut")
    assert str(Findings(tmp_path).of(claim(True, calls)).verdict) == "verified"
    (tmp_path / "a file").write_text("")
    assert str(Findings(tmp_path / "a file").of(claim(True, calls)).verdict) == "verified"
    assert len(calls) == 2
