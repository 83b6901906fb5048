"""How fast normlab is: `python scripts/bench.py [SECTION ...] [--device cpu|cuda] [--results RESULTS]`."""

import argparse

from normlab.bench import SECTIONS
from normlab.commands.bench import bench
from normlab.errors import run_main


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"one of {', '.join(SECTIONS)}")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="cuda: the GPU's section alone")
    parser.add_argument("--results", default="results")
    options = parser.parse_args()
    bench(options.sections, options.device, options.results)


if __name__ == "__main__":
    run_main(main)
