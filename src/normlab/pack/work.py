"""There: the runs of several experiments in the order of their importance, on one device, until the time is over.

``python -m normlab.pack.work --scale gpu --seconds 540 --out OUT methods batch_size`` beside the packed code.
"""

import argparse
import multiprocessing
import os
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import torch

from normlab.core.design import load_design
from normlab.data import find_image_set
from normlab.data.images import store as store_images
from normlab.data.images import stored_file
from normlab.errors import NormlabError, first_line, run_main
from normlab.pack.images import read_parts
from normlab.pack.returns import bring_home
from normlab.runs.execute import execute
from normlab.runs.store import Store
from normlab.sweeps.expand import Expander
from normlab.sweeps.plan import Item, outstanding
from normlab.sweeps.sweep import measure_costs

HOME_SECONDS = 20.0  # between two times that results are written for the way back
LOOK_SECONDS = 2.0


def restore_images(folder: Path) -> None:
    """Put data sets together from the parts below ``folder``, where they are not yet.

    Raises:
        NormlabError: if parts are missing or damaged.
    """
    for name in sorted({file.stem.rpartition("-")[0] for file in folder.glob("*.npz")}):
        image_set = find_image_set(name)
        if not stored_file(image_set).exists():
            files = sorted(folder.glob(f"{name}-*.npz"), key=lambda file: int(file.stem.rpartition("-")[2]))
            store_images(image_set, read_parts(files, image_set))


class Queue:
    """What is left of several experiments: earlier ones first; of one, what tunes before what reports, then cell by cell as in the
    design: a cell with all of its seeds decides something, all cells with half of theirs decide nothing.
    """

    def __init__(self, experiments: Sequence[str], scale: str, store: Store) -> None:
        self.store = store
        self.expanders = [Expander(load_design(name), scale, store) for name in experiments]
        self.taken: set[str] = set()
        self.left: list[Item] = []

    def look(self) -> int:
        """Take in what was finished; how many runs are known to be left, those in flight not among them."""
        self.store.refresh()
        self.left = [item for expander in self.expanders for item in self._items(expander)]
        return len(self.left)

    def _items(self, expander: Expander) -> list[Item]:
        planned = expander.expand().planned
        place = {plan.run_key: number for number, plan in enumerate(planned)}
        free = [item for item in outstanding(planned, self.store) if item.run_key not in self.taken]
        return sorted(free, key=lambda item: (item.role != "tune", place[item.run_key]))

    def take(self) -> Item | None:
        """The next run to do, for good."""
        while self.left:
            item = self.left.pop(0)
            if item.run_key not in self.taken:  # another experiment may have it, too
                self.taken.add(item.run_key)
                return item
        return None


def one_run(root: Path, item: Item) -> float:
    """Do one run in this process; its seconds."""
    started = time.monotonic()
    execute(item.config, Store(root), item.experiment, item.role)
    return time.monotonic() - started


def work(
    experiments: Sequence[str], scale: str, seconds: float, workers: int, results: Path, out: Path, costs: str | None
) -> None:
    """Do what is left of ``experiments`` with as many processes, then measure the costs of the experiment ``costs``; nothing is
    begun that would not end in time, and at the end everything that runs is stopped. Results are in ``out`` all along.
    """
    deadline = time.monotonic() + seconds
    store = Store.of_scale(results, scale).refresh()
    queue = Queue(experiments, scale, store)
    durations: list[float] = []
    try:
        with _pool(workers) as pool:
            flying: dict[Future[float], Item] = {}
            carried = time.monotonic()
            while time.monotonic() < deadline:
                left = queue.look()
                expected = statistics.median(durations[-2 * workers :]) if durations else 0.0
                while len(flying) < workers and time.monotonic() + expected < deadline and (item := queue.take()):
                    flying[pool.submit(one_run, store.root, item)] = item
                if not flying:
                    break
                done, _ = wait(flying, timeout=LOOK_SECONDS, return_when=FIRST_COMPLETED)
                durations += list(_settled(done, flying))
                if done:
                    _tell(len(durations), left, deadline, durations)
                if time.monotonic() - carried > HOME_SECONDS:
                    carried = time.monotonic()
                    bring_home(store.root, out)
            for process in multiprocessing.active_children():
                process.kill()  # what they were at is lost, and begun again by the next call
            pool.shutdown(wait=False, cancel_futures=True)
    finally:
        bring_home(store.root, out)  # also where a process died
    plans = Expander(load_design(costs), scale, store.refresh()).expand().costs if costs else []
    for seed in sorted({plan.axes["seed"] for plan in plans}):
        if time.monotonic() < deadline:
            measure_costs([plan for plan in plans if plan.axes["seed"] == seed], store)
            bring_home(store.root, out)


def _pool(workers: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"), initializer=_alone)


def _alone() -> None:
    torch.set_num_threads(1)


def _settled(done: set[Future[float]], flying: dict[Future[float], Item]) -> Iterator[float]:
    """The seconds of runs that have ended well; others are told of."""
    for future in done:
        item = flying.pop(future)
        try:
            yield future.result()
        except BrokenProcessPool:
            raise NormlabError("a process died; what is finished is kept") from None
        except Exception as error:  # one failing run must not stop the others
            print(f"failed: {item.config.norm.name}, {item.run_key}: {first_line(error)}", file=sys.stderr)


def _tell(done: int, left: int, deadline: float, durations: Sequence[float]) -> None:
    remaining = max(0.0, deadline - time.monotonic())
    print(f"{done} runs done, {left} left, {statistics.median(durations):.0f} s a run, {remaining:.0f} s remain")


def main() -> None:
    """Restore the data and work."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("experiments", nargs="+")
    parser.add_argument("--scale", default="gpu")
    parser.add_argument("--seconds", type=float, default=540.0)
    parser.add_argument("--workers", type=int, default=0, help="processes; 0 takes the processor's cores less two")
    parser.add_argument("--costs", default=None, help="an experiment whose costs are measured at the end")
    parser.add_argument("--home", type=Path, default=Path(), help="the folder of the packed code")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    started = time.monotonic()
    restore_images(options.home / "images")
    work(
        options.experiments,
        options.scale,
        options.seconds - (time.monotonic() - started),
        options.workers or max(1, (os.cpu_count() or 1) - 2),
        options.home / "results",
        options.out,
        options.costs or None,
    )


if __name__ == "__main__":
    run_main(main)
