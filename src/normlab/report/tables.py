"""The tables beside a report: what stands in each, and how it is written."""

import json
from pathlib import Path
from typing import Any

import pandas as pd

from normlab.config import ROUTES
from normlab.core.record import write_atomically
from normlab.core.statistics import bootstrap_interval
from normlab.core.trial import ClaimResult
from normlab.core.word import TESTED
from normlab.report.results import Results


def write_table(table: pd.DataFrame, root: Path, name: str, folder: str = "tables") -> None:
    """Write ``<root>/<folder>/<name>.csv``."""
    write_atomically(root / folder / f"{name}.csv", table.to_csv(index=False, float_format="%.6g").encode())


def as_plain(table: pd.DataFrame | None) -> dict[str, list[Any]] | None:
    """What ``pd.DataFrame(**…)`` makes the table of again, as plain data."""
    return None if table is None else {"columns": list(table.columns), "data": table.to_numpy(dtype=object).tolist()}


def claim_table(result: ClaimResult) -> pd.DataFrame:
    """All contrasts of a claim, a row each."""
    several = len(result.claim.cases) > 1
    return pd.DataFrame(
        [
            {
                "setting": setting.label(several).en,
                "part": part.contrast.name.en,
                "condition": any(part is each for each in setting.given),
                "verdict of the setting": str(setting.verdict),
                **dict(zip(("estimate", "low", "high"), part.interval, strict=True)),
                **dict(zip(("bootstrap_low", "bootstrap_high"), bootstrap_interval(part.effects.array), strict=True)),
                "unit": part.unit,
                "sesoi": part.delta,
                **{f"p_{word}": part.p(word) for word in TESTED},
                "n": part.n,
                "diverged": part.effects.diverged,
                "censored": part.effects.censored,
                "excluded": part.effects.excluded,
                "effects": json.dumps({str(k): round(v, 6) for k, v in part.effects.by_seed.items()}),
            }
            for setting in result.settings
            for part in (*setting.parts, *setting.given)
        ]
    )


def cell_means(results: Results) -> pd.DataFrame:
    """Means over seeds of the experiment's reported cells, with every kind of statistics at evaluation."""
    cells = results.cells[results.cells["role"] == "report"].drop(columns=["run_key", "status", "role"])
    keys = results.cells.loc[cells.index, "run_key"]
    facts = [results.store.facts(key) or {} for key in keys]
    suffixes = {"running": "", "recalibrated": "_recalibrated", "batch": "_batch"}
    for route in ROUTES:
        found = [
            f.get("chance") if f.get("status") == "diverged" else f.get(f"test_accuracy{suffixes[route]}")
            for f in facts
        ]
        cells[f"test_accuracy_{route}"] = pd.Series(found, index=cells.index, dtype=float)
    if any("test_error" in f for f in facts):
        cells["test_error"] = pd.Series([_error(f) for f in facts], index=cells.index, dtype=float)
    ran = pd.Series([f.get("status") in ("ok", "diverged") for f in facts], index=cells.index, dtype=bool)
    cells["diverged"] = [f.get("status") == "diverged" for f in facts]
    cells["train_loss"] = [f.get("train_loss") for f in facts]
    cells["seconds"] = [f.get("seconds") for f in facts]
    axes = [
        c
        for c in cells.columns
        if c not in ("seed", "diverged", "train_loss", "seconds", "test_error") and not c.startswith("test_accuracy")
    ]
    cells[axes] = cells[axes].map(lambda v: json.dumps(v) if isinstance(v, dict | list) else v)
    numbers = [c for c in cells.columns if c not in (*axes, "seed")]
    grouped = cells.groupby(axes, dropna=False, sort=False)
    means = grouped[numbers].mean()
    counts = cells[ran].groupby(axes, dropna=False, sort=False)["seed"].nunique()
    means.insert(0, "n", counts.reindex(means.index, fill_value=0).astype(int))
    means["test_accuracy_sd"] = grouped["test_accuracy_running"].std()
    table = means.dropna(axis=1, how="all").reset_index().dropna(axis=1, how="all")
    linear = {setting: results.linear(setting) for setting in results.settings}
    if any(linear.values()) and "test_accuracy_running" in table:
        bars = table["setting"].map(linear).astype(float)
        table["untrained"] = table["test_accuracy_running"] <= bars
    return table


def _error(facts: dict[str, Any]) -> float | None:
    """Of a task that predicts numbers, the unexplained variance of a run; one that diverged counts as saying the mean."""
    found: float | None = facts.get("chance_error" if facts.get("status") == "diverged" else "test_error")
    return found
