"""Checks of a norm on trial: sound norms pass them all, and each fault is found by the check that is for it."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from normlab.errors import NormlabError
from normlab.trials.checks import CHECKS, checked
from normlab.trials.subject import Subject, method

HEAD = """
import torch
from torch import nn

class Base(nn.Module):
    AXES = (1, 2, 3)
    def __init__(self, num_features):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(num_features))
    def scaled(self, x):
        return x * self.weight.view(1, -1, *[1] * (x.dim() - 2))
    def axes(self, x):
        return tuple(range(1, x.dim()))
    def moments(self, x):
        var, mean = torch.var_mean(x, self.axes(x), keepdim=True, correction=0)
        return mean, var
    def forward(self, x):
        mean, var = self.moments(x)
        return self.scaled((x - mean) / (var + 1e-5).sqrt())
"""
FAULTS = {
    "large_mean": """
    def moments(self, x):
        mean = x.mean(self.axes(x), keepdim=True)
        return mean, (x.square().mean(self.axes(x), keepdim=True) - mean.square()).clamp_min(0)
""",
    "constant": """
    def forward(self, x):
        var, mean = torch.var_mean(x, tuple(range(2, x.dim())), keepdim=True, correction=0)
        return self.scaled((x - mean) / var.sqrt())
""",
    "one_sample": """
    def forward(self, x):
        return self.scaled((x - x.mean()) / x.mean(self.axes(x)).std())
""",
    "gradient": """
    def forward(self, x):
        mean, var = self.moments(x)
        return self.scaled((x - mean.detach()) / (var.detach() + 1e-5).sqrt() + 0 * x.detach()) + (x * x).detach()
""",
    "layouts": """
    def forward(self, x):
        return super().forward(x.view(x.shape[0], -1).view(x.shape))
""",
    "state": """
    def __init__(self, num_features):
        super().__init__(num_features)
        self.average = torch.zeros(())
    def forward(self, x):
        if self.training:
            self.average = 0.9 * self.average + 0.1 * x.detach().abs().mean()
            return super().forward(x)
        return super().forward(x) * self.average
""",
    "copies": """
    def __init__(self, num_features):
        super().__init__(num_features)
        self.square = lambda x: x * x
""",
    "mixes": """
    METHOD = {"mixes": ("channels",)}
""",
    "evaluation": """
    def __init__(self, num_features):
        super().__init__(num_features)
        self.register_buffer("running_mean", torch.zeros(num_features))
""",
    "nan": """
    def forward(self, x):
        return super().forward(x) * (1 + 0 * x.detach().amax())
""",
    "double": """
    def forward(self, x):
        return super().forward(x) if x.dtype == torch.float32 else super().forward(x).square()
""",
    "maps": """
    def forward(self, x):
        return super().forward(x) / (x.shape[0] - 4)
""",
}


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Callable[[str], str]]:
    def write(body: str) -> str:
        (tmp_path / "mine.py").write_text(HEAD + "\nclass Mine(Base):\n    pass\n" + body)
        return f"{tmp_path / 'mine.py'}:Mine"

    yield write
    sys.path[:] = [folder for folder in sys.path if folder != str(tmp_path)]


@pytest.mark.parametrize("norm", ["batch", "instance", "spectral"])
def test_methods_pass_all_that_is_their_business(norm: str) -> None:
    found = {check.name: check for check in checked(method(norm))}
    assert set(found) == set(CHECKS)
    assert not {name: check.said for name, check in found.items() if check.outcome == "failed"}


def test_a_sound_norm_of_ones_own_passes(file: Callable[[str], str]) -> None:
    found = list(checked(Subject.of(file(""))))
    assert {check.outcome for check in found} == {"passed"}
    assert all(check.said for check in found)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found_by_the_check_that_is_for_it(fault: str, file: Callable[[str], str]) -> None:
    found = {check.name: check for check in checked(Subject.of(file(FAULTS[fault])))}
    assert found[fault].outcome == "failed", found[fault]
    assert found[fault].said


def test_what_is_none_of_its_business_is_no_fault(file: Callable[[str], str]) -> None:
    """A norm for maps alone says so when features come; that is no failure."""
    found = {c.name: c for c in checked(Subject.of("torch.nn.BatchNorm2d"))}
    assert found["features"].outcome == "not its business"
    assert "expected 4D input" in found["features"].said
    assert found["maps"].outcome == "passed"


def test_no_two_norms_are_called_alike(file: Callable[[str], str]) -> None:
    """A class that is called as a method is, and a method with an option, have names of their own."""
    target = file("\nclass group(Base):\n    pass\n").replace(":Mine", ":group")
    assert Subject.of(target).label == "my group"
    assert Subject.of("batch", {"eps": 0.1}).label == "batch eps=0.1"


@pytest.mark.parametrize(
    ("norm", "options", "message"),
    [
        ("torch.nn.LayerNorm", {}, r"LayerNorm does not normalize maps \(N, C, H, W\)"),
        ("torch.nn.GroupNorm", {}, "also needs num_groups"),
        ("torch.nn.GroupNorm", {"num_groups": 5}, "divisible|num_groups"),
        ("nowhere.Norm", {}, "No module named 'nowhere'"),
        ("grup", {}, "grup"),
        ("batch", {}, "what all others are held against"),
        ("batch", {"epsilon": 0.1}, "epsilon"),
    ],
)
def test_what_cannot_be_tried_is_refused_in_one_line(norm: str, options: dict[str, float], message: str) -> None:
    with pytest.raises(NormlabError, match=message) as caught:
        Subject.of(norm, options)
    assert "\n" not in str(caught.value)
