"""How easy is it? The flagship's net with one thing changed, at the rate that is best for the norm as it stands."""

from dataclasses import dataclass
from typing import Any

from normlab.config import RunConfig
from normlab.core.claim import Text

RATES = (0.03, 0.1, 0.3, 3.0, 10.0, 30.0)  # in units of the best
RATE = "rate"
SEEDS = 3


@dataclass(frozen=True)
class Change:
    """One thing changed: the kind of question, its value, and how readers are told."""

    kind: str
    value: float
    title: Text

    def apply(self, config: RunConfig) -> RunConfig:
        """The configuration with it."""
        if self.kind == RATE:
            return _with(config, "optimizer", lr=float(f"{config.optimizer.lr * self.value:.4g}"))
        if self.kind == "init":
            return _with(config, "net", init=config.net.init.model_copy(update={"gain": self.value}))
        if self.kind == "depth":
            return _with(config, "net", depth=tuple(int(depth * self.value) for depth in config.net.depths))
        schedule = config.schedule.model_copy(update={"name": "cosine", "warmup": None})
        return config.model_copy(update={"schedule": schedule})


CHANGES = (
    *(Change(RATE, times, Text(f"rate × {times:g}", f"学習率 × {times:g}")) for times in RATES),
    Change("init", 0.3, Text("initial weights × 0.3", "初期重み × 0.3")),
    Change("init", 3.0, Text("initial weights × 3", "初期重み × 3")),
    Change("depth", 3.0, Text("three times as deep", "深さ 3 倍")),
    Change("warmup", 0.0, Text("no warm-up", "ウォームアップなし")),
)


def _with(config: RunConfig, part: str, **changed: Any) -> RunConfig:
    return config.model_copy(update={part: getattr(config, part).model_copy(update=changed)})
