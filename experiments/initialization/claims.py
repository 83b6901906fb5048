"""How much do initial weights matter? Four claims on the choice of weights, of γ and of β."""

from experiments.wording import ON_EACH_DATA_SET, same, translated
from normlab.core.claim import Arm, Case, Claim, Contrast

T = translated(__file__)

FIVE_POINTS = 0.05


def init(norm: str, level: str) -> Arm:
    return Arm("inits", {"norm": norm, "level": level})


CLAIMS = (
    Claim(
        id="init-insensitive",
        sources=("A §3.4", "A §4.2", "B benefits 2"),
        statement=T("With batch norm the choice of initial weights matters less."),
        method=T(
            "Test accuracy lost from the best to the worst of eight initializations, each at its best rate and both named on tuning "
            "seeds: the loss without norm minus the loss with batch norm."
        ),
        kind="superiority",
        cases=(
            Case(
                ON_EACH_DATA_SET,
                (
                    Contrast(
                        T("loss of none − loss of batch norm"),
                        "test_accuracy",
                        init("none", "best"),
                        init("none", "worst"),
                        less=(init("batch", "best"), init("batch", "worst")),
                    ),
                ),
            ),
        ),
    ),
    Claim(
        id="fewer-failed-trainings",
        sources=("B benefits 2",),
        statement=T("With batch norm fewer trainings fail because of their initial weights."),
        method=T(
            "The share of eight initializations from which training at one common rate fails (not finite, or its loss ends within 1 % "
            "of chance): none minus batch norm, 20 seeds, exact test of sign flips."
        ),
        kind="superiority",
        delta=FIVE_POINTS,
        cases=(
            Case(
                ON_EACH_DATA_SET,
                (
                    Contrast(
                        T("failed share, none − batch norm"),
                        "failed_share",
                        Arm("failures", {"norm": "none"}),
                        Arm("failures", {"norm": "batch"}),
                        over="init",
                        test="sign_flip",
                    ),
                ),
            ),
        ),
    ),
    Claim(
        id="init-free-choice",
        sources=("A §3.4",),
        statement=T("With batch norm initial weights may be chosen freely."),
        method=T(
            "Test accuracy with batch norm from the worst initialization minus from the best: not lower by 5 points."
        ),
        kind="noninferiority",
        delta=FIVE_POINTS,
        cases=(
            Case(
                ON_EACH_DATA_SET,
                (
                    Contrast(
                        T("worst − best initialization"),
                        "test_accuracy",
                        init("batch", "worst"),
                        init("batch", "best"),
                    ),
                ),
            ),
        ),
    ),
    Claim(
        id="gamma-beta-init",
        sources=("B practice 5",),
        statement=T("γ = 1 and β = 0 are the right start."),
        method=T(
            "Test accuracy from γ = 1, β = 0 minus from the best of γ in {0, 0.1, 1, 2} and β in {−1, 0, 1} (plain CNN), and minus from "
            "γ = 0 in each residual block's last norm (ResNet-8), each at its best rate: not inferior."
        ),
        kind="noninferiority",
        cases=(
            Case(
                T("plain CNN"),
                (
                    Contrast(
                        T("(1, 0) − the best start"),
                        "test_accuracy",
                        Arm("usual", {"level": "best"}),
                        Arm("affine", {"level": "best"}),
                    ),
                ),
            ),
            Case(
                same("ResNet-8"),
                (
                    Contrast(
                        T("γ = 1 − γ = 0 in the last norm of a block"),
                        "test_accuracy",
                        Arm("residual", {"net.zero_init_residual": False, "level": "best"}),
                        Arm("residual", {"net.zero_init_residual": True, "level": "best"}),
                    ),
                ),
            ),
        ),
        checked=T(
            "Where a difference is exactly 0, the tuning seeds named (1, 0) itself the best of the twelve starts, so that both arms are "
            "the same runs. In the residual net γ = 0 starts every block as the identity; trainings here are short."
        ),
    ),
)
