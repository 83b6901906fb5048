"""The commands of README, the manual and `make help`, through make, as they are written."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from normlab.runs.store import Store
from tests.conftest import ROOT

README = "\n".join(
    file.read_text(encoding="utf-8")
    for file in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
)
# What stands in fences: a line of prose may begin with the verb "make".
CODE = "\n".join(re.findall(r"^ *```.*\n((?:.*\n)*?) *```", README, flags=re.MULTILINE))
COMMANDS = list(dict.fromkeys(re.findall(r"^ *(make [^#`\n]+?) *(?:#.*)?$", CODE, flags=re.MULTILINE)))
COMMANDS += [f"make {words}" for words in re.findall(r"`make ([^`]+)`", README)]
TRAINS = [c for c in COMMANDS if c.startswith("make train ARGS") or c.startswith('make train SCALE=cpu ARGS="-m')]
# A name with everything in it that a shell, make or Hydra's grammar could stumble over.
NAMES = ["it's a (b) [br],ü={1} ${a}"]

pytestmark = pytest.mark.skipif(not (ROOT / ".venv" / ".ready").exists(), reason="make setup has not made .venv")


def make(command: str, tmp_path: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    python = f"{shlex.quote(sys.executable)} {shlex.quote(str(ROOT / 'tests' / 'quick_python.py'))}"
    environment = {
        k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "ARGS", "RESULTS")
    }
    environment |= {"DATA_DIR": str(tmp_path / "da ta"), "PYTHONPATH": str(tmp_path), "COLUMNS": "160"}
    return subprocess.run(
        [*shlex.split(command), "-o", ".venv/.ready", f"PY={python}", *words, *(f"{k}={v}" for k, v in variables.items())],
        cwd=ROOT, text=True, capture_output=True, check=False, timeout=300, env=environment,
    )  # fmt: skip


def test_every_command_of_the_readme_names_a_target(tmp_path: Path) -> None:
    for command in COMMANDS:
        done = make(command, tmp_path, "-n")
        assert done.returncode == 0, done.stderr


def test_help_lists_every_target(tmp_path: Path) -> None:
    listed = set(re.findall(r"^  make ([a-z-]+)", make("make help", tmp_path).stdout, flags=re.MULTILINE))
    targets = set(
        re.findall(r"^\.PHONY: ([a-z-]+)", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    )
    assert listed == targets
    assert {command.split()[1] for command in COMMANDS} <= targets


@pytest.mark.parametrize("command", [c for c in TRAINS if "custom" not in c])
def test_training_commands_train(command: str, tmp_path: Path) -> None:
    done = make(command, tmp_path, RESULTS=str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    (store,) = (tmp_path / "out").iterdir()
    runs = Store(store).refresh().runs()
    assert len(runs) == (len(sweep_of(command)) if "-m " in command else 1)


def sweep_of(command: str) -> list[int]:
    """One entry a combination of the values that a command sweeps."""
    sizes = [word.count(",") + 1 for word in shlex.split(shlex.split(command.partition("ARGS=")[2])[0]) if "=" in word]
    total = 1
    for size in sizes:
        total *= size
    return list(range(total))


@pytest.mark.parametrize("name", NAMES)
def test_folders_survive_whatever_is_in_their_names(name: str, tmp_path: Path) -> None:
    folder = tmp_path / name
    for norm in ("batch", "layer"):
        done = make("make train", tmp_path, ARGS=f"norm={norm}", RESULTS=str(folder))
        assert done.returncode == 0, done.stderr
        assert f"in {folder}/quick" in done.stdout
    assert len(Store(folder / "quick").refresh().runs()) == 2
    done = make("make compare", tmp_path, ARGS="batch layer", RESULTS=str(folder))
    assert done.returncode == 0, done.stderr
    assert "batch − layer" in done.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == [name]


@pytest.mark.parametrize(
    ("words", "value"),
    [
        ("'net.widths=[8, 16]' net.hidden=16 '+norm.name2=a b' norm=group", "name2: a b"),
        ("data.shift={start:0.5} '+tracker.project=\"it'\"'\"'s ü\"'", "project: it's ü"),
    ],
)
def test_arguments_survive(words: str, value: str, tmp_path: Path) -> None:
    done = make("make train", tmp_path, ARGS=f"{words} --cfg job")
    assert done.returncode == 0, done.stderr
    assert value in done.stdout


def test_an_open_quotation_is_told(tmp_path: Path) -> None:
    done = make("make train", tmp_path, ARGS="norm='batch")
    assert done.returncode == 2
    assert "ARGS: no closing quotation" in done.stderr
