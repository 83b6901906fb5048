"""Which norm for detection and segmentation? Three claims on small scenes."""

from experiments.wording import translated
from normlab.core.claim import Arm, Case, Claim, Contrast, Moderator

T = translated(__file__)

BATCH = Moderator(T("images a batch"), "batch")
BY_BATCH = ("setting", "batch")


def arm(grid: str, norm: str, **axes: str) -> Arm:
    return Arm(grid, {"norm": norm, "level": "best", **axes})


def better(grid: str, measure: str, plus: str, minus: str, name: str, **axes: str) -> Contrast:
    return Contrast(T(name), measure, arm(grid, plus, **axes), arm(grid, minus, **axes))


DETECTION_BN = Claim(
    id="detection-bn",
    sources=("B uses 1", "B uses 6"),
    statement=T("Batch norm improves nets that detect objects."),
    method=T(
        "A small detector without anchors finds handwritten digits in cluttered scenes: average precision (COCO's, over overlaps of "
        "0.5 to 0.95) with batch norm minus none, in batches of 2 and of 16, each at its best rate."
    ),
    kind="superiority",
    cases=(
        Case(
            T("batches"),
            (better("found", "test_average_precision", "batch", "none", "batch − none"),),
            by=BY_BATCH,
            scales=("cpu",),
        ),
    ),
    moderators=(BATCH,),
)

DETECTION_GN = Claim(
    id="detection-gn-small-batch",
    sources=("B table",),
    statement=T("In detection with small batches group norm is the one to use."),
    method=T(
        "The same detector in batches of two scenes: average precision with group norm minus batch norm, each at its best rate."
    ),
    kind="superiority",
    cases=(
        Case(
            T("batches of 2"),
            (better("found", "test_average_precision", "group", "batch", "group − batch", batch="2"),),
            scales=("cpu",),
        ),
    ),
    shown_besides=(
        Case(
            T("batches of 16"),
            (better("found", "test_average_precision", "group", "batch", "group − batch", batch="16"),),
            scales=("cpu",),
        ),
    ),
)

SEGMENTATION_BN = Claim(
    id="segmentation-bn",
    sources=("B uses 1", "B uses 5"),
    statement=T("Batch norm improves nets that segment images."),
    method=T(
        "A small U-Net says which digit stands at every pixel of such scenes: mean intersection over union with batch norm minus none,"
        " in batches of 2 and of 16, each at its best rate."
    ),
    kind="superiority",
    cases=(
        Case(
            T("batches"),
            (better("outlined", "test_iou", "batch", "none", "batch − none"),),
            by=BY_BATCH,
            scales=("cpu",),
        ),
    ),
    moderators=(BATCH,),
)

CLAIMS = (DETECTION_BN, DETECTION_GN, SEGMENTATION_BN)
