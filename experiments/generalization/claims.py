"""Does batch norm generalize better, and why? Five claims on overfitting, its remedies, and features."""

from experiments.wording import ON_EACH_DATA_SET, translated
from normlab.core.claim import Arm, Case, Claim, Contrast

T = translated(__file__)

REAL_DATA = ("cpu", "gpu")


def gap(norm: str) -> Arm:
    return Arm("gaps", {"norm": norm, "level": "best"})


def spoilt(norm: str, noise: str) -> Arm:
    return Arm("spoilt", {"norm": norm, "noise": noise, "level": "best"})


def more_gain(noise: str, measure: str = "test_accuracy") -> Contrast:
    return Contrast(
        T(f"gain with noise on {noise} − clean gain"),
        measure,
        spoilt("batch", noise),
        spoilt("none", noise),
        less=(spoilt("batch", "clean"), spoilt("none", "clean")),
    )


def probes(prefix: str) -> tuple[Contrast, ...]:
    return tuple(
        Contrast(
            T(f"{title}, batch norm − none"),
            f"features.{prefix}{probe}",
            Arm("matched", {"norm": "batch", "level": "soonest"}),
            Arm("matched", {"norm": "none", "level": "soonest"}),
        )
        for probe, title in (("linear", "linear probe"), ("neighbours", "nearest neighbours"))
    )


NOISY, LIVE, AVERAGES = (
    Arm("noisier", {"level": "best"}),
    Arm("whole_batch", {"statistics": "live", "level": "best"}),
    Arm("whole_batch", {"statistics": "averages", "level": "best"}),
)

CLAIMS = (
    Claim(
        id="less-overfitting",
        sources=("A §1", "A §2", "A §3.3", "A §4.4", "B benefits 4"),
        statement=T("Batch norm reduces overfitting."),
        method=T(
            "Accuracy on training images minus on validation images where the loss on training images passes one level for both "
            "arms: none minus batch norm, with few and many images. (Group norm, without the batch's noise, is shown in the figure.)"
        ),
        kind="superiority",
        cases=(
            Case(
                T("images"),
                (
                    Contrast(
                        T("gap of none − of batch norm"),
                        "accuracy_gap@{level}",
                        gap("none"),
                        gap("batch"),
                    ),
                ),
                by=("setting", "images"),
            ),
        ),
        checked=T(
            "The gap might come from running averages that lag: both accuracies are taken in evaluation mode with recalibrated "
            "statistics. Every run of every arm passes the level. At the end of training batch norm is the more accurate all the "
            "same (the figure's clean nets): it fits its training images further than no norm does."
        ),
    ),
    Claim(
        id="regularizes-without-others",
        sources=("B benefits 4",),
        statement=T("With batch norm no other regularizer is needed."),
        method=T(
            "Test accuracy of batch norm alone minus with dropout before the head, and minus with weight decay, their amounts and all "
            "rates chosen on tuning seeds: not inferior."
        ),
        kind="noninferiority",
        cases=(
            Case(
                ON_EACH_DATA_SET,
                tuple(
                    Contrast(
                        T(f"alone − with {title}"),
                        "test_accuracy",
                        Arm("alone", {"level": "best"}),
                        Arm(grid, {"level": "best"}),
                    )
                    for grid, title in (("with_dropout", "dropout"), ("with_weight_decay", "weight decay"))
                ),
            ),
        ),
    ),
    Claim(
        id="noise-is-the-cause",
        sources=("B benefits 4",),
        statement=T("It is the noise of the batch's statistics that regularizes."),
        method=T(
            "In batches of 128: test accuracy with statistics over 8, 16 or 32 samples (chosen on tuning seeds) minus over all 128, "
            "the gap between training and validation images at equal training loss the other way round, and test accuracy with "
            "live statistics minus with running averages in their place. All must be positive."
        ),
        kind="superiority",
        cases=(
            Case(
                ON_EACH_DATA_SET,
                (
                    Contrast(
                        T("accuracy, noisier − whole batch"),
                        "test_accuracy",
                        NOISY,
                        LIVE,
                    ),
                    Contrast(
                        T("gap, whole batch − noisier"),
                        "accuracy_gap@{level}",
                        LIVE,
                        NOISY,
                    ),
                    Contrast(
                        T("accuracy, live statistics − averages"),
                        "test_accuracy",
                        LIVE,
                        AVERAGES,
                    ),
                ),
            ),
        ),
    ),
    Claim(
        id="denoising-is-the-cause",
        sources=("A §3.3",),
        statement=T("Batch norm fights overfitting by damping noise in the data."),
        method=T(
            "Test accuracy gained by batch norm over none on training images with noise on their pixels, and on their labels, minus "
            "the gain on clean ones. Both must be positive."
        ),
        kind="superiority",
        cases=(Case(ON_EACH_DATA_SET, (more_gain("pixels"), more_gain("labels"))),),
        checked=T(
            "Running statistics taken from noisy training images may not fit clean test images. They do not: with the statistics of "
            "test batches nets trained on noisy pixels are far more accurate, and more so than those without norm. What the claim's "
            "contrast shows on pixels is this mismatch, more than what the weights learned."
        ),
        shown_besides=(
            Case(
                T("with the statistics of test batches"),
                (more_gain("pixels", "test_accuracy_batch"), more_gain("labels", "test_accuracy_batch")),
            ),
        ),
    ),
    Claim(
        id="better-features",
        sources=("B benefits 9",),
        statement=T("Nets with batch norm learn better features."),
        method=T(
            "Nets with and without batch norm are trained until they are equally accurate on validation images. Test accuracy of a "
            "linear probe and of the 10 nearest neighbours on their standardized last hidden layer, on the same data and on "
            "another data set: batch norm minus none, all of them positive."
        ),
        kind="superiority",
        cases=(
            Case(T("same data"), probes("")),
            Case(T("other data"), probes("other_"), scales=REAL_DATA),
        ),
        shown_besides=(
            Case(
                T("whether the nets are equally accurate"),
                (
                    Contrast(
                        T("test accuracy, batch norm − none (recalibrated)"),
                        "test_accuracy_recalibrated",
                        Arm("matched", {"norm": "batch", "level": "soonest"}),
                        Arm("matched", {"norm": "none", "level": "soonest"}),
                    ),
                ),
            ),
        ),
    ),
)
