"""Names of the experiments that have runs at a scale, one a line: `python scripts/designed.py SCALE`."""

import sys

from experiments import all_experiments
from normlab.errors import NormlabError, run_main


def main() -> None:
    """Print the names, in the report's order."""
    scale = sys.argv[1] if len(sys.argv) > 1 else "quick"
    designs = [experiment.design for experiment in all_experiments()]
    names = [design.name for design in designs if scale in design.scales and design.grids]
    if not names:
        raise NormlabError(f"no experiment is designed for the scale {scale!r}")
    print("\n".join(names))


if __name__ == "__main__":
    run_main(main)
