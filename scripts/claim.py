"""One claim: runs what it lacks, then shows its verdict and figure.

`python scripts/claim.py ID [--scale SCALE] [--results FOLDER] [OVERRIDE ...]`; the overrides are for the sweep, such as a launcher's.
"""

import argparse

from normlab.commands.claim import claim
from normlab.errors import run_main


def main() -> None:
    """Do what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("claim", metavar="ID")
    parser.add_argument("--scale", default="quick")
    parser.add_argument("--results", default="results")
    parser.add_argument("overrides", nargs="*", metavar="OVERRIDE")
    options = parser.parse_intermixed_args()
    claim(options.claim, options.scale, options.results, options.overrides)


if __name__ == "__main__":
    run_main(main)
