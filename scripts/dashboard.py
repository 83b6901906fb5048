"""Build the W&B workspace and report of the experiments: `python scripts/dashboard.py [SCALE [RESULTS]]`."""

import sys

from normlab.commands.dashboard import dashboard
from normlab.errors import run_main

if __name__ == "__main__":
    given = sys.argv[1:3]
    run_main(lambda: dashboard(*[*given, *("quick", "results")[len(given) :]]))
