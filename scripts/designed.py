"""Names of experiments, one a line: of all that have runs at a scale, `python scripts/designed.py SCALE`, or of those that a store
still lacks some of, `python scripts/designed.py SCALE RESULTS`.
"""

import sys

from experiments import Experiment, all_experiments
from normlab.errors import NormlabError, run_main
from normlab.runs.store import Store
from normlab.sweeps.expand import Expander
from normlab.sweeps.status import is_finished
from normlab.verdicts.looks import expand_and_judge


def has_work(experiment: Experiment, scale: str, store: Store) -> bool:
    """Whether a sweep of the experiment would find something to do."""
    expansion, _ = expand_and_judge(Expander(experiment.design, scale, store), experiment.claims)
    return not is_finished(expansion, store)


def main() -> None:
    """Print the names, in the report's order."""
    scale = sys.argv[1] if len(sys.argv) > 1 else "quick"
    designed = [e for e in all_experiments() if scale in e.design.scales and e.design.grids]
    if not designed:
        raise NormlabError(f"no experiment is designed for the scale {scale!r}")
    if len(sys.argv) > 2:
        store = Store.of_scale(sys.argv[2], scale).refresh()
        designed = [experiment for experiment in designed if has_work(experiment, scale, store)]
    print("\n".join(experiment.name for experiment in designed))


if __name__ == "__main__":
    run_main(main)
