"""A report's figures as files: each is drawn once, and again only when what it shows, or the code that draws it, has changed."""

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

from matplotlib.figure import Figure

from normlab.core.record import write_atomically
from normlab.core.trial import ClaimResult
from normlab.report.results import Results
from normlab.report.svg import save_figure

SHOWN = "shown.json"  # beside the figures: what each of them showed when it was drawn


class Gallery:
    """The figures of a report, ``<folder>/<name>.png`` and ``.svg``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._file = folder / SHOWN
        try:
            self._shown: dict[str, str] = json.loads(self._file.read_text())
        except (OSError, ValueError):
            self._shown = {}

    def show(self, name: str, what: str, draw: Callable[[], Figure | None], caption: str | None = None) -> bool:
        """Have the figure of that name show ``what``, by ``draw`` unless it does already; whether there is one."""
        digest = hashlib.sha256("\0".join((what, caption or "", _drawing_code())).encode()).hexdigest()
        files = [self.folder / f"{name}{suffix}" for suffix in (".png", ".svg")]
        if self._shown.get(name) == digest and all(file.exists() for file in files):
            return True
        figure = draw()
        if figure is None:
            return False
        save_figure(figure, self.folder, name, caption)
        self._shown[name] = digest
        return True

    def close(self) -> None:
        """Note what its figures show."""
        write_atomically(self._file, json.dumps(self._shown, indent=0, sort_keys=True).encode())


def shown_by_claim(result: ClaimResult, results: Results) -> str:
    """Everything that a claim's figure is drawn from, as text."""
    rows = [
        (
            setting.label(len(result.claim.cases) > 1).en, str(setting.verdict), results.untrained(setting), part.contrast.name.en,
            part.kind, part.unit, part.delta, part.interval, sorted(part.effects.by_seed.items()),
        )
        for setting in result.settings
        for part in setting.parts
    ]  # fmt: skip
    return repr((result.claim.statement.en, results.foot, rows))


def shown_by_experiment(results: Results, source: str) -> str:
    """Everything that an experiment's figure may be drawn from, as text; ``source`` is the code that draws it."""
    store = results.store
    cells = results.cells.to_csv(index=False) if not results.cells.empty else ""
    words = [(r.claim.id, str(r.verdict)) for r in results.judged]
    return "\0".join([source, cells, repr(words), *_measured(results, store.root)])


def _measured(results: Results, root: Path) -> Iterator[str]:
    plans = (*results.expansion.planned, *results.expansion.costs)
    for key in dict.fromkeys(plan.run_key for plan in plans):
        facts = results.store.facts(key) or {}
        yield repr(
            [facts.get(name) for name in ("status", "weights_sha256", "test_accuracy", "train_loss", "measured")]
        )
    for plan in plans:
        for name in (*plan.evaluate, *(["cost"] if plan.costs else []), *(["step_seconds"] if plan.timed else [])):
            yield repr(results.store.evaluation(plan.run_key, name))


def _drawing_code() -> str:
    """A digest of the code of this room."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()
