"""How far every experiment of a scale is."""

from rich.console import Console
from rich.table import Table

from experiments import all_experiments
from normlab.runs.store import Store
from normlab.sweeps.status import status_of
from normlab.verdicts.judged import judged


def status(scale: str, results: str) -> None:
    """Print a row an experiment."""
    store = Store.of_scale(results, scale).refresh()
    table = Table("experiment", "done", "diverged", "missing", "failed", "running", "left", "time left, one process")
    for experiment in all_experiments():
        if scale in experiment.design.scales:
            expansion, _ = judged(experiment.design, experiment.claims, scale, store)
            table.add_row(experiment.name, *status_of(expansion, store).cells())
    console = Console(highlight=False)
    Console(highlight=False, width=max(console.width, 110)).print(table)
