"""The runs of a scale: take those of another store in, or drop those that no design asks for.

`python scripts/store.py take /elsewhere/results/cpu --scale cpu`, `python scripts/store.py prune --scale cpu`
"""

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from experiments import all_experiments
from normlab.errors import NormlabError, run_main
from normlab.runs.key import run_key
from normlab.runs.store import Store
from normlab.verdicts.judged import judged
from normlab.verdicts.registry import grids_of, register, registered, unregister


def wanted(scale: str, store: Store) -> tuple[set[str], set[str]]:
    """The keys that the experiments plan at a scale, with those of the runs that these start from, and the names under which claims are
    registered that have any reported run there.
    """
    keys: set[str] = set()
    begun: set[str] = set()
    for experiment in all_experiments():
        if scale not in experiment.design.scales:
            continue
        expansion, _ = judged(experiment.design, experiment.claims, scale, store)
        reported = set()
        for plan in (*expansion.planned, *expansion.costs):
            before = plan.config.pretraining
            keys |= {plan.run_key, *([run_key(before)] if before else [])}
            if plan.role == "report" and (plan.run_key in store or plan.costs):
                reported.add(plan.grid)
        found = {claim.id for claim in experiment.claims if set(grids_of(claim)) & reported}
        begun |= found | ({f"second look of {experiment.name}"} if reported else set())
    return keys, begun


def main(arguments: Sequence[str] | None = None) -> None:
    """Do what is asked and say what was done."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=["take", "prune"])
    parser.add_argument("source", nargs="?", help="the folder of a store, for take")
    parser.add_argument("--scale", default="cpu")
    parser.add_argument("--results", default="results")
    asked = parser.parse_args(arguments)
    store = Store.of_scale(asked.results, asked.scale).refresh()
    if asked.action == "take":
        if asked.source is None or not (Path(asked.source) / "runs.parquet").exists():
            raise NormlabError(f"there is no store at {asked.source}")
        register(store.root, registered(Path(asked.source)))
        print(f"{store.take_in(Store(Path(asked.source)).refresh())} runs taken, {len(store)} are there")
        return
    keys, begun = wanted(asked.scale, store)
    of = Counter((store.facts(key) or {}).get("experiment") or "no experiment" for key in store if key not in keys)
    dropped = store.forget(lambda key: key not in keys)
    anew = unregister(store.root, lambda name: name not in begun)
    told = ", ".join(f"{count} of {experiment}" for experiment, count in sorted(of.items()))
    print(f"{len(dropped)} runs dropped that no design asks for ({told or 'none'}), {len(store)} are there")
    print(f"to be registered anew, for none of their runs is there: {', '.join(anew) or 'none'}")


if __name__ == "__main__":
    run_main(main)
