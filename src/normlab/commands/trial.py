"""A norm on trial from the command line."""

import webbrowser
from collections.abc import Sequence
from typing import Any

from normlab.commands.words import parsed
from normlab.trials.card import Card, number
from normlab.trials.docket import YOURS
from normlab.trials.trial import trial as tried


def trial(
    norm: str, options: Sequence[str], minutes: float | None, scale: str, results: str, jobs: int, open_page: bool
) -> None:
    """Put a norm on trial and say what was found.

    Raises:
        NormlabError: as :func:`normlab.trials.trial.trial` does, and for an option that is none.
    """
    card = tried(norm, minutes, scale, results, jobs, **options_of(options))
    say(card)
    page = card.facts["page"]
    print(f"report card: {page}")
    if open_page:
        webbrowser.open(page.resolve().as_uri())


def options_of(words: Sequence[str]) -> dict[str, Any]:
    """``norm.num_groups=4`` as {"num_groups": 4}.

    Raises:
        NormlabError: for a word without a name or a value.
    """
    return {name.lstrip("+").removeprefix("norm."): value for name, value in parsed(words).items()}


def say(card: Card) -> None:
    """The card in a few lines."""
    checks = card.rows("right")
    failed = [row for row in checks if row["what"] == "failed"]
    passed = sum(row["what"] == "passed" for row in checks)
    print(f"{card.label}: {passed} checks passed, {len(failed)} failed")
    for row in failed:
        print(f"  failed: {row['where']}: {row['said']}")
    for name, situation in card.docket.situations.items():
        for row in card.rows("good", where=name, what="difference", arm=YOURS, against="batch"):
            accuracy = number(card.value("good", "test_accuracy", YOURS, name))
            known = row["low"] == row["low"]
            interval = f" [{number(row['low'], 2)}, {number(row['high'], 2)}]" if known else ""
            print(
                f"  {situation.title}: {accuracy} %, {number(row['value'], 2, True)} points to batch norm{interval}, {int(row['n'])} seeds"
            )
    if card.facts["failed"]:
        print(f"  failed runs: {card.facts['failed']}")
