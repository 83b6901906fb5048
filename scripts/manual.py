"""What MkDocs asks while it builds the manual: files of the repository that pages link to come along, and no link leads nowhere."""

import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
LINK = re.compile(r"(\]\()((?:\.\./)+[^)#\s]+)([^)]*\))")
SHOWN = {
    ".png",
    ".csv",
}  # what is shown or read as it is; a page of the repository that is no part of the manual is named instead


def on_files(files: Any, config: Any) -> Any:
    """Take along every picture and table that a page links to outside of ``docs``."""
    from mkdocs.structure.files import File

    for page in [file for file in files if file.src_uri.endswith(".md")]:
        for target in _outside(Path(page.abs_src_path)):
            if target.suffix in SHOWN and files.get_file_from_path(_inside(target)) is None:
                files.append(File.generated(config, _inside(target), abs_src_path=str(target)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Let links to these files lead to where they are in the site; of others outside keep the text, with the path behind it."""
    here = Path(page.file.abs_src_path)
    up = "../" * page.file.src_uri.count("/")

    def changed(found: re.Match[str]) -> str:
        target = (here.parent / found[2]).resolve()
        return (
            f"{found[1]}{up}{_inside(target)}{found[3]}"
            if target.suffix in SHOWN
            else f"](#){{title='{_path(target)}'}}"
        )

    return LINK.sub(changed, markdown)


def _outside(page: Path) -> list[Path]:
    return [(page.parent / found[2]).resolve() for found in LINK.finditer(page.read_text(encoding="utf-8"))]


def _path(target: Path) -> str:
    return str(target.relative_to(ROOT))


def _inside(target: Path) -> str:
    return f"files/{_path(target)}"
