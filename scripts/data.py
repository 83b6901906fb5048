"""Fetch and verify data sets: `python scripts/data.py [NAME ...]`."""

from normlab.data import IMAGE_SETS
from normlab.data.prepare import prepare
from normlab.errors import arguments, run_main

if __name__ == "__main__":
    run_main(lambda: prepare(arguments() or list(IMAGE_SETS)))
