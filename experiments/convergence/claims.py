"""How fast and how far do nets train? Seven claims on speed, smoothness and reliability of training with batch norm."""

from experiments.wording import ON_EACH_DATA_SET, RATIO_10_PERCENT, same, translated
from normlab.core.claim import Arm, Case, Claim, Contrast, Moderator

T = translated(__file__)

RATIO_25_PERCENT = 0.22314355131420976  # ln 1.25
DATA = Moderator(T("data and net"), "setting")


def at_length(norm: str) -> Arm:
    return Arm("lengths", {"norm": norm, "level": "best"})


def length_to(measure: str) -> tuple[Case, ...]:
    """How long a target takes: none over batch."""
    ratio = Contrast(
        T("none over batch"), measure, at_length("none"), at_length("batch"), log=False, over="training.epochs"
    )
    return (Case(ON_EACH_DATA_SET, (ratio,), scales=("cpu",)),)


BETTER_AT_EQUAL_EPOCHS = Claim(
    id="better-at-equal-epochs",
    sources=("A §1", "A §4.1", "B benefits 1"),
    statement=T("After the same number of epochs, a net with batch norm is more accurate than one without."),
    method=T(
        "Test accuracy after trainings of 1, 2, 4 and 8 epochs, each annealed over its own length and at the rate that is best for that "
        "length: batch minus none."
    ),
    kind="superiority",
    cases=(
        Case(
            T("each length"),
            (Contrast(same("batch − none"), "test_accuracy", at_length("batch"), at_length("none")),),
            by=("setting", "training.epochs"),
        ),
    ),
    moderators=(Moderator(T("length"), "training.epochs"), DATA),
)

WALL_CLOCK = Claim(
    id="wall-clock",
    sources=("A §3.2", "B benefits 1", "B benefits 8"),
    statement=T("Batch norm shortens the real time that training takes."),
    method=T(
        "Seconds of training until 97 % of the test accuracy that none has after 8 epochs, over trainings of 1, 2, 4 and 8 epochs, each "
        "annealed and at its best rate; seconds a step measured alone, taking turns, each arm in its faster layout."
    ),
    kind="superiority",
    unit="ratio",
    delta=RATIO_10_PERCENT,
    cases=length_to("training_seconds_to@{soon}"),
    moderators=(DATA,),
)

FEWER_EPOCHS = Claim(
    id="fewer-epochs",
    sources=("B benefits 1",),
    statement=T("Batch norm needs fewer epochs to converge."),
    method=T(
        "Epochs until the test accuracy that none has after 8 epochs (of tuning seeds, on validation images), over trainings of 1, 2, 4 "
        "and 8 epochs, each annealed and at its best rate: none over batch."
    ),
    kind="superiority",
    unit="ratio",
    delta=RATIO_10_PERCENT,
    cases=length_to("length_to@{target}"),
    moderators=(DATA,),
)

SMOOTHER_CURVES = Claim(
    id="smoother-curves",
    sources=("A §3.1", "B benefits 6"),
    statement=T("With batch norm the loss falls more smoothly from step to step."),
    method=T(
        "Root mean square of the step-to-step change of the loss on one fixed batch, over the steps at which that loss lies in a band that "
        "both arms cross, both annealed at the rate that is best for none: none over batch."
    ),
    kind="superiority",
    unit="ratio",
    delta=RATIO_10_PERCENT,
    cases=(
        Case(
            ON_EACH_DATA_SET,
            (
                Contrast(
                    T("roughness of none over batch"),
                    "roughness@{low},{high}",
                    Arm("curves", {"norm": "none", "level": "none's best"}),
                    Arm("curves", {"norm": "batch", "level": "none's best"}),
                    log=True,
                ),
            ),
            scales=("cpu",),
        ),
    ),
    moderators=(DATA,),
)

PREDICTABLE_ACROSS_SETTINGS = Claim(
    id="predictable-across-settings",
    sources=("B benefits 6",),
    statement=T("With batch norm the outcome varies less from one hyperparameter setting to another."),
    method=T(
        "Forty configurations, one a seed and the same for both arms: the arm's own best rate times 10^U(−1, 1), batches "
        "of 32 to 256, one to three convolutions a stage, He, Xavier or orthogonal weights. Ratio of the standard "
        "deviations of test accuracy over them, none over batch; the unit is the configuration (jackknife)."
    ),
    kind="superiority",
    unit="ratio",
    delta=RATIO_25_PERCENT,
    cases=(
        Case(
            ON_EACH_DATA_SET,
            (
                Contrast(
                    T("spread of none over batch"),
                    "test_accuracy",
                    Arm("configurations", {"norm": "none", "level": "best"}),
                    Arm("configurations", {"norm": "batch", "level": "best"}),
                    spread=True,
                ),
            ),
            scales=("cpu",),
        ),
    ),
    moderators=(DATA,),
)

BEATS_ALTERNATIVES = Claim(
    id="beats-alternatives",
    sources=("B table",),
    statement=T("For convolutional nets at large batches, batch norm is better than layer, group and instance norm."),
    method=T(
        "Test accuracy of six convolutions on CIFAR-10 at batches of 128, every norm at its best rate: batch minus "
        "layer, minus group, minus instance; all three differences must hold."
    ),
    kind="superiority",
    cases=(
        Case(
            ON_EACH_DATA_SET,
            tuple(
                Contrast(
                    same(f"batch − {other}"),
                    "test_accuracy",
                    Arm("large_batch", {"norm": "batch", "level": "best"}),
                    Arm("large_batch", {"norm": other, "level": "best"}),
                )
                for other in ("layer", "group", "instance")
            ),
            scales=("cpu",),
        ),
    ),
)

ANY_COMPLEXITY = Claim(
    id="any-complexity",
    sources=("A §3 closing",),
    statement=T("Batch norm improves training whatever the complexity of the net."),
    method=T(
        "Test accuracy on CIFAR-10, batch minus none, each at its best rate, trained for the whole length: nets of half, "
        "whole and one and a half times the width with one, two and three convolutions a stage (corners and centre)."
    ),
    kind="superiority",
    cases=(
        Case(
            T("each net"),
            (
                Contrast(
                    same("batch − none"),
                    "test_accuracy",
                    Arm("complexity", {"norm": "batch", "level": "best"}),
                    Arm("complexity", {"norm": "none", "level": "best"}),
                ),
            ),
            by=("setting", "width", "net.depth"),
            scales=("cpu",),
        ),
    ),
    moderators=(Moderator(T("width"), "width"), Moderator(T("depth"), "net.depth")),
)

CLAIMS = (
    BETTER_AT_EQUAL_EPOCHS,
    WALL_CLOCK,
    FEWER_EPOCHS,
    SMOOTHER_CURVES,
    PREDICTABLE_ACROSS_SETTINGS,
    BEATS_ALTERNATIVES,
    ANY_COMPLEXITY,
)
