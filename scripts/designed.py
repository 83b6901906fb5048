"""Names of experiments, one a line: of all that have runs at a scale, `python scripts/designed.py SCALE`, or of those that a store
still lacks some of, `python scripts/designed.py SCALE RESULTS`.
"""

import sys

from normlab.commands.reproduce import designed, with_work
from normlab.errors import run_main


def main() -> None:
    """Print the names, in the report's order."""
    scale = sys.argv[1] if len(sys.argv) > 1 else "quick"
    found = list(with_work(scale, sys.argv[2])) if len(sys.argv) > 2 else [each.name for each in designed(scale)]
    print("\n".join(found))


if __name__ == "__main__":
    run_main(main)
