"""How far every experiment of a scale is: `python scripts/status.py [SCALE [RESULTS]]`."""

import sys

from normlab.commands.status import status
from normlab.errors import run_main

if __name__ == "__main__":
    given = sys.argv[1:3]
    run_main(lambda: status(*[*given, *("quick", "results")[len(given) :]]))
