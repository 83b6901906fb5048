"""What a tracker is."""

from typing import Any, Protocol

from normlab.core.record import Record


class Tracker(Protocol):
    """Hears of each run: its start, its validation rows as they come, its record at the end. No call may block."""

    def start(self, run_key: str, config: dict[str, Any], experiment: str | None, role: str | None) -> None: ...

    def row(self, row: dict[str, float]) -> None: ...

    def finish(self, record: Record | None) -> None: ...

    def close(self) -> None: ...


class NoTracker:
    """Hears nothing."""

    def start(self, run_key: str, config: dict[str, Any], experiment: str | None, role: str | None) -> None:
        del run_key, config, experiment, role

    def row(self, row: dict[str, float]) -> None:
        del row

    def finish(self, record: Record | None) -> None:
        del record

    def close(self) -> None:
        return
