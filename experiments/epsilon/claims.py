"""How large should ε be? Four claims, the first edition's."""

from experiments.wording import ON_EACH_DATA_SET, same, translated
from normlab.core.claim import Arm, Case, Claim, Contrast, Finding
from normlab.norms.exact import constant_features

T = translated(__file__)


def epsilon(value: float) -> Arm:
    return Arm("epsilons", {"norm.eps": value, "level": "best"})


def epsilon_guards() -> Finding:
    """Constant features stay finite with ε and do not without."""
    with_eps, without = constant_features(1e-5), constant_features(0.0)
    holds = with_eps["share_finite"] == 1.0 and without["share_finite"] == 0.0
    return Finding(
        holds,
        {
            "share of finite outputs, ε = 1e-5": with_eps["share_finite"],
            "largest output, ε = 1e-5": with_eps["largest"],
            "share of finite outputs, ε = 0": without["share_finite"],
        },
    )


CLAIMS = (
    Claim(
        id="epsilon-sensitive",
        sources=("B challenges 5",),
        statement=T("Performance depends much on ε."),
        method=T(
            "Test accuracy of the best minus the worst ε from 1e-8 to 1e-1, each at its best rate, both named on tuning seeds."
        ),
        kind="superiority",
        cases=(
            Case(
                ON_EACH_DATA_SET,
                (
                    Contrast(
                        T("best − worst ε"),
                        "test_accuracy",
                        Arm("epsilon_extremes", {"level": "best"}),
                        Arm("epsilon_extremes", {"level": "worst"}),
                    ),
                ),
            ),
        ),
    ),
    Claim(
        id="epsilon-safe-range",
        sources=("B components 4", "B practice 3"),
        statement=T("ε between 1e-5 and 1e-3 is safe."),
        method=T(
            "Test accuracy with ε = 1e-5, 1e-4 and 1e-3, each minus the ε that is best on tuning seeds: none inferior."
        ),
        kind="noninferiority",
        cases=(
            Case(
                ON_EACH_DATA_SET,
                tuple(
                    Contrast(
                        T(f"{value:g} − best"),
                        "test_accuracy",
                        epsilon(value),
                        Arm("epsilon_extremes", {"level": "best"}),
                    )
                    for value in (1e-5, 1e-4, 1e-3)
                ),
            ),
        ),
    ),
    Claim(
        id="epsilon-too-large",
        sources=("B practice 3",),
        statement=T("A larger ε smooths too much."),
        method=T("Test accuracy with ε = 1e-3 minus with 1e-1, and minus with 1; both must be positive."),
        kind="superiority",
        cases=(
            Case(
                ON_EACH_DATA_SET,
                tuple(
                    Contrast(same(f"1e-3 − {value:g}"), "test_accuracy", epsilon(1e-3), epsilon(value))
                    for value in (1e-1, 1.0)
                ),
            ),
        ),
    ),
    Claim(
        id="epsilon-guards",
        sources=("B components 4",),
        statement=T("ε prevents division by zero."),
        method=T(
            "Batch norm of features that are constant over the batch: all outputs are finite with ε = 1e-5, none with ε = 0."
        ),
        kind="exact",
        check=epsilon_guards,
    ),
)
