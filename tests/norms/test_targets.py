"""What a norm's target may be: a class or a factory, by its dotted path, in a file, or of the running program."""

import functools
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import nn

from normlab.config import NormConfig
from normlab.errors import NormlabError
from normlab.norms import make_norm, method_of, norm_version
from normlab.targets import label_of, load, offer

TEXT = """
import functools
from torch import nn
from helper_of_mine import EPS

class Mine(nn.Module):
    METHOD = {"mixes": ("channels",)}
    def __init__(self, num_features, power=2.0):
        super().__init__()
        self.power = power
    def forward(self, x):
        return x / (x.abs().pow(self.power).mean(1, keepdim=True) + EPS)

def make(num_features, power=1.0):
    return Mine(num_features, power)

def no_module(num_features):
    return num_features

cubic = functools.partial(Mine, power=3.0)
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "helper_of_mine.py").write_text("EPS = 1e-6\n")
    (tmp_path / "mine.py").write_text(TEXT)
    yield tmp_path / "mine.py"
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None)).startswith(str(tmp_path)):
            del sys.modules[name]


def of(target: str, **options: float) -> NormConfig:
    return NormConfig(name="custom", target=target, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "options", "power"),
    [("Mine", {}, 2.0), ("Mine", {"power": 4.0}, 4.0), ("make", {}, 1.0), ("make", {"power": 5.0}, 5.0), ("cubic", {}, 3.0)],
)  # fmt: skip
def test_a_file_needs_no_package(file: Path, name: str, options: dict[str, float], power: float) -> None:
    """Classes, functions and partials; what is declared of the class holds for whatever makes it."""
    config = of(f"{file}:{name}", **options)
    norm = make_norm(config, 8, positions=True)
    assert norm.power == power
    assert method_of(config).mixes == ("channels",)
    assert norm(torch.ones(2, 8, 3, 3)).shape == (2, 8, 3, 3)


def test_a_file_is_found_from_the_folder_one_is_in(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(file.parent)
    assert make_norm(of("./mine.py:Mine"), 8, positions=True).power == 2.0
    assert make_norm(of("mine.py:make"), 8, positions=True).power == 1.0


def test_a_changed_file_is_another_version_and_is_read_anew(file: Path) -> None:
    config = of(f"{file}:Mine")
    first = norm_version(config)
    assert norm_version(config) == first
    assert norm_version(of(f"{file}:cubic")) != first  # a partial holds arguments that the class has not
    assert make_norm(config, 8, positions=True).power == 2.0
    before = file.stat()
    file.write_text(TEXT.replace("power=2.0", "power=6.0"))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))  # within the same second, and as long as before
    assert norm_version(config) != first
    assert make_norm(config, 8, positions=True).power == 6.0


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("{folder}/absent.py:Mine", "there is no file .*absent.py"),
        ("{file}:Absent", "Absent"),
        ("{file}:EPS", "no torch.nn.Module class, nor a function"),
        ("{file}:no_module", "gives a int, where a torch.nn.Module is wanted"),
        ("json:loads", "TypeError|JSONDecodeError|also needs"),
        ("offered:Gone_123456", "nothing is offered"),
    ],
)
def test_what_leads_nowhere_is_told_in_one_line(file: Path, target: str, message: str) -> None:
    with pytest.raises(NormlabError, match=message) as caught:
        make_norm(of(target.format(folder=file.parent, file=file)), 8, positions=True)
    assert "\n" not in str(caught.value)


def test_a_fault_in_a_file_is_told_with_its_line(file: Path) -> None:
    file.write_text(TEXT.replace("import EPS", "import EPS, GONE"))
    with pytest.raises(NormlabError, match=r"cannot import name 'GONE'.*mine\.py, line 4"):
        make_norm(of(f"{file}:Mine"), 8, positions=True)


def test_what_has_an_import_path_is_offered_by_it() -> None:
    assert offer(nn.BatchNorm2d) == "torch.nn.modules.batchnorm:BatchNorm2d"
    assert label_of(offer(nn.BatchNorm2d)) == "BatchNorm2d"


def test_what_has_none_is_offered_in_this_process() -> None:
    class Local(nn.Identity):
        def __init__(self, num_features: int, scale: float = 1.0) -> None:
            super().__init__()
            self.scale = scale

    for maker, scale in (
        (Local, 1.0),
        (functools.partial(Local, scale=2.0), 2.0),
        (lambda num_features: Local(3), 1.0),
    ):
        target = offer(maker)
        assert load(target) is maker
        assert make_norm(of(target), 4, positions=True).scale == scale
    assert label_of(offer(Local)) == "Local"


@pytest.mark.parametrize("wrong", [nn.Identity(), 3, "torch.nn.Identity"])
def test_what_makes_no_norms_is_refused(wrong: object) -> None:
    with pytest.raises(NormlabError, match="a class or a function that makes norms is wanted"):
        offer(wrong)  # type: ignore[arg-type]
