"""How much do initial weights matter? Four claims on the choice of weights, of γ and of β."""

from experiments.wording import ON_EACH_DATA_SET, same, translated
from normlab.core.claim import Arm, Case, Claim, Contrast, Moderator

T = translated(__file__)

FIVE_POINTS = 0.05
SIX = ("kaiming", "xavier", "orthogonal", "normal 0.01", "kaiming ×0.1", "kaiming ×10")
NINE = (*SIX, "uniform ±0.1", "kaiming ×0.01", "kaiming ×3")
USUAL = "γ = 1, β = 0"
FEW = ("γ = 0.1, β = 0", "γ = 0.5, β = 0", "γ = 2, β = 0", "γ = 0.5, β = 1")
MANY = tuple(f"γ = {weight}, β = {bias}" for weight in ("0", "0.1", "0.5", "2") for bias in ("−1", "0", "1"))
DATA = Moderator(T("data and net"), "setting")


def at_extremes(grid: str, scales: tuple[str, ...]) -> Case:
    """What the worst start costs without norm, less what it costs with batch norm."""
    best, worst = (
        {norm: Arm(grid, {"norm": norm, "level": level}) for norm in ("none", "batch")} for level in ("best", "worst")
    )
    loss = Contrast(
        T("loss of none − loss of batch norm"),
        "test_accuracy",
        best["none"],
        worst["none"],
        less=(best["batch"], worst["batch"]),
    )
    return Case(ON_EACH_DATA_SET, (loss,), scales=scales)


def failing(grid: str, scales: tuple[str, ...]) -> Case:
    none, batch = (Arm(grid, {"norm": norm, "level": "standard"}) for norm in ("none", "batch"))
    share = Contrast(
        T("failed share, none − batch norm"), "share_below@{linear}", none, batch, over="init", test="sign_flip"
    )
    return Case(ON_EACH_DATA_SET, (share,), scales=scales)


def starts(grid: str, axis: str, usual: str, others: tuple[str, ...], scales: tuple[str, ...], plus_usual: bool) -> Case:
    """The usual start against every other, or every other against the usual one."""

    def arm(start: str) -> Arm:
        return Arm(grid, {axis: start, "level": "best"})

    pairs = [(usual, other) if plus_usual else (other, usual) for other in others if other != usual]
    parts = tuple(Contrast(same(f"{plus} − {minus}"), "test_accuracy", arm(plus), arm(minus)) for plus, minus in pairs)
    return Case(ON_EACH_DATA_SET, parts, scales=scales)


CLAIMS = (
    Claim(
        id="init-insensitive",
        sources=("A §3.4", "A §4.2", "B benefits 2"),
        statement=T("With batch norm the choice of initial weights matters less."),
        method=T(
            "Test accuracy lost from the best to the worst start (nine on MNIST, six on CIFAR-10), each at its best rate and both named on "
            "tuning seeds: the loss without norm minus the loss with batch norm."
        ),
        kind="superiority",
        cases=(at_extremes("inits", ("quick", "cpu")), at_extremes("inits_six", ("cpu",))),
        moderators=(DATA,),
    ),
    Claim(
        id="fewer-failed-trainings",
        sources=("B benefits 2",),
        statement=T("With batch norm fewer trainings fail because of their initial weights."),
        method=T(
            "The share of starts (nine on MNIST, six on CIFAR-10) from which a net ends no better than a linear model, each arm at the rate "
            "that is best for it from He et al.'s weights: none minus batch norm, exact test of sign flips."
        ),
        kind="superiority",
        delta=FIVE_POINTS,
        cases=(failing("failures", ("quick", "cpu")), failing("failures_six", ("cpu",))),
        moderators=(DATA,),
    ),
    Claim(
        id="init-free-choice",
        sources=("A §3.4",),
        statement=T("With batch norm initial weights may be chosen freely."),
        method=T(
            "Test accuracy with batch norm from every other start (eight on MNIST, five on CIFAR-10) minus from He et al.'s weights, each at "
            "its best rate: none is lower by 5 points."
        ),
        kind="noninferiority",
        delta=FIVE_POINTS,
        cases=(
            starts("free", "init", "kaiming", NINE, ("quick", "cpu"), plus_usual=False),
            starts("free_six", "init", "kaiming", SIX, ("cpu",), plus_usual=False),
        ),
        moderators=(DATA,),
    ),
    Claim(
        id="gamma-beta-init",
        sources=("B practice 5",),
        statement=T("γ = 1 and β = 0 are the right start."),
        method=T(
            "Test accuracy from γ = 1, β = 0 minus from every other start (γ in 0, 0.1, 0.5, 2 and β in −1, 0, 1 on MNIST, four of these on "
            "CIFAR-10), and in residual nets minus from γ = 0 in each branch's last norm, each at its best rate: inferior to none."
        ),
        kind="noninferiority",
        cases=(
            starts("affine", "start", USUAL, MANY, ("cpu",), plus_usual=True),
            starts("affine_few", "start", USUAL, FEW, ("quick", "cpu"), plus_usual=True),
            Case(
                T("residual nets"),
                (
                    Contrast(
                        T("γ = 1 − γ = 0 in the last norm of a branch"),
                        "test_accuracy",
                        Arm("residual", {"branch": "γ = 1", "level": "best"}),
                        Arm("residual", {"branch": "γ = 0", "level": "best"}),
                    ),
                ),
                at={"net": "residual"},
                scales=("cpu",),
            ),
        ),
        moderators=(DATA,),
    ),
)
