"""How fast and how far do nets train? Six claims on speed, smoothness and reliability of training with batch norm."""

from experiments.wording import ON_EACH_DATA_SET, RATIO_10_PERCENT, same, translated
from normlab.core.claim import Arm, Case, Claim, Contrast

T = translated(__file__)


def after(epochs: int, plus: Arm, minus: Arm) -> Contrast:
    """Batch against none by validation accuracy after so many epochs."""
    name = T(f"after {epochs} epoch{'s' * (epochs > 1)}")
    return Contrast(name, f"validation_accuracy@{epochs}", plus, minus)


def at_best(norm: str, level: str = "best") -> Arm:
    return Arm("best_rates", {"norm": norm, "level": level})


def same_rate(norm: str) -> Arm:
    return Arm("same_rate", {"norm": norm, "level": "none's best"})


CLAIMS = (
    Claim(
        id="better-at-equal-epochs",
        sources=("A §1", "A §4.1", "B benefits 1"),
        statement=T("After the same number of epochs, a net with batch norm is more accurate than one without."),
        method=T(
            "Validation accuracy after 1, 2 and 5 epochs at a constant rate, batch minus none: once with both at the rate that "
            "is best for none, once with each at the rate that is best for it after that many epochs."
        ),
        kind="superiority",
        cases=(
            Case(
                T("same rate"),
                tuple(after(epochs, same_rate("batch"), same_rate("none")) for epochs in (1, 2, 5)),
            ),
            Case(
                T("each at its best rate"),
                tuple(
                    after(epochs, at_best("batch", level), at_best("none", level))
                    for epochs, level in ((1, "best@1"), (2, "best@2"), (5, "best@5"))
                ),
            ),
        ),
    ),
    Claim(
        id="wall-clock",
        sources=("A §3.2", "B benefits 1", "B benefits 8"),
        statement=T("Batch norm shortens the real time that training takes."),
        method=T(
            "Seconds until validation accuracy first reaches the target: steps to target, each arm at the rate that reaches it "
            "soonest, times seconds per step, measured alone, taking turns in one process, each arm in its faster layout."
        ),
        kind="superiority",
        unit="ratio",
        delta=RATIO_10_PERCENT,
        cases=(
            Case(
                ON_EACH_DATA_SET,
                (
                    Contrast(
                        T("time of none over time of batch"),
                        "seconds_to@{target}",
                        Arm("clock", {"norm": "none", "level": "fastest"}),
                        Arm("clock", {"norm": "batch", "level": "fastest"}),
                        log=True,
                    ),
                ),
            ),
        ),
    ),
    Claim(
        id="smoother-curves",
        sources=("A §3.1", "B benefits 6"),
        statement=T("With batch norm the loss falls more smoothly from step to step."),
        method=T(
            "Root mean square of the step-to-step change of the loss on one fixed batch, over the steps at which that loss lies "
            "in a band that both arms cross, both at the rate that is best for none: none over batch."
        ),
        kind="superiority",
        unit="ratio",
        delta=RATIO_10_PERCENT,
        cases=(
            Case(
                ON_EACH_DATA_SET,
                (
                    Contrast(
                        T("roughness of none over batch"),
                        "roughness@{low},{high}",
                        Arm("curves", {"norm": "none", "level": "none's best"}),
                        Arm("curves", {"norm": "batch", "level": "none's best"}),
                        log=True,
                    ),
                ),
            ),
        ),
    ),
    Claim(
        id="predictable-across-settings",
        sources=("B benefits 6",),
        statement=T("With batch norm the outcome varies less from one hyperparameter setting to another."),
        method=T(
            "Best minus worst test accuracy over a grid of rate × initialization × batch size, both named on tuning seeds: the "
            "range of none minus the range of batch."
        ),
        kind="superiority",
        cases=(
            Case(
                ON_EACH_DATA_SET,
                (
                    Contrast(
                        T("range of none minus range of batch"),
                        "test_accuracy",
                        Arm("hyperparameters", {"norm": "none", "level": "best"}),
                        Arm("hyperparameters", {"norm": "none", "level": "worst"}),
                        less=(
                            Arm("hyperparameters", {"norm": "batch", "level": "best"}),
                            Arm("hyperparameters", {"norm": "batch", "level": "worst"}),
                        ),
                    ),
                ),
            ),
        ),
    ),
    Claim(
        id="beats-alternatives",
        sources=("B table",),
        statement=T(
            "For convolutional nets at large batches, batch norm is better than layer, group and instance norm."
        ),
        method=T(
            "Test accuracy at batch size 128, every norm at its best rate: batch minus layer, minus group, minus instance; all "
            "three differences must hold."
        ),
        checked=T(
            "The formulas and gradients of all norms are tested, arms share initial weights and batches, and no best rate lies at "
            "the end of its grid. The plain CNN averages over positions at its end, which leaves little of maps that were "
            "normalized over those positions; other nets may differ."
        ),
        kind="superiority",
        cases=(
            Case(
                ON_EACH_DATA_SET,
                tuple(
                    Contrast(
                        same(f"batch − {other}"),
                        "test_accuracy",
                        Arm("large_batch", {"norm": "batch", "level": "best"}),
                        Arm("large_batch", {"norm": other, "level": "best"}),
                    )
                    for other in ("layer", "group", "instance")
                ),
            ),
        ),
    ),
    Claim(
        id="any-complexity",
        sources=("A §3 closing",),
        statement=T("Batch norm improves training whatever the complexity of the net."),
        method=T(
            "Test accuracy, batch minus none, each at its best rate, for three widths times three depths (convolutions a stage)."
        ),
        kind="superiority",
        cases=(
            Case(
                T("each net"),
                (
                    Contrast(
                        same("batch − none"),
                        "test_accuracy",
                        Arm("complexity", {"norm": "batch", "level": "best"}),
                        Arm("complexity", {"norm": "none", "level": "best"}),
                    ),
                ),
                by=("setting", "width", "net.depth"),
            ),
        ),
    ),
)
