"""What acting at random earns in the same environments: every agent has to be better."""

import numpy as np
import pandas as pd

from normlab.core.claim import Text
from normlab.report.results import Results


def baselines(results: Results) -> pd.DataFrame:
    """A row an environment and arm: its return, and the mean of its middle half of seeds, beside that of random actions."""
    rows = []
    for setting in results.settings:
        found = results.select("agents", setting=setting, level="best")
        for arm in dict.fromkeys(found["norm"]) if len(found) else ():
            runs = found[found["norm"] == arm]
            values = sorted(results.values(runs, "test_return"))
            middle = values[len(values) // 4 : len(values) - len(values) // 4]
            random = [(results.store.facts(key) or {}).get("random_return", np.nan) for key in runs["run_key"]]
            mean, simple = float(np.mean(values)), float(np.mean(random))
            rows.append(
                {
                    "setting": setting,
                    "data": results.title(setting),
                    "arm": arm,
                    "n": len(values),
                    "measure": "test_return",
                    "value": mean,
                    "interquartile_mean": float(np.mean(middle)),
                    "simple_model": simple,
                    "cleared": mean > simple,
                    "diverged": int((runs["status"] == "diverged").sum()),
                }
            )
    return pd.DataFrame(rows)


PUBLISHED = {
    "baselines_control": (
        Text("Reinforcement learning: did the agents learn?", "強化学習:エージェントは学習できたか"),
        baselines,
    )
}
