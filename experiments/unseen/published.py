"""What was predicted of settings on Fashion-MNIST, and what came of it."""

import importlib

import pandas as pd

from normlab.core.claim import Claim, Text
from normlab.report.results import Results
from normlab.report.unseen import from_table, held_against


def unseen(results: Results) -> pd.DataFrame:
    """A row a prediction: the effect predicted and found, in units of δ, and whether it is inside."""
    file = results.store.root / "predictions.csv"
    if not file.exists():
        return pd.DataFrame()
    predictions = from_table(pd.read_csv(file))
    asked = {name: claims_of(name) for name in {prediction.experiment for prediction in predictions}}
    return held_against(predictions, asked, results)


def claims_of(experiment: str) -> tuple[Claim, ...]:
    """The claims of another experiment."""
    claims: tuple[Claim, ...] = importlib.import_module(f"experiments.{experiment}").CLAIMS
    return claims


PUBLISHED = {"unseen": (Text("Predicted before it was seen", "見る前に予測したもの"), unseen)}
