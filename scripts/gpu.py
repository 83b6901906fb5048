"""Work on a GPU machine without a network: `gpu.py pack`, there `bash gpu_run.sh`, and back here `gpu.py merge FOLDER`."""

import argparse
from pathlib import Path

from experiments import load_experiment
from normlab.errors import run_main
from normlab.pack.build import build
from normlab.pack.returns import merge
from normlab.runs.store import Store
from normlab.verdicts.registry import register_experiment

EXPERIMENTS = ("methods", "batch_size", "placement")
COSTS = "cost"  # measured last, alone


def main() -> None:
    """Build the folders, or take results in."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    pack = commands.add_parser("pack", help="write the folders that travel")
    pack.add_argument("--target", type=Path, default=Path("pack"))
    pack.add_argument("--scale", default="gpu")
    pack.add_argument("--data", nargs="*", default=["cifar10"])
    pack.add_argument("--parts", type=int, default=2)
    pack.add_argument("--limit", type=float, default=60.0, help="MiB a folder may have")
    pack.add_argument("--python", default="3.12", help="the version of Python there")
    pack.add_argument("--experiments", nargs="+", default=EXPERIMENTS, help="in the order of their importance")
    pack.add_argument("--results", type=Path, default=Path("results"))
    back = commands.add_parser("merge", help="take results into the store")
    back.add_argument("folder", type=Path)
    back.add_argument("--scale", default="gpu")
    back.add_argument("--results", type=Path, default=Path("results"))
    options = parser.parse_args()
    if options.command == "merge":
        store = Store.of_scale(options.results, options.scale)
        print(f"{merge(options.folder, store)} records taken into {store.root}")
        return
    for name in (*options.experiments, COSTS):
        experiment = load_experiment(name)
        store = Store.of_scale(options.results, options.scale)
        register_experiment(store.root, experiment.design, experiment.claims, options.scale)
    folders = build(
        options.target,
        options.scale,
        options.experiments,
        options.data,
        options.parts,
        options.limit,
        options.python,
        options.results,
    )
    for folder in folders:
        size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        print(f"{folder}: {size / (1 << 20):.1f} MiB")


if __name__ == "__main__":
    run_main(main)
