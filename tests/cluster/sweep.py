"""The sweep that every cluster does, and what of its records must be equal wherever they were made."""

from pathlib import Path

import pandas as pd

from normlab.runs.store import Store

TRAIN = str(Path(__file__).resolve().parents[2] / "scripts" / "train.py")
SWEEP = [
    "-m", "norm=batch,group,none", "seed=0,1,2,3", "training.epochs=30", "data.train_size=200", "data.validation_size=50",
    "data.test_size=50", "data.batch_size=20", "net.widths=[8]", "net.hidden=16", "evaluation=training_memory",
]  # fmt: skip
COLUMNS = ["run_key", "norm", "seed", "status", "test_accuracy", "train_loss", "weights_sha256"]


def table(folder: Path) -> pd.DataFrame:
    """The records of a sweep that ran in ``folder``."""
    return Store(folder / "results" / "quick").refresh().runs()[COLUMNS]
