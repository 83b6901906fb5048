"""What a report computes: findings of exact claims, verified or falsified, and others; once for the same code and input."""

from pathlib import Path

import pytest

from normlab.core.claim import Claim, Finding, Text
from normlab.verdicts import computed
from normlab.verdicts.computed import Computed

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
        result = Computed(tmp_path).finding(claim(holds, calls))
        assert str(result.verdict) == verdict
        assert result.finding is not None
        assert result.finding.numbers["x"] == 0.1 + 0.2
    assert len(calls) == 1


def test_other_code_computes_them_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    assert Computed(tmp_path).finding(claim(True, calls)).finding is not None
    monkeypatch.setattr(computed, "package_digest", lambda: "another version")
    assert str(Computed(tmp_path).finding(claim(False, calls)).verdict) == "falsified"
    assert len(calls) == 2


def test_a_damaged_file_and_one_that_cannot_be_written_cost_a_computation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    (tmp_path / computed.FILE).write_text("{cut")
    assert str(Computed(tmp_path).finding(claim(True, calls)).verdict) == "verified"
    (tmp_path / "a file").write_text("")
    assert str(Computed(tmp_path / "a file").finding(claim(True, calls)).verdict) == "verified"
    assert len(calls) == 2


def squares(text: str) -> list[int]:
    CALLS.append(text)
    if not text:
        raise ValueError("nothing to square")
    return [int(number) ** 2 for number in text.split()]


CALLS: list[str] = []


def test_other_inputs_are_computed_again_and_failures_are_not_kept(tmp_path: Path) -> None:
    CALLS.clear()
    for text in ("1 2", "1 2", "3", "1 2"):
        assert Computed(tmp_path).of("squares", lambda text=text: squares(text), text) == [
            int(n) ** 2 for n in text.split()
        ]
    assert CALLS == ["1 2", "3", "1 2"]
    for _ in range(2):
        with pytest.raises(ValueError, match="nothing to square"):
            Computed(tmp_path).of("squares", lambda: squares(""), "")
    assert CALLS[3:] == ["", ""]
    assert Computed(tmp_path).of("squares", lambda: squares("1 2"), "1 2") == [1, 4]
    assert len(CALLS) == 5
