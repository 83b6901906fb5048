"""The loop: what real data, augmentation, running statistics and logging cost on top of the bare step."""

from collections.abc import Iterator

from normlab.bench.contestants import BATCH, NETS, STEPS, configure, floors, loops, with_steps
from normlab.bench.crew import Crew, take_turns
from normlab.bench.rows import Row, ratio

ROUNDS = 7
BARS = {"MNIST · cnn 16-32": 0.90, "CIFAR-10 · cnn_wide": 0.95}


def loop() -> Iterator[Row]:
    """One thread at batch 128; validation is not counted."""
    for setting in NETS:
        config = configure(setting)
        steps = STEPS[config.data.name]
        with (
            Crew(floors, {"step": (config, "channels_last", steps)}) as bare,
            Crew(loops, {"run": with_steps(config, steps)}) as whole,
        ):
            rates = take_turns({"floor": (bare, "step"), "loop": (whole, "run")}, ROUNDS)
        row = Row("loop", f"{setting} · batch {BATCH}", "training loop", "floor", bar=BARS[setting])
        yield ratio(row, rates["loop"], rates["floor"])
