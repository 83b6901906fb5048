"""Which learning rates work? Five claims on how batch norm changes the choice of the rate."""

import math

from experiments.wording import ON_EACH_DATA_SET, RATIO_10_PERCENT, same, translated
from normlab.core.claim import Arm, Case, Claim, Contrast, Moderator

T = translated(__file__)

QUARTER_DECADE = 0.25
TRAINS = "largest_trained_rate@0.23"  # A tenth of ln 10, what predicting ten classes at random has.
WIDTH = "rate_width_recalibrated@0.02"
FACTORS = {"×10": "too high", "×30": "too high", "÷30": "too low", "÷100": "too low"}
DATA = Moderator(T("data and net"), "setting")


def highest_rate(
    setting: str,
    convolutions: int,
    batch: str = "batch_rates",
    none: str = "none_rates",
    scale: str = "cpu",
    more: str = "",
) -> Case:
    """The highest rate that trains, of nets with so many convolutions."""
    name = T("largest rate that trains, batch over none")
    return Case(
        T(f"{convolutions} convolutions{more}"),
        (Contrast(name, TRAINS, Arm(batch), Arm(none), over="optimizer.lr"),),
        among={"setting": (setting,)},
        at={"convolutions": convolutions},
        scales=(scale,),
    )


def far_off(level: str, side: str) -> Case:
    """Batch norm at its best rate against a multiple of it."""
    return Case(
        same(level),
        (
            Contrast(
                T("best rate − bad rate"),
                "test_accuracy_recalibrated",
                Arm("mistuned", {"level": "best"}),
                Arm("mistuned", {"level": level}),
            ),
        ),
        at={"rate": side},
    )


def long_runs(level: str) -> Arm:
    return Arm("long", {"rate": level})


HIGHER_STABLE_LR = Claim(
    id="higher-stable-lr",
    sources=("A §3.2", "A §4.3", "A §5.4", "B benefits 1", "B practice 6"),
    statement=T("Batch norm allows much higher learning rates."),
    method=T(
        "The largest rate whose annealed training works (final training loss, with recalibrated statistics, within 0.23 nats of the arm's "
        "lowest), found for every seed on a ladder of rates: batch norm over none. Much higher means at least three times."
    ),
    kind="superiority",
    unit="ratio",
    delta=math.log(3),
    cases=(
        highest_rate("digits", 2, scale="quick"),
        highest_rate("mnist", 2),
        highest_rate("cifar10_short", 6),
        highest_rate("cifar10_short", 14, "deep_batch_rates", "deep_none_rates"),
    ),
    moderators=(Moderator(T("convolutions"), "convolutions"),),
    shown_besides=(highest_rate("mnist", 2, "all_normed_rates", more=", a norm behind the hidden layer, too"),),
)

FASTER_BY_HIGHER_LR = Claim(
    id="faster-by-higher-lr",
    sources=("A §3.2", "A §4.3", "B benefits 1"),
    statement=T("It is the higher rate that makes training with batch norm faster."),
    method=T(
        "The length of training that a target of test accuracy takes, over trainings of 1, 2, 4 and 8 epochs, each annealed over its own "
        "length: batch norm at the highest rate at which none still trains over batch norm at the best of once, twice and four times that "
        "rate."
    ),
    kind="superiority",
    unit="ratio",
    delta=RATIO_10_PERCENT,
    cases=(
        Case(
            ON_EACH_DATA_SET,
            (
                Contrast(
                    T("length at none's highest rate over length at higher ones"),
                    "length_to@{target}",
                    Arm("at_the_limit"),
                    Arm("above_the_limit", {"level": "best"}),
                    over="training.epochs",
                ),
            ),
            scales=("cpu",),
        ),
    ),
    moderators=(DATA,),
)

BAD_LR_STILL_FAILS = Claim(
    id="bad-lr-still-fails",
    sources=("A §5.4", "B practice 6"),
    statement=T("With a badly chosen rate, nets with batch norm train badly too."),
    method=T(
        "Test accuracy of batch norm, with recalibrated statistics, at its best rate minus at 10, 30, 1/30 and 1/100 times that rate, all "
        "annealed; to fail is to lose at least 5 points."
    ),
    kind="superiority",
    quantifier="some",
    delta=0.05,
    cases=tuple(far_off(level, side) for level, side in FACTORS.items()),
    moderators=(Moderator(T("too high or too low"), "rate"), DATA),
)

ADAPTIVE_OPTIMIZER = Claim(
    id="adaptive-optimizer",
    sources=("A §5.4",),
    statement=T("Adam and RMSprop make the choice of the rate easier."),
    method=T(
        "The width, in decades, of the range of rates within 2 points of the best validation accuracy (annealed, with recalibrated "
        "statistics), found for every seed on a ladder of rates: Adam minus SGD and RMSprop minus SGD; both must be wider."
    ),
    kind="superiority",
    unit="number",
    delta=QUARTER_DECADE,
    cases=(
        Case(
            T("with batch norm and without"),
            tuple(
                Contrast(
                    same(f"{title} − SGD"), WIDTH, Arm(f"{optimizer}_widths"), Arm("sgd_widths"), over="optimizer.lr"
                )
                for optimizer, title in (("adam", "Adam"), ("rmsprop", "RMSprop"))
            ),
            by=("setting", "norm"),
            scales=("cpu",),
        ),
    ),
    moderators=(Moderator(T("norm"), "norm"),),
)

HIGH_LR_BETTER_OPTIMUM = Claim(
    id="high-lr-better-optimum",
    sources=("A §4.3",),
    statement=T("With batch norm, high rates lead to better optima than low ones."),
    method=T(
        "Batch norm at the highest good rate (of a pilot) against a thirtieth of it, in trainings twice (CIFAR-10) and four times "
        "(MNIST) as long as the recipe's, annealed: test accuracy at the end, validation accuracy where both have the same training "
        "loss, and the lowest training loss; all three must be better."
    ),
    kind="superiority",
    cases=(
        Case(
            ON_EACH_DATA_SET,
            (
                Contrast(
                    T("test accuracy, high − low rate"),
                    "test_accuracy_recalibrated",
                    long_runs("high"),
                    long_runs("low"),
                ),
                Contrast(
                    T("accuracy at equal training loss, high − low rate"),
                    "accuracy_at_loss@{loss}",
                    long_runs("high"),
                    long_runs("low"),
                ),
                Contrast(
                    T("lowest training loss, low over high rate"),
                    "lowest_train_loss",
                    long_runs("low"),
                    long_runs("high"),
                    log=True,
                    offset=0.01,
                    unit="ratio",
                    delta=RATIO_10_PERCENT,
                ),
            ),
            scales=("cpu",),
        ),
    ),
    moderators=(DATA,),
)

CLAIMS = (
    HIGHER_STABLE_LR,
    FASTER_BY_HIGHER_LR,
    BAD_LR_STILL_FAILS,
    ADAPTIVE_OPTIMIZER,
    HIGH_LR_BETTER_OPTIMUM,
)
