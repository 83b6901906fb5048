"""How fast the suite is: sections of ratios, each measured side by side and in turns, on real data."""

from collections.abc import Callable, Iterator
from importlib import import_module

from normlab.bench.rows import Row

SECTIONS = {  # name of the module and of its function: what the page calls it
    "floor": "Floor and peak",
    "loop": "The loop against the floor",
    "peers": "Peers: the same net on the same data",
    "overhead": "Sweep overhead",
    "scaling": "Scaling",
    "norms": "Norms, layer by layer",
    "start": "Start",
    "load": "Load",
    "pages": "The report's pages in a browser",
    "tracker": "Tracking, with a service that fails",
    "gpu": "On a GPU",
}


def section(name: str) -> Callable[[], Iterator[Row]]:
    """The function that measures a section, a row at a time."""
    found: Callable[[], Iterator[Row]] = getattr(import_module(f"normlab.bench.{name}"), name)
    return found
