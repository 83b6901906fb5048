"""How far every experiment of a scale is: `python scripts/status.py SCALE [RESULTS]`."""

import sys

from rich.console import Console
from rich.table import Table

from experiments import all_experiments
from normlab.errors import run_main
from normlab.runs.store import Store
from normlab.sweeps.expand import Expander
from normlab.sweeps.status import status_of
from normlab.verdicts.looks import expand_and_judge


def main() -> None:
    """Print a row an experiment."""
    scale = sys.argv[1] if len(sys.argv) > 1 else "quick"
    store = Store.of_scale(sys.argv[2] if len(sys.argv) > 2 else "results", scale).refresh()
    table = Table("experiment", "done", "diverged", "missing", "failed", "running", "left", "time left, one process")
    for experiment in all_experiments():
        if scale in experiment.design.scales:
            expansion, _ = expand_and_judge(Expander(experiment.design, scale, store), experiment.claims)
            table.add_row(experiment.name, *status_of(expansion, store).cells())
    console = Console(highlight=False)
    Console(highlight=False, width=max(console.width, 110)).print(table)


if __name__ == "__main__":
    run_main(main)
