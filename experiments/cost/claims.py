"""What do normalizations cost? Claims on time and memory, and what saves them."""

import math
from itertools import pairwise

from experiments.wording import ON_EACH_DATA_SET, RATIO_10_PERCENT, translated
from normlab.core.claim import Arm, Case, Claim, Contrast, Finding, Text
from normlab.nets.fold import folded_difference
from normlab.report.style import method_title

T = translated(__file__)

RATIO_5_PERCENT = math.log(1.05)  # between tiers of an order
# The articles' table, from cheap to dear.
TIERS = (("weight",), ("layer", "instance", "group"), ("batch",), ("spectral",))


def net(norm: str, measure: str | None = None) -> Arm:
    return Arm("nets", {"norm": norm}, measure=measure)


def overhead(grid: str, axis: str, small: int, large: int, name: Text) -> Contrast:
    """ln(batch/none) of a training step at one end of an axis, less the same at the other."""

    def arm(norm: str, value: int) -> Arm:
        return Arm(grid, {"norm": norm, axis: value})

    return Contrast(
        name,
        "cost.step",
        arm("batch", large),
        arm("none", large),
        less=(arm("batch", small), arm("none", small)),
        log=True,
    )


def ratio(name: Text, measure: str, plus: Arm, minus: Arm, delta: float = RATIO_10_PERCENT) -> Contrast:
    return Contrast(name, f"cost.{measure}", plus, minus, log=True, unit="ratio", delta=delta)


def batch_over_none(measure: str) -> Contrast:
    return ratio(T("batch norm over none"), measure, net("batch"), net("none"))


def in_order(measure: str) -> tuple[Contrast, ...]:
    """Every method of a tier costs more than every method of the tier before."""
    pairs = [(high, low) for cheap, dear in pairwise(TIERS) for high in dear for low in cheap]
    return tuple(
        ratio(
            T(f"{method_title(high)} over {method_title(low)}"),
            measure,
            net(high),
            net(low),
            RATIO_5_PERCENT,
        )
        for high, low in pairs
    )


def as_accurate(plus: Arm, minus: Arm) -> Contrast:
    return Contrast(
        T("accuracy not inferior"), "test_accuracy", plus, minus, unit="points", delta="delta",
        kind="noninferiority",
    )  # fmt: skip


def cheaper(norm: str) -> tuple[Contrast, ...]:
    return (
        ratio(T("training step, batch norm over it"), "step", net("batch"), net(norm)),
        ratio(T("peak memory, batch norm over it"), "peak_bytes", net("batch"), net(norm)),
        as_accurate(
            Arm("accuracy", {"norm": norm, "level": "best"}), Arm("accuracy", {"norm": "batch", "level": "best"})
        ),
    )


def saves(arm: str) -> tuple[Contrast, ...]:
    return (
        ratio(
            T("peak memory, plain over it"),
            "peak_bytes",
            Arm("savers", {"arm": "plain"}),
            Arm("savers", {"arm": arm}),
        ),
        as_accurate(
            Arm("saved_accuracy", {"arm": arm}),
            Arm("saved_accuracy", {"arm": "plain"}),
        ),
    )


def folding() -> Finding:
    """Outputs with batch norms and with these folded into the layers before them."""
    difference = folded_difference()
    return Finding(difference < 1e-10, {"largest difference of outputs (float64)": difference})


SAVING = (
    ("checkpointing-saves", "checkpoints", "Gradient checkpointing"),
    ("amp-saves", "bfloat16", "Mixed precision"),
)

CLAIMS = (
    *(
        Claim(
            id=id,
            sources=("A §5.3", "B challenges 3", "B challenges 4"),
            statement=T(f"Batch norm adds to {en}."),
            method=T(f"{how} of the recipe's net with batch norm over the one without, at the recipe's batch."),
            kind="superiority",
            unit="ratio",
            delta=RATIO_10_PERCENT,
            cases=(Case(ON_EACH_DATA_SET, (batch_over_none(measure),)),),
        )
        for id, measure, en, how in (
            ("adds-training-time", "step", "the time of training", "The time of a training step"),
            (
                "adds-inference-time",
                "inference",
                "the time of inference",
                "The time of a forward pass in evaluation",
            ),
            (
                "adds-memory",
                "peak_bytes",
                "the memory of training",
                "The memory at which a training step peaks",
            ),
        )
    ),
    Claim(
        id="overhead-grows",
        sources=("A §5.3",),
        statement=T("The overhead of batch norm is worse for large data (here: large images) and in deep nets."),
        method=T(
            "The time of a training step with batch norm over without: with four convolutions a stage over one, and with images twice as "
            "wide and high over plain ones. Both must grow."
        ),
        kind="superiority",
        unit="ratio",
        delta=RATIO_10_PERCENT,
        cases=(
            Case(
                ON_EACH_DATA_SET,
                (
                    overhead("depths", "net.depth", 1, 4, T("overhead, deepest over shallowest")),
                    overhead("images", "data.enlarge", 1, 2, T("overhead, largest over smallest images")),
                ),
                scales=("cpu", "gpu"),
            ),
        ),
    ),
    *(
        Claim(
            id=id,
            sources=("B table",),
            statement=T(f"By {en}: weight norm < layer, instance and group norm < batch norm < spectral norm."),
            method=T(
                f"{en.capitalize()} of the recipe's net at its batch: every method of a tier over every method of the tier below it, "
                "at least ×1.05 each."
            ),
            kind="superiority",
            unit="ratio",
            delta=RATIO_5_PERCENT,
            cases=(Case(ON_EACH_DATA_SET, in_order(measure)),),
        )
        for id, measure, en in (
            ("overhead-order", "step", "time of a training step"),
            ("memory-order", "peak_bytes", "peak memory"),
        )
    ),
    *(
        Claim(
            id=f"{norm}-cheaper",
            sources=("A §5.3",),
            statement=T(f"{method_title(norm).capitalize()} saves resources and keeps performance."),
            method=T(
                f"Time of a training step and peak memory of batch norm over {method_title(norm)}, and test accuracy not "
                "inferior, at the recipe's batch. All must hold."
            ),
            kind="superiority",
            cases=(Case(ON_EACH_DATA_SET, cheaper(norm)),),
        )
        for norm in ("group", "instance")
    ),
    Claim(
        id="folding-exact",
        sources=("B advanced 4",),
        statement=T("Batch norm can be folded into the layer before it without changing the function."),
        method=T(
            "A net with random weights, statistics, γ and β, with its batch norms and with these folded: the largest difference of "
            "outputs."
        ),
        kind="exact",
        check=folding,
    ),
    Claim(
        id="folding-saves",
        sources=("B advanced 4",),
        statement=T("Folding saves time in inference."),
        method=T("The time of a forward pass in evaluation at the recipe's batch: batch norm over the same net folded."),
        kind="superiority",
        unit="ratio",
        delta=RATIO_10_PERCENT,
        cases=(
            Case(
                ON_EACH_DATA_SET,
                (
                    Contrast(
                        T("batch norm over folded"),
                        "cost.inference",
                        net("batch"),
                        net("batch", "cost.inference_folded"),
                        log=True,
                    ),
                ),
            ),
        ),
    ),
    *(
        Claim(
            id=id,
            sources=("B practice 9",),
            statement=T(f"{en} reduces the memory of training."),
            method=T(
                f"Peak memory of a training step with batch norm, plain over with {en.lower()}; "
                "test accuracy not inferior at the rate that is best without."
            ),
            kind="superiority",
            cases=(Case(ON_EACH_DATA_SET, saves(arm)),),
        )
        for id, arm, en in SAVING
    ),
    Claim(
        id="accelerator-remedy",
        sources=("A §5.3",),
        statement=T("Accelerators shrink the cost of batch norm."),
        method=T(
            "The time of a training step with batch norm over without, on the processor over on the GPU. Not run where there is none."
        ),
        kind="superiority",
        unit="ratio",
        delta=RATIO_10_PERCENT,
        cases=(
            Case(
                ON_EACH_DATA_SET,
                (
                    Contrast(
                        T("overhead, processor over GPU"),
                        "cost.step",
                        Arm("devices", {"norm": "batch", "numerics.device": "cpu"}),
                        Arm("devices", {"norm": "none", "numerics.device": "cpu"}),
                        less=(
                            Arm("devices", {"norm": "batch", "numerics.device": "cuda"}),
                            Arm("devices", {"norm": "none", "numerics.device": "cuda"}),
                        ),
                        log=True,
                    ),
                ),
                scales=("gpu",),
            ),
        ),
    ),
    Claim(
        id="sync-cost",
        sources=("B challenges 9",),
        statement=T("Synchronizing batch norm between processes costs communication."),
        method=T(
            "The time of a training step with synchronized over unsynchronized batch norm, on 2 and on 4 processes of this machine with 16 "
            "images each (more processes than cores share them). Both must grow."
        ),
        kind="superiority",
        unit="ratio",
        delta=RATIO_10_PERCENT,
        cases=(
            Case(
                ON_EACH_DATA_SET,
                tuple(
                    Contrast(
                        T(f"{count} processes"),
                        "cost.step",
                        Arm("synchronized", measure=f"cost.step_{count}"),
                        Arm("synchronized", measure=f"cost.unsynchronized_{count}"),
                        log=True,
                    )
                    for count in (2, 4)
                ),
            ),
        ),
    ),
)
