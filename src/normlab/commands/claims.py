"""The claims and what they say."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from experiments import all_experiments
from normlab.errors import NormlabError


def claims(words: Sequence[str]) -> None:
    """List the claims in whose id, statement (English or Japanese), sources or experiment all ``words`` occur.

    Raises:
        NormlabError: if there are none.
    """
    found = [
        (experiment.name, claim)
        for experiment in all_experiments()
        for claim in experiment.claims
        if _has(words, experiment.name, claim.id, claim.statement.en, claim.statement.ja, *claim.sources)
    ]
    if not found:
        raise NormlabError(f"no claim has the words {' '.join(words)!r}; `normlab claims` lists all")
    table = Table("claim", "what it says", "articles", "experiment", show_lines=False)
    for experiment, claim in found:
        table.add_row(*(Text(text) for text in (claim.id, claim.statement.en, ", ".join(claim.sources), experiment)))
    console = Console(highlight=False)
    Console(highlight=False, width=max(console.width, 110)).print(table)


def _has(words: Sequence[str], *texts: str) -> bool:
    whole = " ".join(texts).lower()
    return all(word.lower() in whole for word in words)
