"""The manual: links lead to files that are kept, commands are ones that there are, code runs, and the front page is short."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from normlab.cli import app

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
COMMANDS = typer.main.get_command(app)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files_that_are_kept(page: Path) -> None:
    kept = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    folders = {str(parent) for name in kept for parent in Path(name).parents}
    for link in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")):
        if not link.startswith("http"):
            target = str((page.parent / link).resolve().relative_to(ROOT))
            assert target in kept or target in folders, f"{page.name} links to {link}"


def test_every_page_of_the_manual_is_listed() -> None:
    listed = set(re.findall(r"\]\((\w+\.md)\)", (ROOT / "docs" / "README.md").read_text(encoding="utf-8")))
    assert listed == {page.name for page in (ROOT / "docs").glob("*.md")} - {"README.md"}


def test_the_front_page_is_short() -> None:
    assert (ROOT / "README.md").stat().st_size <= 8192


def blocks(page: Path, language: str) -> list[str]:
    """The code blocks of a page in a language, without their indentation."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return ["\n".join(line.removeprefix(indent) for line in text.splitlines()) for indent, text in found]


def commands() -> list[tuple[str, str]]:
    """Every line of the manual's shell blocks that calls make or normlab, and where it stands."""
    return [
        (page.name, line)
        for page in PAGES
        for block in blocks(page, "sh")
        for whole in block.replace("\\\n", " ").splitlines()
        for line in re.split(r"&& |; (?=make|normlab)", re.sub(r"\s#.*", "", whole))
        if line.strip().startswith(("make ", "normlab "))
    ]


def test_the_manual_calls_make_and_normlab() -> None:
    assert len(commands()) > 30


@pytest.mark.parametrize(("page", "line"), commands(), ids=[f"{page}: {line[:60]}" for page, line in commands()])
def test_a_command_of_the_manual_is_one_that_there_is(page: str, line: str) -> None:
    """Its target and variables are the Makefile's, its options and arguments those that the command takes."""
    word, *rest = shlex.split(line)
    if word == "make":
        makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
        targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
        variables = set(re.findall(r"\$\((?:value )?([A-Z]+)\)", makefile)) | {"DATA_DIR"}
        assert {part for part in rest if "=" not in part} <= targets
        assert {part.partition("=")[0] for part in rest if "=" in part} <= variables
        return
    command = COMMANDS.commands[rest[0]]  # type: ignore[attr-defined]
    command.make_context(rest[0], rest[1:])


PYTHON = [
    (page, block) for page in PAGES if page.name != "trial.md" for block in blocks(page, "python")
]  # those of trial.md are norms, which tests/trials puts on trial


@pytest.mark.parametrize(("page", "block"), PYTHON, ids=[f"{page.name}: {block[:40]!r}" for page, block in PYTHON])
def test_code_of_the_manual_runs(page: Path, block: str, tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "cpu").symlink_to(ROOT / "results" / "cpu")
    code = "from torch import nn\n" + block
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
