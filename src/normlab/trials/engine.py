"""Doing a trial: within its minutes the runs from which most is learned, in processes side by side; what is done stays done."""

import os
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from joblib.externals.loky import ProcessPoolExecutor, wait

from normlab.config import RunConfig
from normlab.errors import first_line
from normlab.runs.evaluations import evaluate_run
from normlab.runs.execute import execute, is_done
from normlab.runs.key import run_key
from normlab.runs.store import Store
from normlab.sweeps.plan import Item
from normlab.targets import OFFERED, split
from normlab.trials.agenda import Question, next_jobs
from normlab.trials.seconds import Seconds

Listener = Callable[["Tick"], None]


class Look(Protocol):
    """What there is, and what is left: the questions that are open, and the runs that they ask for."""

    @property
    def items(self) -> Mapping[str, Item]: ...

    def questions(self) -> list[Question[str]]: ...


class Work(Protocol):
    """Something to work at within so many minutes. ``targets`` are the user's own that other processes must find."""

    @property
    def store(self) -> Store: ...

    @property
    def targets(self) -> Mapping[str, str]: ...

    def look(self, seconds: Seconds, given_up: Mapping[str, str]) -> Look: ...


@dataclass(frozen=True)
class Tick:
    """How it stands: runs done in this session, the seconds left, what has how many seeds, and what is being asked."""

    done: int
    seconds_left: float
    seeds: Mapping[str, int]
    asked: str


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
    """Works until its deadline, or until nothing is left to learn.

    ``given_up``: runs that failed, with what they said. What no other process can import is run in this one.
    """

    def __init__(self, work: Work, jobs: int = 0) -> None:
        self.work = work
        here = {split(target)[0] for target in work.targets.values()} & {OFFERED, "__main__"}
        self.jobs = 1 if here else jobs or os.cpu_count() or 1
        self.alone = self.jobs == 1
        self.seconds = Seconds(work.store)
        self.given_up: dict[str, str] = {}
        self.done = 0

    def look(self) -> Look:
        """What is there now, and what is left."""
        return self.work.look(self.seconds, self.given_up)

    def run(self, deadline: float, listener: Listener = lambda tick: None) -> None:
        """Work until ``deadline`` (of :func:`time.monotonic`). No run is begun that would end later."""
        with ExitStack() as stack:
            pool = None if self.alone else ProcessPoolExecutor(self.jobs, initializer=quiet)
            if pool is not None:
                stack.callback(pool.shutdown, wait=False, kill_workers=True)
            running: dict[Any, Item] = {}
            while True:
                look = self.look()
                left = deadline - time.monotonic()
                busy = {item.run_key for item in running.values()}
                asked = look.questions()
                seeds = {question.name: question.pairs for question in asked if question.weight >= 1}
                open_now = [question for question in asked if question.steps]
                wanted = [key for key in next_jobs(open_now, self.jobs + len(busy), left) if key not in busy]
                for key in wanted[: self.jobs - len(busy)] if left > 0 else ():
                    item = look.items[key]
                    if pool is None:
                        listener(Tick(self.done, left, seeds, _said(item)))
                        self._settle(item, do(item.config.plain(), item.evaluate, str(self.work.store.root)))
                        break
                    running[pool.submit(do, item.config.plain(), item.evaluate, str(self.work.store.root))] = item
                else:
                    if not running:
                        break
                    said = "; ".join(_said(item) for item in running.values())
                    listener(Tick(self.done, deadline - time.monotonic(), seeds, said))
                    finished, _ = wait(running, timeout=2.0, return_when="FIRST_COMPLETED")
                    for future in finished:
                        self._settle(running.pop(future), future.result())
        self.work.store.compact()

    def _settle(self, item: Item, failure: str | None) -> None:
        self.done += 1
        if failure is not None:
            self.given_up[item.run_key] = failure
            return
        self.work.store.refresh()
        facts = self.work.store.facts(item.run_key) or {}
        if facts.get("status") == "ok":
            self.seconds.learn(item.config, float(facts["seconds"]))


def _said(item: Item) -> str:
    """A run in a few words."""
    config = item.config
    shared = f", statistics over {config.norm.statistics_batch}" if config.norm.statistics_batch else ""
    name = config.norm.target or config.norm.name
    return f"{config.data.name}, batch {config.data.batch_size}{shared}: {name}, rate {config.optimizer.lr:g}, seed {config.seed}"
