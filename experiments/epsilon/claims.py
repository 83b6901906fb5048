"""How large should ε be? Six claims."""

from typing import Literal

import torch

from experiments.wording import ON_EACH_DATA_SET, same, translated
from normlab.core.claim import Arm, Case, Claim, Contrast, Extreme, Finding, Moderator
from normlab.norms.exact import constant_features

T = translated(__file__)

SAFE = (1e-5, 1e-4, 1e-3)
USUAL = (1e-8, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
DATA = Moderator(T("data and net"), "setting")


def epsilon(value: float) -> Arm:
    return Arm("epsilons", {"norm.eps": value, "level": "best"})


def usual(take: Literal["best", "worst"]) -> Arm:
    return Arm("usual_epsilons", {"level": "best"}, extreme=Extreme("norm.eps", take))


def against_others(value: float) -> tuple[Contrast, ...]:
    """An ε against every other of the usual range."""
    return tuple(
        Contrast(same(f"{value:g} − {other:g}"), "test_accuracy", epsilon(value), epsilon(other))
        for other in USUAL
        if other != value
    )


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


def epsilon_precision() -> Finding:
    """An ε that float32 and bfloat16 can add is rounded to zero in float16."""
    shares = {
        f"share of finite outputs, {str(dtype).removeprefix('torch.')}, ε = {eps:g}": constant_features(eps, dtype)[
            "share_finite"
        ]
        for dtype in (torch.float16, torch.bfloat16, torch.float32)
        for eps in (1e-8, 1e-5)
    }
    return Finding(list(shares.values()) == [0.0, 1.0, 1.0, 1.0, 1.0, 1.0], shares)


CLAIMS = (
    Claim(
        id="epsilon-sensitive",
        sources=("B challenges 5",),
        statement=T("Performance depends much on ε."),
        method=T(
            "Test accuracy of the best minus the worst ε from 1e-8 to 1e-1, each at its best rate; which is best and which is worst is"
            " named on other seeds."
        ),
        kind="superiority",
        quantifier="some",
        cases=(
            Case(
                ON_EACH_DATA_SET,
                (Contrast(T("best − worst ε"), "test_accuracy", usual("best"), usual("worst")),),
            ),
        ),
        moderators=(DATA,),
    ),
    Claim(
        id="epsilon-safe-range",
        sources=("B components 4", "B practice 3"),
        statement=T("ε between 1e-5 and 1e-3 is safe."),
        method=T(
            "Test accuracy with ε = 1e-5, 1e-4 and 1e-3, each minus every other ε from 1e-8 to 1e-1, each at its best rate: inferior "
            "to none."
        ),
        kind="noninferiority",
        cases=tuple(
            Case(same(f"ε = {value:g}"), against_others(value), at={"epsilon": value}, scales=("cpu",))
            for value in SAFE
        ),
        moderators=(Moderator(same("ε"), "epsilon"), DATA),
    ),
    Claim(
        id="epsilon-too-large",
        sources=("B practice 3",),
        statement=T("A larger ε smooths too much."),
        method=T(
            "Test accuracy with ε = 1e-3 minus with 1e-1 and minus with 1, each at its best rate; both must be positive."
        ),
        kind="superiority",
        cases=(
            Case(
                ON_EACH_DATA_SET,
                tuple(
                    Contrast(same(f"1e-3 − {value:g}"), "test_accuracy", epsilon(1e-3), epsilon(value))
                    for value in (1e-1, 1.0)
                ),
                scales=("cpu",),
            ),
        ),
        moderators=(DATA,),
    ),
    Claim(
        id="epsilon-scale",
        sources=("B practice 3",),
        statement=T("The right ε depends on the scale of activations."),
        method=T(
            "What ε = 1e-3 loses against 1e-5 in test accuracy, each at its best rate, with inputs to norms that are 0.01 times as "
            "large (which is ε times 10,000) minus the same at their own scale."
        ),
        kind="superiority",
        cases=(
            Case(
                ON_EACH_DATA_SET,
                (
                    Contrast(
                        T("loss from ε = 1e-3 at scale 0.01, less at scale 1"),
                        "test_accuracy",
                        epsilon(1e-1),
                        epsilon(10.0),
                        less=(epsilon(1e-5), epsilon(1e-3)),
                    ),
                ),
            ),
        ),
        moderators=(DATA,),
    ),
    Claim(
        id="epsilon-precision",
        sources=("B practice 3",),
        statement=T("The right ε depends on the precision of numbers."),
        method=T(
            "Batch norm of features that are constant over the batch, computed wholly in float16: no output is finite with ε = 1e-8, "
            "which float16 rounds to zero, and all are with ε = 1e-5; in bfloat16 and in float32, whose exponents reach further, all "
            "are with either. (Norms of nets in mixed precision compute in float32.)"
        ),
        kind="exact",
        check=epsilon_precision,
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
