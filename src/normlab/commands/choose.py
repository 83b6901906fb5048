"""Which normalization for my data and my net, from the command line."""

import webbrowser
from collections.abc import Sequence

from normlab.commands.data import is_source, taken_in
from normlab.commands.words import parsed
from normlab.errors import NormlabError
from normlab.report.style import method_title
from normlab.trials.answer import save, table
from normlab.trials.card import number
from normlab.trials.choosing import USUAL, Wish, chosen


def choose(
    data: str,
    net: str,
    batch: int,
    epochs: float,
    norms: str | None,
    overrides: Sequence[str],
    minutes: float,
    results: str,
    jobs: int,
    open_page: bool,
) -> None:
    """Train, choose, and say what was found.

    Raises:
        NormlabError: as :func:`normlab.trials.choosing.chosen` does, and for an override that is none.
    """
    if batch < 1 or not epochs > 0:
        raise NormlabError(f"--batch {batch} --epochs {epochs:g}: both are more than 0")
    name = taken_in(data) if is_source(data) else data
    wanted = tuple(word.strip() for word in norms.split(",")) if norms else USUAL
    found = chosen(Wish(name, net, batch, epochs, wanted, parsed(overrides)), minutes, results=results, jobs=jobs)
    for row in table(found).to_dict("records"):
        mark = {"best": "★", "not distinguishable": "≈"}.get(str(row["place"]), " ")
        title = method_title(str(row["method"]))
        untrained = "" if row["clears_linear"] else ", untrained"
        print(f"{mark} {title:32} {number(row['test_accuracy']):>5} %  rate {row['lr']:g}, {row['n']} seeds{untrained}")
    if (linear := found.facts["linear"]) is not None:
        print(f"  {'(a linear model':32} {number(100 * linear):>5} %)")
    for norm, reason in found.left_out.items():
        print(f"  left out: {method_title(norm)}: {reason}")
    for said in sorted(set(found.failed.values())):
        print(f"  failed: {said}")
    page = save(found, found.facts["folder"])
    print(f"answer: {page}")
    if open_page:
        webbrowser.open(page.resolve().as_uri())
