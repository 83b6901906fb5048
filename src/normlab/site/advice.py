"""The chooser's answers for the README: a row an answer."""

from collections.abc import Sequence

from normlab.site.language import ENGLISH
from normlab.site.situations import Field


def advice(fields: Sequence[Field]) -> list[str]:
    """Markdown: what is best and as good, with the situations in which it is; situations without a trained net are left out."""
    by_answer: dict[str, list[str]] = {}
    for field in fields:
        best = ENGLISH.listed([ENGLISH.method(arm.method) for arm in field.arms if arm.method in field.alike])
        if best:
            by_answer.setdefault(best, []).append(ENGLISH.situation(field))
    if not by_answer:
        return []
    rows = [f"| {answer} | {'; '.join(situations)} |" for answer, situations in by_answer.items()]
    return [
        "",
        "Best norm by situation, each at its own rate, with those not told from it:",
        "",
        "| norm | situations |",
        "|---|---|",
        *rows,
    ]
