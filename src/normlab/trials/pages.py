"""Pages with everything in them, in English and Japanese."""

import base64
import io
from typing import Any

import jinja2
import matplotlib.pyplot as plt
from markupsafe import Markup
from matplotlib.figure import Figure

from normlab.report.page import both


def page(template: str, **values: Any) -> str:
    """A template of this room, with the report's style and words in both languages."""
    loaders = [jinja2.PackageLoader("normlab", f"{room}/templates") for room in ("trials", "report")]
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader(loaders),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(both=both, **values)


def png(figure: Figure) -> bytes:
    """A figure at the size it was made, which is closed."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100)
    plt.close(figure)
    return buffer.getvalue()


def inlined(content: bytes, alt: str) -> Markup:
    """A picture inside the page."""
    encoded = base64.b64encode(content).decode()
    return Markup('<img alt="{}" src="data:image/png;base64,{}" style="max-width:100%">').format(alt, encoded)
