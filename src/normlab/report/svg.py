"""Figures as files, and as text inside a page."""

import io
import re
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from normlab.core.record import write_atomically
from normlab.report.style import add_caption


def save_figure(figure: Figure, folder: Path, name: str, caption: str | None = None) -> None:
    """Save a figure as ``<folder>/<name>.svg`` and ``.png``, and close it.

    It is laid out once: what is where does not depend on the format.
    """
    if caption:
        add_caption(figure, caption)
    vector, pixels = io.BytesIO(), io.BytesIO()
    figure.savefig(pixels, format="png", dpi=130)
    figure.set_layout_engine("none")
    figure.savefig(vector, format="svg", metadata={"Date": None})
    plt.close(figure)
    write_atomically(folder / f"{name}.svg", vector.getvalue())
    write_atomically(folder / f"{name}.png", pixels.getvalue())


def inlined(folder: Path, name: str) -> str:
    """A saved figure's SVG for the inside of a page; empty where there is none."""
    file = folder / f"{name}.svg"
    if not file.exists():
        return ""
    text = file.read_text(encoding="utf-8")
    return _own_ids(text[text.index("<svg") :], name)


def _own_ids(svg: str, name: str) -> str:
    """Make an SVG's ids its own, since all of them share one page."""
    prefix = re.sub(r"\W", "-", name)
    svg = re.sub(r'id="([^"]+)"', rf'id="{prefix}-\1"', svg)
    svg = re.sub(r'href="#([^"]+)"', rf'href="#{prefix}-\1"', svg)
    return re.sub(r"url\(#([^)]+)\)", rf"url(#{prefix}-\1)", svg)
