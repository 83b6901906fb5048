"""How fast and how far do nets train? Six claims on speed, smoothness and reliability of training with batch norm."""

from experiments.wording import ON_EACH_DATA_SET, RATIO_10_PERCENT, same, translated
from normlab.core.claim import Arm, Case, Claim, Contrast, Moderator

T = translated(__file__)

RATIO_25_PERCENT = 0.22314355131420976  # ln 1.25
DATA = Moderator(T("data and net"), "setting")


def at_length(norm: str) -> Arm:
    return Arm("lengths", {"norm": norm, "level": "best"})


def length_to(measure: str) -> tuple[Case, ...]:
    """How long a target takes: none over batch."""
    arms = (at_length("none"), at_length("batch"))
    ratio = Contrast(T("none over batch"), measure, *arms, log=False, over="training.epochs")
    return (Case(ON_EACH_DATA_SET, (ratio,), scales=("cpu",)),)


BETTER_AT_EQUAL_EPOCHS = Claim(
    id="better-at-equal-epochs",
    sources=("A §1", "A §4.1", "B benefits 1"),
    statement=T("After the same number of epochs, a net with batch norm is more accurate than one without."),
    method=T(
        "Test accuracy, with recalibrated statistics, after trainings of 1, 2, 4 and 8 epochs (MNIST also 0.5 and 16), each annealed over "
        "its own length and at the rate that is best for that length: batch minus none."
    ),
    kind="superiority",
    cases=(
        Case(
            T("each length"),
            (Contrast(same("batch − none"), "test_accuracy_recalibrated", at_length("batch"), at_length("none")),),
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
        "Seconds of training until 97 % of the validation accuracy that none has after 8 epochs, over these trainings, each at its best "
        "rate; seconds a step measured alone, taking turns on a batch in memory, each arm in its faster layout."
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
        "Epochs until the validation accuracy that none has after 8 epochs on tuning seeds, over these trainings, each at its best rate "
        "and with recalibrated statistics: none over batch."
    ),
    kind="superiority",
    unit="ratio",
    delta=RATIO_10_PERCENT,
    cases=length_to("length_to@{target}"),
    moderators=(DATA,),
)


def rougher(band: str, low: str, high: str) -> Case:
    """The curves' roughness while their loss is in a band."""
    arms = (Arm("curves", {"norm": norm}) for norm in ("none", "batch"))
    contrast = Contrast(T("roughness of none over batch"), f"roughness@{{{low}}},{{{high}}}", *arms, log=True)
    return Case(T(f"{band} losses"), (contrast,), at={"band": band}, scales=("cpu",))


SMOOTHER_CURVES = Claim(
    id="smoother-curves",
    sources=("A §3.1", "B benefits 6"),
    statement=T("With batch norm the loss falls more smoothly from step to step."),
    method=T(
        "How far the logarithm of the loss on 256 validation images, read with their own statistics, steps off its local slope (median "
        "over the steps at which it lies in a band; three bands), at one constant rate for both, at which none trains: "
        "none over batch."
    ),
    kind="superiority",
    unit="ratio",
    delta=RATIO_10_PERCENT,
    cases=(rougher("high", "upper", "high"), rougher("middle", "lower", "upper"), rougher("low", "low", "lower")),
    moderators=(Moderator(T("height of the loss"), "band"), DATA),
)

PREDICTABLE_ACROSS_SETTINGS = Claim(
    id="predictable-across-settings",
    sources=("B benefits 6",),
    statement=T("With batch norm the outcome varies less from one hyperparameter setting to another."),
    method=T(
        "Forty configurations, one a seed and the same for both arms: the arm's own best rate times 10^U(−1, 1), batches of 32 to 256, one "
        "or two convolutions a stage, He, Xavier or orthogonal weights. The share of configurations in which training fails, none minus "
        "batch, and the ratio of the standard deviations of test accuracy over those in which both arms train, none over batch (jackknife "
        "over configurations); both must hold."
    ),
    kind="superiority",
    cases=(
        Case(
            ON_EACH_DATA_SET,
            (
                Contrast(
                    T("failed share, none − batch"),
                    "failed",
                    Arm("configurations", {"norm": "none", "level": "best"}),
                    Arm("configurations", {"norm": "batch", "level": "best"}),
                    test="sign_flip",
                    delta=0.05,
                ),
                Contrast(
                    T("spread of none over batch"),
                    "test_accuracy_recalibrated",
                    Arm("configurations", {"norm": "none", "level": "best"}),
                    Arm("configurations", {"norm": "batch", "level": "best"}),
                    spread=True,
                    unit="ratio",
                    delta=RATIO_25_PERCENT,
                ),
            ),
            scales=("cpu",),
        ),
    ),
    moderators=(DATA,),
)

ANY_COMPLEXITY = Claim(
    id="any-complexity",
    sources=("A §3 closing",),
    statement=T("Batch norm improves training whatever the complexity of the net."),
    method=T(
        "Test accuracy on CIFAR-10, with recalibrated statistics, batch minus none, each at its best rate, trained for the whole length: V "
        "and nets of half its width and one convolution a stage, its width and one, its width and three, a twelfth to 1.7 times its "
        "multiplications."
    ),
    kind="superiority",
    cases=(
        Case(
            T("each net"),
            (
                Contrast(
                    same("batch − none"),
                    "test_accuracy_recalibrated",
                    Arm("nets", {"norm": "batch", "level": "best"}),
                    Arm("nets", {"norm": "none", "level": "best"}),
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
    ANY_COMPLEXITY,
)
