"""Write the verdicts of a scale into the README: `python scripts/readme.py SCALE [RESULTS]`."""

import sys
from pathlib import Path

from experiments import LOCK, all_experiments
from normlab.errors import run_main
from normlab.report.readme import table, update
from normlab.report.sections import evaluate
from normlab.runs.store import Store
from normlab.site.advice import advice
from normlab.site.compared import fields
from normlab.verdicts.registry import read_lock


def main() -> None:
    """Evaluate the scale and replace the README's tables."""
    scale = sys.argv[1] if len(sys.argv) > 1 else "cpu"
    store = Store.of_scale(sys.argv[2] if len(sys.argv) > 2 else "results", scale)
    sections = evaluate(list(all_experiments()), scale, store, read_lock(LOCK))
    lines = [table(sections, scale, store), *advice(fields(sections, scale, store))]
    update(Path("README.md"), scale, "\n".join(lines))


if __name__ == "__main__":
    run_main(main)
