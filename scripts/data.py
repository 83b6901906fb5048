"""Fetch and verify data sets: `python scripts/data.py [-v] [NAME ...]`."""

import argparse

from normlab.data import DATA_SETS
from normlab.data.prepare import prepare
from normlab.errors import arguments, run_main


def main() -> None:
    """Make the data sets named ready, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(DATA_SETS)}")
    parser.add_argument("-v", "--verbose", action="store_true", help="say why sources were passed over")
    options = parser.parse_intermixed_args(arguments())
    prepare(options.names or list(DATA_SETS), options.verbose)


if __name__ == "__main__":
    run_main(main)
