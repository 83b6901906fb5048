"""Doing a trial: within its minutes the runs from which most is learned, in processes side by side; what is done stays done."""

import os
import signal
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from joblib.externals.loky import ProcessPoolExecutor, wait

from normlab.config import RunConfig
from normlab.errors import first_line
from normlab.runs.evaluations import evaluate_run
from normlab.runs.execute import execute, is_done
from normlab.runs.key import run_key
from normlab.runs.store import Store
from normlab.sweeps.plan import Item
from normlab.targets import OFFERED, split
from normlab.trials.agenda import next_jobs
from normlab.trials.bench import Bench, Progress, Seconds

Listener = Callable[["Tick"], None]


class Tick:
    """How a trial stands: runs done in this session, the seconds left, and what is being asked."""

    def __init__(self, progress: Progress, done: int, seconds_left: float, asked: str) -> None:
        self.progress, self.done, self.seconds_left, self.asked = progress, done, seconds_left, asked


def do(config: dict[str, Any], evaluate: tuple[str, ...], root: str) -> str | None:
    """One run and its evaluations, in whatever process; what went wrong, in a line, if anything did."""
    try:
        store, parsed = Store(Path(root)).refresh(), RunConfig.parse(config)
        if not is_done(store, run_key(parsed), parsed):
            execute(parsed, store, "trial", "trial")
        for name in evaluate:
            evaluate_run(parsed, name, store)
    except Exception as error:  # one failing run, whatever its reason, must not stop the others
        return first_line(error)
    return None


def quiet() -> None:
    """Leave Ctrl-C to the process that started this one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


class Engine:
    """Runs a bench until its deadline, or until nothing is left to learn.

    ``given_up``: runs that failed, with what they said. A norm that no other process can import is run in this one.
    """

    def __init__(self, bench: Bench, jobs: int = 0) -> None:
        self.bench = bench
        where, _ = split(str(bench.subject.overrides.get("norm.target", "installed.norm")))
        self.jobs = 1 if where in (OFFERED, "__main__") else jobs or os.cpu_count() or 1
        self.alone = self.jobs == 1
        self.seconds = Seconds(bench)
        self.given_up: dict[str, str] = {}
        self.done = 0

    def look(self) -> Progress:
        """What is there now, and what is left."""
        return Progress(self.bench, self.seconds, self.given_up)

    def run(self, deadline: float, listener: Listener = lambda tick: None) -> None:
        """Work until ``deadline`` (of :func:`time.monotonic`). No run is begun that would end later, but one where there is none yet."""
        with ExitStack() as stack:
            pool = None if self.alone else ProcessPoolExecutor(self.jobs, initializer=quiet)
            if pool is not None:
                stack.callback(pool.shutdown, wait=False, kill_workers=True)
            running: dict[Any, Item] = {}
            while True:
                progress = self.look()
                left = deadline - time.monotonic()
                busy = {item.run_key for item in running.values()}
                open_now = [question for question in progress.questions() if question.steps]
                wanted = [key for key in next_jobs(open_now, self.jobs + len(busy), left) if key not in busy]
                for key in wanted[: self.jobs - len(busy)] if left > 0 else ():
                    item = progress.items[key]
                    if pool is None:
                        listener(Tick(progress, self.done, left, _said(item)))
                        self._settle(item, do(item.config.plain(), item.evaluate, str(self.bench.store.root)))
                        break
                    running[pool.submit(do, item.config.plain(), item.evaluate, str(self.bench.store.root))] = item
                else:
                    if not running:
                        break
                    asked = "; ".join(_said(item) for item in running.values())
                    listener(Tick(progress, self.done, deadline - time.monotonic(), asked))
                    finished, _ = wait(running, timeout=2.0, return_when="FIRST_COMPLETED")
                    for future in finished:
                        self._settle(running.pop(future), future.result())
        self.bench.store.compact()

    def _settle(self, item: Item, failure: str | None) -> None:
        self.done += 1
        if failure is not None:
            self.given_up[item.run_key] = failure
            return
        self.bench.store.refresh()
        facts = self.bench.store.facts(item.run_key) or {}
        if facts.get("status") == "ok":
            self.seconds.learn(item.config, float(facts["seconds"]))


def _said(item: Item) -> str:
    """A run in a few words."""
    config = item.config
    shared = f", statistics over {config.norm.statistics_batch}" if config.norm.statistics_batch else ""
    name = config.norm.target or config.norm.name
    return f"{config.data.name}, batch {config.data.batch_size}{shared}: {name}, rate {config.optimizer.lr:g}, seed {config.seed}"
