"""Every experiment at a scale, then the report."""

import subprocess
import sys
from collections.abc import Sequence

from experiments import Experiment, all_experiments, load_experiment
from normlab.commands.report import report
from normlab.config import RunConfig
from normlab.data import DATA_SETS
from normlab.data.images import ImageSet
from normlab.data.prepare import prepare
from normlab.errors import NormlabError
from normlab.runs.store import Store
from normlab.sweeps.status import is_finished
from normlab.verdicts.judged import judged


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


def with_work(scale: str, results: str) -> dict[str, set[str]]:
    """The experiments that a store still lacks some runs of, and the data sets that each reads."""
    store = Store.of_scale(results, scale).refresh()
    found = {}
    for experiment in designed(scale):
        expansion, _ = judged(experiment.design, experiment.claims, scale, store)
        if not is_finished(expansion, store):
            configs = [plan.config for plan in (*expansion.planned, *expansion.costs)]
            found[experiment.name] = set().union(*map(data_of, configs))
    return found


def data_of(config: RunConfig) -> set[str]:
    """The data sets that a run reads: its own, what it was trained on before, and another whose features are probed."""
    own = {config.data.name} | ({config.source.data.name} if config.source else set())
    known = (DATA_SETS.get(name) for name in own)
    return own | {data.other for data in known if isinstance(data, ImageSet) and data.other}


def made_ready(name: str) -> bool:
    """Whether a data set is there, fetching it if need be; why it cannot be had is said."""
    known = DATA_SETS.get(name)
    if known is None or known.embedded:
        return True  # made on the spot, or inside a package
    try:
        prepare([name])
    except NormlabError as error:
        print(error, file=sys.stderr)
        return False
    return True


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
    """Sweep every experiment that lacks runs, its data fetched where they are not there, then build the report. An experiment whose data
    cannot be had is left out, and that said.
    """
    print("looking for runs that are not there yet", file=sys.stderr)
    needed = with_work(scale, results)
    ready = {name for name in sorted(set().union(*needed.values())) if made_ready(name)}
    for name, data in needed.items():
        if data <= ready:
            sweep(name, scale, results, overrides)
        else:
            print(f"{name}: left out, for want of {', '.join(sorted(data - ready))}", file=sys.stderr)
    report(scale, results)
