"""Two norms side by side, from the runs that are there: `python scripts/compare.py FIRST SECOND [SCALE] [RESULTS]`."""

import sys

from rich.console import Console
from rich.table import Table

from normlab.errors import NormlabError, run_main
from normlab.report.compare import compare
from normlab.runs.store import Store


def main() -> None:
    """Print the comparison."""
    if len(sys.argv) < 3:
        raise NormlabError('name two norms, as in make compare ARGS="batch my_pkg.MyNorm"')
    first, second, scale, results = [*sys.argv[1:], *("quick", "results")[len(sys.argv) - 3 :]][:4]
    rows = compare(Store.of_scale(results, scale).refresh(), first, second)
    table = Table(*rows.columns, title=f"{first} − {second}, test accuracy", title_justify="left", show_lines=True)
    for row in rows.itertuples(index=False):
        table.add_row(*(f"{value:.3g}" if isinstance(value, float) else str(value) for value in row))
    Console(highlight=False).print(table)


if __name__ == "__main__":
    run_main(main)
