"""Two norms side by side, from the runs that are there: `python scripts/compare.py [--scale SCALE] [--results FOLDER] FIRST SECOND`."""

import argparse

from rich.console import Console
from rich.table import Table
from rich.text import Text

from normlab.errors import NormlabError, arguments, run_main
from normlab.report.compare import compare
from normlab.runs.store import Store


def main() -> None:
    """Print the comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("norms", nargs="*", metavar="NORM", help="as in norm=…, or a class of your own (my_pkg.MyNorm)")
    parser.add_argument("--scale", default="quick")
    parser.add_argument("--results", default="results")
    options = parser.parse_intermixed_args(arguments())
    if len(options.norms) != 2:
        raise NormlabError('name two norms, as in make compare ARGS="batch my_pkg.MyNorm"')
    rows = compare(Store.of_scale(options.results, options.scale).refresh(), *options.norms)
    title = f"{options.norms[0]} − {options.norms[1]}, test accuracy"
    table = Table(title=Text(title), title_justify="left", show_lines=True)
    for name in rows.columns:
        table.add_column(Text(str(name)), overflow="fold", min_width=24 if name == "setting" else None)
    for row in rows.itertuples(index=False):
        table.add_row(*(Text(f"{value:.3g}" if isinstance(value, float) else str(value)) for value in row))
    console = Console(highlight=False, markup=False)
    console = Console(highlight=False, markup=False, width=max(console.width, 110))
    console.print(table)
    console.print(f"in every row: {rows.attrs['common']}")


if __name__ == "__main__":
    run_main(main)
