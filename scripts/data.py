"""Fetch and verify data sets: `python scripts/data.py [NAME ...]`."""

import sys

from normlab.data import IMAGE_SETS
from normlab.data.prepare import prepare
from normlab.errors import run_main

if __name__ == "__main__":
    run_main(lambda: prepare(sys.argv[1:] or list(IMAGE_SETS)))
