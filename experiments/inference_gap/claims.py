"""What do running statistics cost in inference? Two claims on the gap to batch statistics and on its repair."""

from experiments.wording import translated
from normlab.core.claim import Arm, Case, Claim, Contrast

T = translated(__file__)

DECAYS = (0.9, 0.99, 0.999)
RATES = {"constant": T("constant rate"), "annealed": T("annealed rate")}


def against_running(statistics: str, en: str) -> tuple[Case, ...]:
    """Accuracy with other statistics minus with running averages: by batch size and rate, and by length and decay."""

    def part(grid: str, decay: float) -> tuple[Contrast, ...]:
        name = T(f"{en} − running, decay {decay:g}")
        measure = f"test_accuracy_{statistics}"
        return (Contrast(name, measure, Arm(grid), Arm(grid, measure=f"test_accuracy_decay_{decay:g}")),)

    sizes = tuple(Case(title, part(grid, 0.9), by=("setting", "data.batch_size")) for grid, title in RATES.items())
    lengths = tuple(Case(T(f"decay {decay:g}"), part("lengths", decay), by=("setting", "length")) for decay in DECAYS)
    return sizes + lengths


CLAIMS = (
    Claim(
        id="train-test-mismatch",
        sources=("B challenges 2",),
        statement=T(
            "That batch norm uses the batch's statistics in training and running ones in inference costs accuracy."
        ),
        method=T(
            "Test accuracy of the same nets with each batch's own statistics (batches as in training) minus with running averages: by "
            "batch size, at a constant and an annealed rate; and by decay, for short and long training."
        ),
        kind="superiority",
        cases=against_running("batch", "batch statistics"),
    ),
    Claim(
        id="recalibration-helps",
        sources=("B practice 8",),
        statement=T("Recalibrating the statistics after training repairs it."),
        method=T(
            "Test accuracy of the same nets with statistics recomputed over training images at the final weights, minus with running "
            "averages, in the same settings."
        ),
        kind="superiority",
        cases=against_running("recalibrated", "recalibrated"),
    ),
)
