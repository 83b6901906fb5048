"""Two norms side by side, from the runs that are there: `python scripts/compare.py [--scale SCALE] [--results FOLDER] FIRST SECOND`."""

import argparse

from normlab.commands.compare import compare
from normlab.errors import arguments, run_main


def main() -> None:
    """Print the comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("norms", nargs="*", metavar="NORM", help="as in norm=…, or a class of your own (my_pkg.MyNorm)")
    parser.add_argument("--scale", default="quick")
    parser.add_argument("--results", default="results")
    options = parser.parse_intermixed_args(arguments())
    compare(options.norms, options.scale, options.results)


if __name__ == "__main__":
    run_main(main)
