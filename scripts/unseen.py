"""Draw what the suite is tried on without having seen it, and write down what is predicted: `python scripts/unseen.py [SCALE] [RESULTS]`.

An experiment's draw is made once; those that have none yet are added. Commit both files before `make sweep EXPERIMENT=unseen`.
"""

import sys
from pathlib import Path

import pandas as pd
import yaml

from experiments import LOCK, all_experiments, load_experiment
from normlab.errors import NormlabError, run_main
from normlab.report.sections import evaluate
from normlab.report.tables import write_table
from normlab.report.unseen import as_table, content, draw, from_table
from normlab.runs.store import Store
from normlab.verdicts.registry import read_lock

DESIGN = Path("configs/experiment/unseen.yaml")
ABOUT = """\
# Does what was found hold on data that it was not found on? Written by scripts/unseen.py: a tenth of every experiment's settings, drawn
# before any of them was run, of those that stand on MNIST by recipe M, on Fashion-MNIST. A setting stands for the experiment whose
# cells it has.
"""


def main() -> None:
    """Draw, and write the predictions and the design of their runs."""
    scale = sys.argv[1] if len(sys.argv) > 1 else "cpu"
    store = Store.of_scale(sys.argv[2] if len(sys.argv) > 2 else "results", scale)
    file = store.root / "predictions.csv"
    known = from_table(pd.read_csv(file)) if file.exists() else []
    before = {prediction.experiment for prediction in known}
    sections = evaluate([each for each in all_experiments() if each.name != "unseen"], scale, store, read_lock(LOCK))
    new = [each for s in sections if not s.old and s.question.name not in before for each in draw(s)]
    if not known and not new:
        raise NormlabError(f"scale {scale}: no experiment has a setting that could be drawn")
    predictions = [*known, *new]
    experiments = [load_experiment(name) for name in dict.fromkeys(each.experiment for each in predictions)]
    asked = {each.name: (each.design, each.claims) for each in experiments}
    what = {"name": "unseen", "title": "Does it hold on unseen data?", "title_ja": "見ていないデータでも成り立つか"}
    made = content(predictions, asked, scale)
    design = {**what, "scales": {scale: {"settings": made["settings"]}}, "grids": made["grids"]}
    write_table(as_table(predictions), store.root, "predictions", folder=".")
    DESIGN.write_text(ABOUT + yaml.safe_dump(design, sort_keys=False, allow_unicode=True, width=140), encoding="utf-8")
    print(f"{len(new)} settings drawn, {len(predictions)} in all: {file}, {DESIGN}; commit both before they are run")


if __name__ == "__main__":
    run_main(main)
