"""The progress of a sweep, read off the store: it works with every launcher."""

import threading
import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from normlab.runs.store import Store
from normlab.sweeps.plan import Item

POLL_SECONDS = 1.0


class SweepProgress:
    """Shows done and all runs of a phase and the time left, while the launcher is at work in this thread."""

    def __init__(self, store: Store, items: list[Item], title: str, later: int) -> None:
        self.store = store
        self.items = {item.run_key: item for item in items}
        self.console = Console(stderr=True)
        self._before = self._finished()
        self._stop = threading.Event()
        self._started = time.monotonic()
        self._later = later
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("runs"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
            console=self.console,
            disable=False,
        )
        self._task = self._progress.add_task(title, total=len(items), left="")
        self._thread = threading.Thread(target=self._watch, name="progress", daemon=True)
        self._last_line = 0.0

    def _finished(self) -> dict[str, float]:
        """Run keys with a finished file, and when it was written."""
        found: dict[str, float] = {}
        for folder in ("runs", "evaluations"):
            for file in (self.store.root / folder).glob("*.parquet"):
                key = file.stem.partition("-")[0]
                if key in self.items:
                    try:
                        found[key] = max(found.get(key, 0.0), file.stat().st_mtime)
                    except FileNotFoundError:
                        continue
        return found

    def __enter__(self) -> "SweepProgress":
        if self.console.is_terminal:
            self._progress.start()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        self._show(final=True)
        if self.console.is_terminal:
            self._progress.stop()

    def _watch(self) -> None:
        while not self._stop.wait(POLL_SECONDS):
            self._show()

    def _show(self, final: bool = False) -> None:
        now = self._finished()
        done = {key for key, written in now.items() if self._before.get(key) != written}
        cost_done = sum(self.items[key].cost for key in done)
        cost_left = sum(item.cost for key, item in self.items.items() if key not in done)
        elapsed = time.monotonic() - self._started
        left = f"about {duration(elapsed * cost_left / cost_done)} left" if cost_done and cost_left else ""
        if self._later and left:
            left += f", then about {self._later} more runs"
        self._progress.update(self._task, completed=len(done), left=left)
        if not self.console.is_terminal and (final or elapsed - self._last_line > 30):
            self._last_line = elapsed
            title = self._progress.tasks[0].description
            self.console.print(
                f"{title}: {len(done)}/{len(self.items)} runs, {duration(elapsed)} so far {left}", highlight=False
            )


def duration(seconds: float) -> str:
    """Seconds as a person says them."""
    seconds = round(seconds)
    if seconds < 90:
        return f"{seconds} s"
    if seconds < 90 * 60:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"
