"""Every experiment at a scale, then the report."""

import subprocess
import sys
from collections.abc import Sequence

from experiments import Experiment, all_experiments, load_experiment
from normlab.commands.report import report
from normlab.errors import NormlabError
from normlab.runs.store import Store
from normlab.sweeps.expand import Expander
from normlab.sweeps.status import is_finished
from normlab.verdicts.looks import expand_and_judge


def designed(scale: str) -> list[Experiment]:
    """The experiments that have runs at a scale, in the report's order.

    Raises:
        NormlabError: if there are none.
    """
    current = (e for e in all_experiments() if e.design.edition == 2)  # earlier evidence is shown, not made again
    found = [e for e in current if scale in e.design.scales and e.design.grids]
    if not found:
        raise NormlabError(f"no experiment is designed for the scale {scale!r}")
    return found


def with_work(scale: str, results: str) -> list[Experiment]:
    """Those that a store still lacks some runs of."""
    store = Store.of_scale(results, scale).refresh()

    def lacks(experiment: Experiment) -> bool:
        expansion, _ = expand_and_judge(Expander(experiment.design, scale, store), experiment.claims)
        return not is_finished(expansion, store)

    return [experiment for experiment in designed(scale) if lacks(experiment)]


def sweep(experiment: str, scale: str, results: str, overrides: Sequence[str]) -> None:
    """Do what is missing of one experiment, in a process of its own; this one ends with its exit code if it fails.

    Raises:
        NormlabError: for an unknown experiment.
    """
    load_experiment(experiment)
    words = ["-m", f"experiment={experiment}", f"scale={scale}", f"results={results}", *overrides]
    done = subprocess.run([sys.executable, "-m", "normlab", "train", *words], check=False)
    if done.returncode:
        sys.exit(done.returncode)


def reproduce(scale: str, results: str, overrides: Sequence[str] = ()) -> None:
    """Sweep every experiment that lacks runs, then build the report."""
    print("looking for runs that are not there yet", file=sys.stderr)
    for experiment in with_work(scale, results):
        sweep(experiment.name, scale, results, overrides)
    report(scale, results)
