"""Build the W&B workspace and report of the experiments: `python scripts/dashboard.py SCALE [RESULTS]`."""

import sys

from experiments import all_experiments
from normlab.errors import run_main
from normlab.runs.store import Store
from normlab.tracking.dashboard import Topic, make_dashboard


def main() -> None:
    """Write the specification, push it when a key is there, and say so."""
    scale = sys.argv[1] if len(sys.argv) > 1 else "quick"
    folder = Store.of_scale(sys.argv[2] if len(sys.argv) > 2 else "results", scale).root / "dashboard"
    topics = [
        Topic(e.name, e.design.title, " ".join(claim.statement.en for claim in e.claims)) for e in all_experiments()
    ]
    print("\n".join(make_dashboard(topics, folder)))


if __name__ == "__main__":
    run_main(main)
