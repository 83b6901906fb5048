"""Claims on small batches, each beside the contrast that decides it.

``shared``: the optimizer's batch is the recipe's, and so many of its images share statistics. ``batches``: batches themselves are so
large. ``whole`` is the recipe's own batch, in which all images share statistics.
"""

from experiments.batch_size.checks import others_are_batch_free
from experiments.wording import RATIO_10_PERCENT, same, translated
from normlab.core.claim import Arm, Case, Claim, Contrast, Moderator, Text

T = translated(__file__)

SMALL = ("2", "4", "8")
WHOLE = {"cpu": "128", "gpu": "128", "quick": "32"}
BATCH_SIZE = T("batch size")
READ_WITH = {"running": "test_accuracy", "recalibrated": "test_accuracy_recalibrated"}


def shared(size: str | None = None) -> Arm:
    """Statistics over so many images, or as many as the setting says."""
    return Arm("shared", {"level": "best"} | ({"shared": size} if size else {}))


def true(norm: str, size: str | None = None) -> Arm:
    """Batches of so many images, or as many as the setting says."""
    return Arm("batches", {"norm": norm, "level": "best"} | ({"batch": size} if size else {}))


def shared_cases(plus: Arm, minus: Arm, name: Text, among: tuple[str, ...], scale: str) -> tuple[Case, ...]:
    """A contrast of statistics batches, read with running and with recalibrated statistics."""
    return tuple(
        Case(
            T(f"shared statistics, {reading}"),
            (Contrast(name, measure, plus, minus),),
            by=("setting", "shared"),
            among={"shared": among},
            at={"statistics": reading},
            scales=(scale,) if scale == "quick" else ("cpu", "gpu"),
        )
        for reading, measure in READ_WITH.items()
    )


def true_cases(among: tuple[str, ...], scale: str) -> tuple[Case, ...]:
    """What a small true batch costs batch norm, less what it costs a net without norm."""
    whole = WHOLE[scale]
    return tuple(
        Case(
            T(f"true batches, {reading}"),
            (
                Contrast(
                    T("whole batch − small batch, less none's"),
                    measure,
                    true("batch", whole),
                    true("batch"),
                    less=(true("none", whole), true("none")),
                ),
            ),
            by=("setting", "batch"),
            among={"batch": among},
            at={"statistics": reading},
            scales=(scale,),
        )
        for reading, measure in READ_WITH.items()
    )


SMALL_BATCH_HURTS = Claim(
    id="small-batch-hurts",
    sources=("A §3.5", "A §5.1", "B challenges 1"),
    statement=T("Batch norm works poorly with small batches."),
    method=T(
        "Test accuracy with statistics over the recipe's whole batch minus over 2, 4 and 8 images, the optimizer's batch staying the same; "
        "and on MNIST with true batches of those sizes, less the change of a net without norm. Every size at its own best rate; "
        "with running and with recalibrated statistics."
    ),
    kind="superiority",
    cases=(
        *shared_cases(shared(WHOLE["cpu"]), shared(), T("whole batch − so many"), SMALL, "cpu"),
        *shared_cases(shared(WHOLE["quick"]), shared(), T("whole batch − so many"), ("2", "8"), "quick"),
        *true_cases(SMALL, "cpu"),
        *true_cases(("4",), "quick"),
    ),
    moderators=(
        Moderator(BATCH_SIZE, "shared"),
        Moderator(BATCH_SIZE, "batch"),
        Moderator(T("the statistics that it is read with"), "statistics"),
        Moderator(T("data and net"), "setting"),
    ),
)

OTHERS_BATCH_FREE = Claim(
    id="others-batch-free",
    sources=("B table",),
    statement=T("Layer, group and instance norm do not depend on the size of the batch."),
    method=T(
        "A sample's output whatever stands beside it, and the gradient of a batch of 64 against that of 32 batches of 2 accumulated, in "
        "float64: equal to within rounding. Batch norm's differences stand beside. No training."
    ),
    kind="exact",
    check=others_are_batch_free,
)

SIXTEEN_IS_ENOUGH = Claim(
    id="sixteen-is-enough",
    sources=("B practice 4",),
    statement=T("A batch of 16 or more is enough."),
    method=T("Test accuracy with statistics over 16 images minus over the whole batch: not inferior."),
    kind="noninferiority",
    cases=(
        Case(
            T("shared statistics, running"),
            (Contrast(T("16 − whole batch"), "test_accuracy", shared("16"), shared("128")),),
            scales=("cpu", "gpu"),
        ),
    ),
    moderators=(Moderator(T("data and net"), "setting"),),
)

BIGGER_BATCH_REMEDY = Claim(
    id="bigger-batch-remedy",
    sources=("A §5.1",),
    statement=T("The remedy for small batches is a bigger batch."),
    method=T(
        "Test accuracy with statistics over the whole batch minus over 2 images, the optimizer's batch staying the same. And it is "
        "the statistics' batch that matters: on MNIST a larger optimizer's batch, 64 for 2 at statistics over 2 images, gains less than "
        "half of what statistics over 64 for 2 images gain at an optimizer's batch of 64."
    ),
    kind="superiority",
    cases=(
        Case(
            T("statistics batch"),
            (Contrast(T("whole batch − 2"), "test_accuracy", shared("128"), shared("2")),),
            scales=("cpu", "gpu"),
        ),
        Case(
            T("optimizer's batch"),
            (
                Contrast(
                    T("half of the statistics' gain − the optimizer's gain"),
                    "test_accuracy",
                    Arm("paired", {"shared": "64", "level": "best"}),
                    Arm("paired", {"shared": "2", "level": "best"}),
                    less=(Arm("paired", {"shared": "2", "level": "best"}), true("batch", "2")),
                    weight=0.5,
                ),
            ),
            scales=("cpu",),
        ),
    ),
)


def gap(arms: tuple[Arm, Arm], by: tuple[Arm, Arm], name: str) -> Contrast:
    """How much smaller the gap between whole and small statistics batches is in ``by`` than in ``arms``."""
    return Contrast(T(name), "test_accuracy", *arms, less=by)


def augmented(small: str, whole: str) -> tuple[Arm, Arm]:
    return Arm("augmented", {"arm": whole, "level": "best"}), Arm("augmented", {"arm": small, "level": "best"})


RECIPES_GAP = (shared("128"), shared("2"))

AUGMENTATION_REMEDY = Claim(
    id="augmentation-remedy",
    sources=("A §5.1",),
    statement=T("Augmentation makes the batch effectively larger and so helps where it is small."),
    method=T(
        "The gap in test accuracy between statistics over the whole batch and over 2 images, at equal steps: without augmentation less "
        "with the recipe's flips and shifts; and with these less with four augmented copies of each image inside the statistics' batch. "
        "Both must shrink it."
    ),
    kind="superiority",
    cases=(
        Case(
            T("flips and shifts"),
            (gap(augmented("2 images, plain", "128 images, plain"), RECIPES_GAP, "gap closed by augmentation"),),
            scales=("cpu",),
        ),
        Case(
            T("copies of an image"),
            (gap(RECIPES_GAP, augmented("2 images × 4 copies", "32 images × 4 copies"), "gap closed by four copies"),),
            by=("setting",),
            among={"setting": ("cifar10",)},
            scales=("cpu",),
        ),
    ),
)

STATISTICS_NOISE = Claim(
    id="statistics-noise",
    sources=("A §5.1", "B challenges 1"),
    statement=T("Small batches give unreliable statistics: their error falls with the square root of the batch size."),
    method=T(
        "At trained weights, the standard error of the batch's mean and of its variance over batches of 2 to 64 images; the exponent of "
        "the batch size in a power law, for both equivalent to −0.5 within ±0.1."
    ),
    kind="equivalence",
    unit="number",
    delta=0.1,
    cases=(
        Case(
            T("trained nets"),
            tuple(
                Contrast(
                    T(f"exponent for the {what}, plus 0.5"),
                    f"statistics_noise.{what}_slope",
                    Arm("weights", {"level": "best"}),
                    reference=-0.5,
                )
                for what in ("mean", "variance")
            ),
        ),
    ),
)

GRADIENT_NOISE = Claim(
    id="gradient-noise",
    sources=("B challenges 7",),
    statement=T("The randomness of batch statistics adds noise to gradients."),
    method=T(
        "At trained weights, what share of the variance of a sample's gradient comes from the other samples of its batch, in batches of 4, "
        "16 and 64: above 0, by at least 0.1."
    ),
    kind="superiority",
    unit="number",
    delta=0.1,
    cases=tuple(
        Case(
            same(f"B = {size}"),
            (
                Contrast(
                    T("share of the variance from batch companions"),
                    f"gradient_companions.share_{size}",
                    Arm("weights", {"level": "best"}),
                ),
            ),
            at={"size": size},
        )
        for size in (4, 16, 64)
    ),
    moderators=(Moderator(BATCH_SIZE, "size"), Moderator(T("data and net"), "setting")),
)

NOISE_HINDERS = Claim(
    id="noise-hinders-convergence",
    sources=("B challenges 7",),
    statement=T("The noise of batch statistics can hinder convergence."),
    method=T(
        "Training loss at the end, after equal steps, measured with recalibrated statistics: trained with statistics over 2, 4 and 8 "
        "images over trained with the whole batch's, each at its best rate; 0.01 is added to losses."
    ),
    kind="superiority",
    unit="ratio",
    delta=RATIO_10_PERCENT,
    quantifier="some",
    cases=(
        Case(
            T("shared statistics, recalibrated"),
            (
                Contrast(
                    T("training loss, so many over whole batch"),
                    "train_loss_recalibrated",
                    shared(),
                    shared("128"),
                    log=True,
                    offset=0.01,
                ),
            ),
            by=("setting", "shared"),
            among={"shared": SMALL},
            scales=("cpu", "gpu"),
        ),
    ),
    moderators=(Moderator(BATCH_SIZE, "shared"), Moderator(T("data and net"), "setting")),
)


def remedy(grid: str, statement: str, title: str) -> Claim:
    """That statistics over several batches are better than batch norm's at true batches of the same size."""
    return Claim(
        id=f"{grid.replace('_', '-')}-remedy",
        sources=("B advanced 5",),
        statement=T(statement),
        method=T(
            "Test accuracy on MNIST at true batches of 2, 4 and 8 minus batch norm's, each at its best rate, after one epoch of plain "
            "batch norm as in the method's paper; with running and with recalibrated statistics."
        ),
        kind="superiority",
        cases=tuple(
            Case(
                T(f"true batches, {reading}"),
                (Contrast(T(f"{title} − batch norm"), measure, Arm(grid, {"level": "best"}), true("batch")),),
                by=("setting", "batch"),
                at={"statistics": reading},
                scales=("cpu",),
            )
            for reading, measure in READ_WITH.items()
        ),
        moderators=(
            Moderator(BATCH_SIZE, "batch"),
            Moderator(T("the statistics that it is read with"), "statistics"),
        ),
    )


RENORM_REMEDY = remedy("renorm", "Batch renorm reduces the dependence on the batch size.", "batch renorm")
CROSS_ITERATION_REMEDY = remedy(
    "cross_iteration", "Statistics over several batches reduce the dependence on the batch size.", "cross-iteration BN"
)

SYNC_REMEDY = Claim(
    id="sync-remedy",
    sources=("B advanced 1",),
    statement=T(
        "Synchronizing statistics between workers with few samples each keeps training as good as with large batches."
    ),
    method=T(
        "Test accuracy with statistics over 16 images (four synchronized workers of 4) and over the whole batch, each minus over 4 (the "
        "same workers unsynchronized), the optimizer's batch staying the same."
    ),
    kind="superiority",
    cases=(
        Case(
            T("shared statistics, running"),
            (
                Contrast(same("16 − 4"), "test_accuracy", shared("16"), shared("4")),
                Contrast(T("whole batch − 4"), "test_accuracy", shared("128"), shared("4")),
            ),
            scales=("cpu", "gpu"),
        ),
    ),
    moderators=(Moderator(T("data and net"), "setting"),),
)

CLAIMS = (
    SMALL_BATCH_HURTS,
    OTHERS_BATCH_FREE,
    SIXTEEN_IS_ENOUGH,
    BIGGER_BATCH_REMEDY,
    AUGMENTATION_REMEDY,
    STATISTICS_NOISE,
    GRADIENT_NOISE,
    NOISE_HINDERS,
    RENORM_REMEDY,
    CROSS_ITERATION_REMEDY,
    SYNC_REMEDY,
)
