"""The manual: every link leads to a file that is in the repository, and the front page is short."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files_that_are_kept(page: Path) -> None:
    kept = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    folders = {str(parent) for name in kept for parent in Path(name).parents}
    for link in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")):
        if not link.startswith("http"):
            target = str((page.parent / link).resolve().relative_to(ROOT))
            assert target in kept or target in folders, f"{page.name} links to {link}"


def test_every_page_of_the_manual_is_listed() -> None:
    listed = set(re.findall(r"\]\(([\w.]+)\)", (ROOT / "docs" / "README.md").read_text(encoding="utf-8")))
    assert listed == {page.name for page in (ROOT / "docs").glob("*.md")} - {"README.md"}


def test_the_front_page_is_short() -> None:
    assert (ROOT / "README.md").stat().st_size <= 8192
