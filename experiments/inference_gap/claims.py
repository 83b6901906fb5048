"""What do running statistics cost in inference? Three claims on the gap to batch statistics, its repair and how to see it."""

from dataclasses import replace

from experiments.wording import translated
from normlab.core.claim import Arm, Case, Claim, Contrast, Moderator, Text

T = translated(__file__)

DECAYS = (0.9, 0.99, 0.999)
SCHEDULES = {"sizes": "annealed", "constant": "constant rate"}  # of the grids of statistics batches
SHAPES = {"long": "annealed", "short": "annealed, short", "constant": "constant rate"}  # of the trainings read by decay
MODERATORS = (
    Moderator(T("schedule"), "schedule"),
    Moderator(T("images that share statistics"), "shared"),
    Moderator(T("decay"), "decay"),
    Moderator(T("data and net"), "setting"),
)


def cases(name: str, plus: str) -> tuple[Case, ...]:
    """Accuracy with other statistics minus with running averages: by statistics batch and schedule, and by decay and training."""

    def part(title: Text, runs: Arm, running: str) -> tuple[Contrast, ...]:
        return (
            Contrast(
                title, "test_accuracy", replace(runs, measure=f"test_accuracy_{plus}"), replace(runs, measure=running)
            ),
        )

    by_size = tuple(
        Case(
            T(f"statistics batch, {schedule}"),
            part(T(f"{name} − running"), Arm(grid, {"level": "best"}), "test_accuracy"),
            by=("setting", "shared"),
            at={"schedule": schedule},
        )
        for grid, schedule in SCHEDULES.items()
    )
    by_decay = tuple(
        Case(
            T(f"decay {decay:g}, {schedule}"),
            part(T(f"{name} − running"), Arm("decays", {"training": training}), f"test_accuracy_decay_{decay:g}"),
            at={"schedule": schedule, "decay": f"{decay:g}"},
        )
        for training, schedule in SHAPES.items()
        for decay in DECAYS
    )
    return by_size + by_decay


def foretold() -> tuple[Case, ...]:
    """The gap on validation images minus the gap on test images."""
    return tuple(
        Case(
            T(f"statistics batch, {schedule}"),
            (
                Contrast(
                    T("gap on validation − gap on test images"),
                    "test_accuracy",
                    Arm(grid, {"level": "best"}, measure="validation_accuracy_batch"),
                    Arm(grid, {"level": "best"}, measure="validation_accuracy"),
                    less=(
                        Arm(grid, {"level": "best"}, measure="test_accuracy_batch"),
                        Arm(grid, {"level": "best"}, measure="test_accuracy"),
                    ),
                ),
            ),
            by=("setting", "shared"),
            at={"schedule": schedule},
        )
        for grid, schedule in SCHEDULES.items()
    )


TRAIN_TEST_MISMATCH = Claim(
    id="train-test-mismatch",
    sources=("B challenges 2",),
    statement=T(
        "That batch norm uses the batch's statistics in training and running ones in inference costs accuracy."
    ),
    method=T(
        "Test accuracy of the same nets with each batch's own statistics (batches as in training) minus with running averages: by the "
        "images that share statistics, annealed and at a constant rate; and "
        "at batches of 32 by decay, in long, short and constant training."
    ),
    kind="superiority",
    quantifier="some",
    cases=cases("batch statistics", "batch"),
    moderators=MODERATORS,
)

VALIDATION_DETECTS = Claim(
    id="validation-detects",
    sources=("B practice 8",),
    statement=T("Watching the validation set shows how much running statistics cost."),
    method=T(
        "The gap between batch and running statistics in accuracy on validation images minus the same gap on test images: equivalent."
    ),
    kind="equivalence",
    cases=foretold(),
    moderators=(MODERATORS[0], MODERATORS[1], MODERATORS[3]),
)

RECALIBRATION_HELPS = Claim(
    id="recalibration-helps",
    sources=("B practice 8",),
    statement=T("Recalibrating the statistics after training repairs it."),
    method=T(
        "Test accuracy of the same nets with statistics recomputed over training images at the final weights, minus with running "
        "averages, in the same settings."
    ),
    kind="superiority",
    cases=cases("recalibrated", "recalibrated"),
    moderators=MODERATORS,
)

CLAIMS = (TRAIN_TEST_MISMATCH, VALIDATION_DETECTS, RECALIBRATION_HELPS)
