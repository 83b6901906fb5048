"""The protocol of verdicts tried on worlds whose truth is known: `python scripts/simulate.py --trials 100`."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from rich.progress import track

from normlab.core.simulation import WORLDS, summarize
from normlab.errors import run_main


def main(arguments: Sequence[str] | None = None) -> None:
    """Write ``protocol.csv`` below the results and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=100, help="experiments a world")
    parser.add_argument("--results", default="results")
    asked = parser.parse_args(arguments)
    if asked.trials < 1:
        parser.error("--trials: at least one")
    rows = [
        {
            "kind": world.kind,
            "quantifier": world.quantifier,
            "mean": world.mean,
            "between": world.between,
            "noise": world.noise,
            "slope": world.slope,
            "settings": world.settings,
            "claims": world.claims,
            "looks": len(world.looks),
            "trials": asked.trials,
            **summarize(world, asked.trials),
        }
        for world in track(WORLDS, "worlds", transient=True)
    ]
    table = pd.DataFrame(rows)
    file = Path(asked.results) / "protocol.csv"
    file.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(file, index=False, float_format="%.4g")
    print(table.round(3).to_string(index=False))
    print(f"written: {file}")


if __name__ == "__main__":
    run_main(main)
