"""Which learning rates work? Five claims on how batch norm changes the choice of the rate."""

import math

from experiments.wording import ON_EACH_DATA_SET, RATIO_10_PERCENT, same, translated
from normlab.core.claim import Arm, Case, Claim, Contrast

T = translated(__file__)

QUARTER_DECADE = 0.25  # The ladders' resolution, in decades.
RECALIBRATED = T("with recalibrated statistics")
LAGGING = T(
    "Rates are constant here, so weights move up to the last step and running averages (decay 0.9) lag behind them: at good rates "
    "batch norm loses accuracy in its averages, not in its weights, and the more the higher the rate. Measured on the same runs "
    "with statistics recomputed over the training images, it comes out as below. What the claim says of training itself is "
    "closer to that; what a user of a constant rate gets is the verdict."
)


def stable_rate(measure: str) -> tuple[Contrast, ...]:
    name = T("largest stable rate, batch over none")
    batch, none = Arm("sgd_rates", {"norm": "batch"}), Arm("sgd_rates", {"norm": "none"})
    return (Contrast(name, measure, batch, none, over="optimizer.lr"),)


def mistuned_parts(measure: str) -> tuple[Contrast, ...]:
    return tuple(
        Contrast(
            T(f"best − {level}"),
            measure,
            Arm("mistuned", {"norm": "batch", "level": "best"}),
            Arm("mistuned", {"norm": "batch", "level": level}),
        )
        for level in ("×10", "÷100")
    )


def high_rate(measure: str) -> Contrast:
    return Contrast(
        T("test accuracy, high − low rate"),
        measure,
        Arm("long", {"norm": "batch", "level": "high"}),
        Arm("long", {"norm": "batch", "level": "low"}),
    )


def adaptive_parts(norm: str, measure: str = "rate_width@0.02") -> tuple[Contrast, ...]:
    return tuple(
        Contrast(
            same(f"{title} − SGD"),
            measure,
            Arm(f"{optimizer}_rates", {"norm": norm}),
            Arm("sgd_rates", {"norm": norm}),
            over="optimizer.lr",
        )
        for optimizer, title in (("adam", "Adam"), ("rmsprop", "RMSprop"))
    )


CLAIMS = (
    Claim(
        id="higher-stable-lr",
        sources=("A §3.2", "A §4.3", "A §5.4", "B benefits 1", "B practice 6"),
        statement=T("Batch norm allows much higher learning rates."),
        method=T(
            "The largest rate that trains to within 5 points of the arm's own best validation accuracy, found for every seed on a "
            "ladder of rates: batch over none. Much higher means at least three times."
        ),
        kind="superiority",
        unit="ratio",
        delta=math.log(3),
        cases=(Case(ON_EACH_DATA_SET, stable_rate("largest_stable_rate@0.05")),),
        checked=LAGGING,
        shown_besides=(Case(RECALIBRATED, stable_rate("largest_stable_rate_recalibrated@0.05")),),
    ),
    Claim(
        id="faster-by-higher-lr",
        sources=("A §3.2", "A §4.3", "B benefits 1"),
        statement=T("It is the higher rate that makes training with batch norm faster."),
        method=T(
            "Epochs until validation accuracy first reaches the target (looked at every tenth of an epoch): batch norm at the rate "
            "that is fastest for none over batch norm at its own fastest rate."
        ),
        kind="superiority",
        unit="ratio",
        delta=RATIO_10_PERCENT,
        cases=(
            Case(
                ON_EACH_DATA_SET,
                (
                    Contrast(
                        T("epochs at none's rate over epochs at its own"),
                        "epochs_to@{target}",
                        Arm("fastest", {"norm": "batch", "level": "none's fastest"}),
                        Arm("fastest", {"norm": "batch", "level": "fastest"}),
                        log=True,
                    ),
                ),
            ),
        ),
        checked=T(
            "On both data sets the tuning seeds named the same rate for both arms, so that these are the same runs and every effect is "
            "exactly 1: no rate of the grid above none's fastest makes batch norm faster. The interval is the resolution of the "
            "measure, a tenth of an epoch."
        ),
    ),
    Claim(
        id="bad-lr-still-fails",
        sources=("A §5.4", "B practice 6"),
        statement=T("With a badly chosen rate, nets with batch norm train badly too."),
        method=T(
            "Test accuracy of batch norm at its best rate minus at ten times that rate, and minus at a hundredth of it; each must "
            "lose at least 5 points."
        ),
        kind="superiority",
        delta=0.05,
        cases=(Case(ON_EACH_DATA_SET, mistuned_parts("test_accuracy")),),
        checked=LAGGING,
        shown_besides=(Case(RECALIBRATED, mistuned_parts("test_accuracy_recalibrated")),),
    ),
    Claim(
        id="adaptive-optimizer",
        sources=("A §5.4",),
        statement=T("Adam and RMSprop make the choice of the rate easier."),
        method=T(
            "The width, in decades, of the range of rates within 2 points of the best validation accuracy, found for every seed "
            "on a ladder of rates: Adam minus SGD and RMSprop minus SGD; both must be wider."
        ),
        kind="superiority",
        unit="number",
        delta=QUARTER_DECADE,
        cases=(
            Case(T("with batch norm"), adaptive_parts("batch")),
            Case(T("without norm"), adaptive_parts("none"), scales=("cpu",)),
        ),
        checked=LAGGING,
        shown_besides=(Case(RECALIBRATED, adaptive_parts("batch", "rate_width_recalibrated@0.02")),),
    ),
    Claim(
        id="high-lr-better-optimum",
        sources=("A §4.3",),
        statement=T("With batch norm, high rates lead to better optima than low ones."),
        method=T(
            "Batch norm at the highest good rate (within 2 points of the best on tuning seeds) against a thirtieth of it, trained "
            "for 30 epochs: lowest training loss reached (as a factor) and test accuracy; both must be better."
        ),
        kind="superiority",
        cases=(
            Case(
                ON_EACH_DATA_SET,
                (
                    high_rate("test_accuracy"),
                    Contrast(
                        T("lowest training loss, low over high rate"),
                        "lowest_train_loss",
                        Arm("long", {"norm": "batch", "level": "low"}),
                        Arm("long", {"norm": "batch", "level": "high"}),
                        log=True,
                        unit="ratio",
                        delta=RATIO_10_PERCENT,
                    ),
                ),
            ),
        ),
    ),
)
