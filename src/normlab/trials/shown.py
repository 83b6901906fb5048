"""How a trial tells of itself while it goes on: in place on a terminal or in a notebook, else a line now and then."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.status import Status

from normlab.sweeps.progress import duration
from normlab.trials.engine import Listener, Tick

LINE_SECONDS = 30.0  # between lines where there is no terminal


@contextmanager
def shown() -> Iterator[Listener]:
    """A listener that shows each tick: runs done, time left, the seeds that every situation has, and what is being asked."""
    console = Console(stderr=True, highlight=False)
    last = -LINE_SECONDS

    def show(tick: Tick) -> None:
        nonlocal last
        seeds = ", ".join(f"{name} {count}" for name, count in tick.seeds.items() if count) or "none yet"
        said = f"{tick.done} runs, {duration(max(0.0, tick.seconds_left))} left; seeds so far: {seeds}"
        if console.is_terminal or console.is_jupyter:
            status.update(f"{said}\n  {tick.asked}")
        elif time.monotonic() - last > LINE_SECONDS:
            last = time.monotonic()
            print(said, file=sys.stderr, flush=True)

    with Status("checks and costs", console=console) as status:
        yield show
