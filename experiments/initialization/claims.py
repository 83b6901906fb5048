"""How much do initial weights matter? Four claims on the choice of weights, of γ and of β."""

from experiments.wording import same, translated
from normlab.core.claim import Arm, Case, Claim, Contrast, Moderator

T = translated(__file__)

FIVE_POINTS = 0.05
ACCURACY = "test_accuracy_recalibrated"
AS_MEANT = ("kaiming", "xavier", "orthogonal")
FOUR = ("kaiming", "xavier", "normal 0.01", "kaiming ×10")
MORE = ("orthogonal", "uniform ±0.1", "kaiming ×0.01", "kaiming ×0.1", "kaiming ×3")
USUAL = "γ = 1, β = 0"
FEW_AFFINE = ("γ = 0.1, β = 0", "γ = 2, β = 0", "γ = 0.5, β = 1")
MORE_AFFINE = ("γ = 0, β = 1", "γ = 0.1, β = 1", "γ = 0.5, β = −1", "γ = 0.5, β = 0", "γ = 2, β = −1", "γ = 2, β = 1")
DATA = Moderator(T("data and net"), "setting")
SCALE = Moderator(T("scale of the start"), "scale")
USUAL_SCALE, FAR_OFF = "as meant", "far off, too"


def among_starts(
    grid: str, scale: str, measure: str, told: str, test: str = "t", scales: tuple[str, ...] = ("cpu",)
) -> Case:
    """A measure over the starts of a grid, of none minus of batch norm."""
    none, batch = (Arm(grid, {"norm": norm, "level": "best"}) for norm in ("none", "batch"))
    contrast = Contrast(T(told), measure, none, batch, over="init", test=test)
    return Case(T(NAMES[grid]), (contrast,), at={"scale": scale}, scales=scales)


NAMES = {"usual_starts": "two usual starts", "starts": "four starts", "all_starts": "nine starts"}
RANGE = ("accuracy_range_recalibrated", "range of accuracies, none − batch norm")
FAILED = ("share_below_recalibrated@{linear}", "failed share, none − batch norm")


def no_worse(start: str, than: tuple[str, ...], grid: str, scales: tuple[str, ...] = ("cpu",)) -> Case:
    """A start with batch norm against every other."""

    def arm(init: str) -> Arm:
        return Arm(grid, {"norm": "batch", "init": init, "level": "best"})

    parts = tuple(
        Contrast(same(f"{start} − {other}"), ACCURACY, arm(start), arm(other)) for other in than if other != start
    )
    return Case(same(start), parts, at={"scale": USUAL_SCALE if start in AS_MEANT else FAR_OFF}, scales=scales)


def usual_affine(grid: str, others: tuple[str, ...], scales: tuple[str, ...] = ("cpu",)) -> Case:
    """γ = 1, β = 0 against every other."""

    def arm(start: str) -> Arm:
        return Arm(grid, {"start": start, "level": "best"})

    parts = tuple(Contrast(same(f"{USUAL} − {other}"), ACCURACY, arm(USUAL), arm(other)) for other in others)
    return Case(T("chains of convolutions"), parts, at={"net": "plain"}, scales=scales)


CLAIMS = (
    Claim(
        id="init-insensitive",
        sources=("A §3.4", "A §4.2", "B benefits 2"),
        statement=T("With batch norm the choice of initial weights matters less."),
        method=T(
            "The range of test accuracies over the starts of the convolutions' weights (two usual ones; four, two of them far off; "
            "nine on MNIST), each at its best rate, seed by seed: without norm minus with batch norm. Noise widens both ranges, and the "
            "narrower one more, which speaks against the claim."
        ),
        kind="superiority",
        cases=(
            among_starts("usual_starts", USUAL_SCALE, *RANGE),
            among_starts("starts", FAR_OFF, *RANGE, scales=("quick", "cpu")),
            among_starts("all_starts", FAR_OFF, *RANGE),
        ),
        moderators=(SCALE, DATA),
    ),
    Claim(
        id="fewer-failed-trainings",
        sources=("B benefits 2",),
        statement=T("With batch norm fewer trainings fail because of their initial weights."),
        method=T(
            "The share of these starts (four; nine on MNIST) from which a net ends no better than a linear model, each at its best rate, "
            "which is harder on the claim than one rate for all: none minus batch norm, exact test of sign flips."
        ),
        kind="superiority",
        delta=FIVE_POINTS,
        cases=(
            among_starts("starts", FAR_OFF, *FAILED, test="sign_flip", scales=("quick", "cpu")),
            among_starts("all_starts", FAR_OFF, *FAILED, test="sign_flip"),
        ),
        moderators=(DATA,),
    ),
    Claim(
        id="init-free-choice",
        sources=("A §3.4",),
        statement=T("With batch norm initial weights may be chosen freely."),
        method=T(
            "Test accuracy with batch norm from each start of the convolutions' weights minus from each other one, each at its best rate: "
            "none is lower by 5 points."
        ),
        kind="noninferiority",
        delta=FIVE_POINTS,
        cases=(
            *(no_worse(start, FOUR, "starts", ("quick", "cpu")) for start in FOUR),
            *(no_worse(start, (*FOUR, *MORE), "all_starts") for start in MORE),
        ),
        moderators=(SCALE, DATA),
    ),
    Claim(
        id="gamma-beta-init",
        sources=("B practice 5",),
        statement=T("γ = 1 and β = 0 are the right start."),
        method=T(
            "Test accuracy from γ = 1, β = 0 minus from every other start of which any gradient is left (γ in 0, 0.1, 0.5, 2 and β in −1, "
            "0, 1 on MNIST, three of these on CIFAR-10), and in residual nets minus from γ = 0 in each branch's last norm, each at its "
            "best rate: inferior to none."
        ),
        kind="noninferiority",
        cases=(
            usual_affine("affine", FEW_AFFINE, ("quick", "cpu")),
            usual_affine("more_affine", MORE_AFFINE),
            Case(
                T("residual nets"),
                (
                    Contrast(
                        T("γ = 1 − γ = 0 in the last norm of a branch"),
                        ACCURACY,
                        Arm("residual", {"branch": "γ = 1", "level": "best"}),
                        Arm("residual", {"branch": "γ = 0", "level": "best"}),
                    ),
                ),
                at={"net": "residual"},
                scales=("cpu",),
            ),
        ),
        moderators=(DATA, Moderator(T("net"), "net")),
    ),
)
