"""The README's table of verdicts, written between two markers from a scale's report."""

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from normlab.core.record import write_atomically
from normlab.core.word import OF_CLAIMS, Word
from normlab.errors import NormlabError
from normlab.report.sections import Section
from normlab.runs.store import Store


def table(sections: list[Section], scale: str, store: Store) -> str:
    """Markdown: a line on device, n and date, the picture of all verdicts, and a row a question with the counts of its verdicts."""
    shown = [s for s in sections if any(r.settings and r.verdict.word is not Word.NOT_RUN for r in s.claims)]
    keys = {plan.run_key for s in shown for plan in s.results.expansion.planned if plan.run_key in store}
    facts = [store.facts(key) or {} for key in sorted(keys)]
    machines = {(e["cpu"], e["torch"]) for f in facts if (e := json.loads(f.get("environment") or "null"))}
    dates = sorted({str(f["date"]) for f in facts if f.get("date")})
    seeds = sorted({int(n) for s in shown for n in s.results.seeds_a_cell.split(" to ")})
    several = f"{seeds[0]} to {seeds[-1]}" if len(seeds) > 1 else f"{seeds[0]}"
    when = f", {dates[0]} to {dates[-1]}" if len(dates) > 1 else f", {dates[0]}" if dates else ""
    device = " and ".join(f"{cpu}, torch {torch}" for cpu, torch in sorted(machines))
    words = [word for word in OF_CLAIMS if any(r.verdict.word is word for s in sections for r in s.claims)]
    lines = [
        f"Scale `{scale}`: {len(keys)} runs, {several} reporting seeds a cell; {device}{when}.",
        "",
        f"![All claims by question, coloured by verdict]({store.root.as_posix()}/figures/verdicts.png)",
        "",
        f"| question | {' | '.join(words)} |",
        "|---|" + "--:|" * len(words),
    ]
    for section in sections:
        counts = Counter(r.verdict.word for r in section.claims)
        if counts:
            told = " | ".join(str(counts[word] or "") for word in words)
            title = section.question.design.title
            lines.append(f"| {f'*{title}* (edition 1)' if section.old else title} | {told} |")
    return "\n".join([*lines, *_gates(sections)])


def _gates(sections: list[Section]) -> list[str]:
    """A row a recipe: the accuracy of every arm, and of a linear model on the same images."""
    found = next((s.published["gates"].table for s in sections if "gates" in s.published), None)
    if found is None:
        return []
    arms = list(dict.fromkeys(found["arm"]))
    lines = ["", "Test accuracy of the recipes, %:", "", f"| recipe, data | linear | {' | '.join(arms)} |"]
    lines.append("|---|--:|" + "--:|" * len(arms))
    for (recipe, data), rows in found.groupby(["recipe", "data"], sort=False):
        by_arm = {row["arm"]: _told(row) for row in rows.to_dict("records")}
        told = [by_arm.get(arm, "") for arm in arms]
        lines.append(f"| {recipe}, {data} | {100 * rows['linear_accuracy'].iloc[0]:.1f} | {' | '.join(told)} |")
    return lines


def _told(row: Mapping[Any, Any]) -> str:
    """An arm's accuracy, with what is to be said of it."""
    diverged = f"{row['diverged']} of {row['n']} diverged" if row.get("diverged") else ""
    remarks = ", ".join(filter(None, ("" if row["cleared"] else "untrained", diverged)))
    return f"{100 * row['test_accuracy']:.1f}" + (f" ({remarks})" if remarks else "")


def update(readme: Path, scale: str, content: str) -> None:
    """Replace what stands between the README's markers of this scale.

    Raises:
        NormlabError: if the markers are not there.
    """
    start, end = f"<!-- verdicts {scale}: start (make readme) -->", f"<!-- verdicts {scale}: end -->"
    text = readme.read_text()
    if start not in text or end not in text:
        raise NormlabError(f"{readme} has no markers {start!r} and {end!r}")
    before, after = text[: text.index(start) + len(start)], text[text.index(end) :]
    write_atomically(readme, f"{before}\n{content}\n{after}".encode())
