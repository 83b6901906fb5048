"""What simple models of scikit-learn reach on the same data: every net has to be better."""

import json
from typing import Any

import numpy as np
import pandas as pd
import torch
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from normlab.config import RunConfig
from normlab.core.claim import Text
from normlab.data.batches import Split, Splits, load_splits
from normlab.errors import NormlabError
from normlab.report.results import Results
from normlab.tasks import forecast, recommendation
from normlab.training.objective import PREDICT

GRIDS = ("series", "forecasts", "ratings")


def measure(config: RunConfig) -> str:
    """What nets and simple models are compared by."""
    return "test_accuracy" if config.task == "images" else "test_error"


def baselines(results: Results) -> pd.DataFrame:
    """A row a setting and arm: its test accuracy or unexplained variance beside that of the simple model; ``cleared``: it is better."""
    rows = []
    for setting, config in results.configs.items():
        for grid in GRIDS:
            found = results.select(grid, setting=setting, level="best")
            for arm in dict.fromkeys(found["norm"]) if len(found) else ():
                runs = found[found["norm"] == arm]
                values = results.values(runs, measure(config))
                mean, simple = float(np.mean(values)), simple_model(results, setting)
                better = mean > simple if config.task == "images" else mean < simple
                rows.append(
                    {
                        "setting": setting,
                        "data": results.title(setting),
                        "arm": arm,
                        "n": len(values),
                        "measure": measure(config),
                        "value": mean,
                        "simple_model": simple,
                        "cleared": better if simple == simple else None,
                        "diverged": int((runs["status"] == "diverged").sum()),
                    }
                )
    return pd.DataFrame(rows)


def simple_model(results: Results, setting: str) -> float:
    """What the simple model of a setting reaches: as it was found before, where the data are not there; else NaN."""
    config = results.configs[setting]
    try:
        found = results.computed(f"simple model of {setting}", lambda: baseline(config), json.dumps(config.plain()))
        return float(found)
    except NormlabError:
        before = results.bar(setting)
        return before.value if before else float("nan")


def baseline(config: RunConfig) -> float:
    """What the simple model of a task reaches.

    Classes: multinomial logistic regression on all values of a series. Forecasts: ridge regression on them. Stars: ridge regression on who
    and which film (everyone's and every film's own level).

    Raises:
        NormlabError: where the data are not there.
    """
    if config.task == "recommendation":
        people_and_films = make_pipeline(OneHotEncoder(handle_unknown="ignore"), Ridge(10.0))
        return _unexplained(people_and_films, recommendation.load(config.data, config.seed))
    if config.task == "forecast":
        return _unexplained(Ridge(1.0), forecast.load(config.data, config.seed))
    splits = load_splits(config.data, config.seed)
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=5000))
    model.fit(_flat(splits.train), splits.train.labels.numpy())
    return float(model.score(_flat(splits.test), splits.test.labels.numpy()))


def _unexplained(model: Any, splits: Splits) -> float:
    model.fit(_flat(splits.train), splits.train.labels.numpy())
    said = torch.as_tensor(model.predict(_flat(splits.test))).view(splits.test.labels.shape)
    return PREDICT.measures(said, splits.test.labels)["error"]


def _flat(split: Split) -> np.ndarray:
    flat: np.ndarray = split.images.flatten(1).numpy()
    return flat


PUBLISHED = {
    "baselines_tabular_series": (
        Text("Series, speech, recommendation: are the nets trained?", "時系列・音声・推薦:ネットは学習できているか"),
        baselines,
    )
}
