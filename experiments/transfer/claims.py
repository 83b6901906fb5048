"""Does batch norm help on new data? Two claims on fine-tuning and on stored statistics in it."""

from experiments.wording import translated
from normlab.core.claim import Arm, Case, Claim, Contrast
from normlab.report.style import method_title

T = translated(__file__)

BY_IMAGES = ("setting", "images")
A_CLASS = T("per class")


def gains_more(than: str) -> Case:
    """What pre-training gains with batch norm, less what it gains with another norm."""

    def arm(grid: str, norm: str) -> Arm:
        return Arm(grid, {"norm": norm, "level": "best"})

    title = method_title(than)
    part = Contrast(
        T(f"gain with batch norm − gain with {title}"),
        "test_accuracy",
        arm("finetuned", "batch"),
        arm("scratch", "batch"),
        less=(arm("finetuned", than), arm("scratch", than)),
    )
    return Case(A_CLASS, (part,), by=BY_IMAGES)


def better_than_frozen(statistics: str, en: str) -> Contrast:
    return Contrast(
        T(f"{en} − frozen"),
        "test_accuracy",
        Arm("statistics", {"statistics": statistics, "level": "best"}),
        Arm("statistics", {"statistics": "frozen", "level": "best"}),
    )


CLAIMS = (
    Claim(
        id="quick-adaptation",
        sources=("A §4.5",),
        statement=T("Nets with batch norm adapt fast to new data, also to little of it."),
        method=T(
            "Test accuracy after a short fine-tuning minus after the same training from scratch, with batch norm, less the same without "
            "norm, at several numbers of images a class; every arm at its best rate. (Group norm is shown besides.)"
        ),
        kind="superiority",
        cases=(gains_more("none"),),
        shown_besides=(
            gains_more("group"),
            Case(
                T("fine-tuned"),
                tuple(
                    Contrast(
                        T(f"batch norm − {method_title(norm)}"),
                        "test_accuracy",
                        Arm("finetuned", {"norm": "batch", "level": "best"}),
                        Arm("finetuned", {"norm": norm, "level": "best"}),
                    )
                    for norm in ("none", "group")
                ),
                by=BY_IMAGES,
            ),
        ),
    ),
    Claim(
        id="stale-when-finetuning",
        sources=("B challenges 10",),
        statement=T("In fine-tuning, the statistics of pre-training fit the new data badly."),
        method=T(
            "Test accuracy after fine-tuning with the stored statistics frozen, against updating them as ever, and against retaking them "
            "once from the new training images before freezing them; both must be better than frozen."
        ),
        kind="superiority",
        cases=(
            Case(
                A_CLASS,
                (
                    better_than_frozen("updated", "updated"),
                    better_than_frozen("retaken", "retaken"),
                ),
                by=BY_IMAGES,
            ),
        ),
    ),
)
