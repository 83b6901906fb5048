"""How should running statistics follow the batches? Ten claims on the decay of running averages and on ε."""

from dataclasses import replace

from experiments.wording import ON_EACH_DATA_SET, RATIO_10_PERCENT, same, translated
from normlab.core.claim import Arm, Case, Claim, Contrast, Finding, Pick
from normlab.norms.exact import constant_features

T = translated(__file__)

DECAYS = (0.0, 0.5, 0.9, 0.99, 0.999, 0.9999)
RECOMMENDED = (0.9, 0.99, 0.999)
ACCURACY = "{part}_accuracy_decay_{value}"
GAP = "{part}_gap_decay_{value}"
EACH_LENGTH = T("short and long training")
BY_LENGTH = ("setting", "length")


def reading(grid: str, decay: float, what: str = "test_accuracy") -> Arm:
    """The runs of a grid as read with one decay."""
    return Arm(grid, measure=f"{what}_decay_{decay:g}")


def learned_against_fixed(change: str, delta: float | None = None) -> Contrast:
    """A learned decay against the best fixed one, on inputs that change as ``change`` says."""
    return Contrast(
        T(f"learned − best fixed, change: {change}"),
        "test_accuracy",
        Arm("learned", {"change": change}),
        Arm("learned_reference", {"change": change}, measure=Pick(ACCURACY, DECAYS)),
        delta=delta,
    )


def epsilon(value: float) -> Arm:
    return Arm("epsilons", {"norm.eps": value, "level": "best"})


def against_recalibrated(decay: float, runs: Arm) -> Contrast:
    """What a running average costs against statistics recomputed over the training images, at the same weights."""
    return Contrast(
        T(f"{decay:g} − recalibrated"),
        "test_accuracy",
        replace(runs, measure=f"test_accuracy_decay_{decay:g}"),
        replace(runs, measure="test_accuracy_recalibrated"),
    )


LAGGING = T(
    "The averages were checked against batch norms of those momenta (a test), and the nets themselves are good: recalibrated "
    "statistics give full accuracy. At a constant rate weights move up to the last step and averages lag behind them, the more "
    "the higher the decay, from which short training suffers besides because an average that starts at (0, 1) is not yet warm. "
    "Where the rate is annealed to 0 (the runs of the ε grid, below and in the figure) the lag vanishes and 0.9 is as good as "
    "recalibrated statistics; 0.999 is still not warm after these few hundred steps."
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


CLAIMS = (
    Claim(
        id="decay-range",
        sources=("B components 5", "B practice 2"),
        statement=T("A decay of the running averages between 0.9 and 0.999 is right."),
        method=T(
            "Test accuracy as read with decay 0.9, 0.99 and 0.999, each minus the decay that is best on tuning seeds out of "
            "0, 0.5, 0.9, 0.99, 0.999, 0.9999: none inferior, in short and in long training."
        ),
        kind="noninferiority",
        cases=(
            Case(
                EACH_LENGTH,
                tuple(
                    Contrast(
                        T(f"{decay:g} − best"),
                        "test_accuracy",
                        reading("decays", decay),
                        Arm("decays", measure=Pick(ACCURACY, DECAYS)),
                    )
                    for decay in RECOMMENDED
                ),
                by=BY_LENGTH,
            ),
        ),
        checked=LAGGING,
        shown_besides=(
            Case(
                T("constant rate"),
                tuple(against_recalibrated(decay, Arm("decays")) for decay in RECOMMENDED),
                by=BY_LENGTH,
            ),
            Case(
                T("short, rate annealed to 0"),
                tuple(against_recalibrated(decay, epsilon(1e-5)) for decay in RECOMMENDED),
            ),
        ),
    ),
    Claim(
        id="decay-stability",
        sources=("B components 5",),
        statement=T("A higher decay makes running statistics steadier and slower."),
        method=T(
            "Over the last hundred steps: the running mean's change from step to step at decay 0.9 over that at 0.999, and its "
            "distance from the batches' own mean over the window at 0.999 over that at 0.9. Both must exceed one."
        ),
        kind="superiority",
        unit="ratio",
        delta=RATIO_10_PERCENT,
        cases=(
            Case(
                EACH_LENGTH,
                (
                    Contrast(
                        T("change per step, 0.9 over 0.999"),
                        "jitter",
                        reading("decays", 0.9, "jitter"),
                        reading("decays", 0.999, "jitter"),
                        log=True,
                    ),
                    Contrast(
                        T("lag, 0.999 over 0.9"),
                        "lag",
                        reading("decays", 0.999, "lag"),
                        reading("decays", 0.9, "lag"),
                        log=True,
                    ),
                ),
                by=BY_LENGTH,
            ),
        ),
    ),
    Claim(
        id="decay-shift",
        sources=("B components 5", "B practice 2"),
        statement=T("Where distributions change fast, a lower decay is better."),
        method=T(
            "The inputs' contrast and brightness change abruptly after 90 % or 70 % of the steps; test accuracy on changed inputs "
            "at the end, as read with decay 0.5 and 0.9, minus with 0.999. Both must be better."
        ),
        kind="superiority",
        cases=(
            Case(
                T("recent and earlier change"),
                tuple(
                    Contrast(
                        same(f"{decay:g} − 0.999"),
                        "test_accuracy",
                        reading("shifted", decay),
                        reading("shifted", 0.999),
                    )
                    for decay in (0.5, 0.9)
                ),
                by=("setting", "change"),
            ),
        ),
    ),
    Claim(
        id="decay-sensitive",
        sources=("B challenges 5",),
        statement=T("Performance depends much on the decay, also within the usual range."),
        method=T(
            "Test accuracy as read with the best minus with the worst of the decays 0.9, 0.99, 0.999, both named on tuning seeds."
        ),
        kind="superiority",
        cases=(
            Case(
                EACH_LENGTH,
                (
                    Contrast(
                        T("best − worst decay"),
                        "test_accuracy",
                        Arm("decays", measure=Pick(ACCURACY, RECOMMENDED)),
                        Arm("decays", measure=Pick(ACCURACY, RECOMMENDED, "worst")),
                    ),
                ),
                by=BY_LENGTH,
            ),
        ),
    ),
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
    Claim(
        id="learned-decay",
        sources=("B advanced 6",),
        statement=T("A decay that is learned adapts itself to the data."),
        method=T(
            "Test accuracy with a learned decay minus with the fixed one that is best on tuning seeds: not inferior on steady "
            "inputs, better (δ = 0) where the inputs' contrast and brightness changed in training."
        ),
        kind="noninferiority",
        cases=(
            Case(T("steady inputs"), (learned_against_fixed("none"),)),
            Case(
                T("changed inputs"),
                tuple(learned_against_fixed(change, delta=0.0) for change in ("recent", "earlier")),
            ),
        ),
    ),
    Claim(
        id="decay-remedy",
        sources=("B practice 8",),
        statement=T("Adjusting the decay reduces the gap between training and inference."),
        method=T(
            "The gap |accuracy with batch statistics − accuracy with running statistics| at decay 0.9 minus the gap at the better of "
            "0.99 and 0.999 (named on tuning seeds), for three batch sizes."
        ),
        kind="superiority",
        cases=(
            Case(
                T("each batch size"),
                (
                    Contrast(
                        T("gap at 0.9 − gap at a higher decay"),
                        "test_gap",
                        Arm("gaps", measure="test_gap_decay_0.9"),
                        Arm("gaps", measure=Pick(GAP, (0.99, 0.999))),
                    ),
                ),
                by=("setting", "data.batch_size"),
            ),
        ),
        checked=LAGGING,
    ),
)
