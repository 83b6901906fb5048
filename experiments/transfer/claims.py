"""Does batch norm help on new data? Two claims on fine-tuning and on stored statistics in it."""

from experiments.wording import translated
from normlab.core.claim import Arm, Case, Claim, Contrast, Moderator
from normlab.report.style import method_title

T = translated(__file__)

BY_IMAGES = ("setting", "images_a_class")
A_CLASS = T("per class")
MODERATORS = (Moderator(T("images a class"), "images_a_class"), Moderator(T("data and net"), "setting"))
AREA = "mean_validation_accuracy"


def arm(grid: str, norm: str) -> Arm:
    return Arm(grid, {"norm": norm, "level": "best"})


def adapts_faster(than: str) -> Contrast:
    """The area under the curve of batch norm's accuracy while it is fine-tuned, minus another's."""
    return Contrast(T(f"batch norm − {method_title(than)}"), AREA, arm("finetuned", "batch"), arm("finetuned", than))


def gains_more(than: str) -> Contrast:
    """What pre-training gains with batch norm, less what it gains with another norm."""
    return Contrast(
        T(f"gain with batch norm − gain with {method_title(than)}"),
        AREA,
        arm("finetuned", "batch"),
        arm("scratch", "batch"),
        less=(arm("finetuned", than), arm("scratch", than)),
    )


def better_than_frozen(statistics: str) -> Contrast:
    return Contrast(
        T(f"{statistics} − frozen"),
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
            "The mean accuracy on validation images over a short fine-tuning (the area under its course), batch norm minus none, with "
            "10, 100 and 1,000 images a class, each arm at its best rate. Beside it: against group norm, and what pre-training gains "
            "over the same training from scratch."
        ),
        kind="superiority",
        cases=(Case(A_CLASS, (adapts_faster("none"),), by=BY_IMAGES),),
        moderators=MODERATORS,
        shown_besides=(
            Case(T("against group norm"), (adapts_faster("group"),), by=BY_IMAGES),
            Case(T("gain over training from scratch"), (gains_more("none"), gains_more("group")), by=BY_IMAGES),
        ),
    ),
    Claim(
        id="stale-when-finetuning",
        sources=("B challenges 10",),
        statement=T("In fine-tuning, the statistics of pre-training fit the new data badly."),
        method=T(
            "Test accuracy after fine-tuning to images whose contrast and brightness are others, with the stored statistics frozen, "
            "against updating them as ever, and against retaking them once from the new training images before freezing them; both "
            "must be better than frozen."
        ),
        kind="superiority",
        quantifier="some",
        cases=(Case(A_CLASS, (better_than_frozen("updated"), better_than_frozen("retaken")), by=BY_IMAGES),),
        moderators=MODERATORS,
    ),
)
