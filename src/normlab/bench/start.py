"""Start: how long a command takes before it does its work."""

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from normlab.bench.overhead import SHORT, timed_script
from normlab.bench.rows import Row, amount

ROUNDS = 3


def start() -> Iterator[Row]:
    """Commands in turns, on a warm disk."""
    with tempfile.TemporaryDirectory() as folder:
        one_step = [f"{key}={str(value).replace(' ', '')}" for key, value in SHORT.items()]
        one_step += ["data=mnist", "training.epochs=0.1", "measure.validate_every=0.1", "measure.final=validation"]
        empty = Path(folder) / "results"
        commands = {
            "train.py --help": (("train.py", "--help"), 1.5, ""),
            "train.py for the first batches": (
                ("train.py", *one_step[1:], f"results={empty}"),
                6.0,
                "a whole run of one step on MNIST, its record included",
            ),
            "report.py, scale cpu": (("report.py", "cpu", str(empty)), 60.0, "all figures and the page"),
        }
        copy_results(empty)
        times: dict[str, list[float]] = {name: [] for name in commands}
        for round_ in range(ROUNDS):
            for name, (command, _, _) in commands.items():
                seed = [f"seed={round_}"] if "first" in name else []
                times[name].append(timed_script(*command, *seed))
    for name, (_, bar, note) in commands.items():
        yield amount(replace(Row("start", "warm disk", name, note=note), bar=bar, better="lower"), times[name], "s")


def copy_results(folder: Path) -> None:
    """The committed runs of scale cpu, so that the report draws what a reader's report draws."""
    source = Path(__file__).resolve().parents[3] / "results" / "cpu"
    (folder / "cpu").mkdir(parents=True)
    for file in source.glob("*.parquet"):
        shutil.copy(file, folder / "cpu")
