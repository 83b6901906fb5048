"""Verdicts, tables, figures and the page of a scale: `python scripts/report.py [SCALE [RESULTS]]`."""

import sys

from normlab.commands.report import report
from normlab.errors import run_main

if __name__ == "__main__":
    given = sys.argv[1:3]
    scale, results = [*given, *("quick", "results")[len(given) :]]
    run_main(lambda: report(scale, results))
