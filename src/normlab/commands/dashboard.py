"""The W&B workspace and report of the experiments, as code."""

from experiments import all_experiments
from normlab.runs.store import Store
from normlab.tracking.dashboard import Topic, make_dashboard


def dashboard(scale: str, results: str) -> None:
    """Write the specification, push it when a key is there, and say so."""
    folder = Store.of_scale(results, scale).root / "dashboard"
    topics = [
        Topic(e.name, e.design.title, " ".join(claim.statement.en for claim in e.claims)) for e in all_experiments()
    ]
    print("\n".join(make_dashboard(topics, folder)))
