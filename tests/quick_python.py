"""Stands for Python in a Makefile's recipe: runs the script asked for on little data, as written in everything else."""

import os
import runpy
import sys
from pathlib import Path

SMALL = "data.train_size=100 data.validation_size=50 data.test_size=50 training.epochs=1 net.widths=[8] net.hidden=16"

TINY = "data.train_size=100 data.validation_size=50 training.epochs=1"  # of tasks that have nets of their own

if __name__ == "__main__":
    module = sys.argv[1] == "-m"
    sys.argv = sys.argv[1 + module :]
    if sys.argv[0].endswith("train.py") or sys.argv[:2] == ["normlab", "train"]:
        given = os.environ.get("NORMLAB_ARGS", "")
        if "--cfg" not in given:
            os.environ["NORMLAB_ARGS"] = (
                given.replace("data=cifar10", "data=digits") + " " + (TINY if "task=" in given else SMALL)
            )
    if module:
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
    else:
        sys.path.insert(0, str(Path(sys.argv[0]).parent))
        runpy.run_path(sys.argv[0], run_name="__main__")
