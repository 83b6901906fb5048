"""Does batch norm hold the inputs of layers still, and is that why it helps? Four claims on the mechanism."""

from experiments.wording import ON_EACH_DATA_SET, RATIO_10_PERCENT, same, translated
from normlab.core.claim import Arm, Case, Claim, Contrast

T = translated(__file__)

STANDARD = 0.1  # how far from mean 0 and variance 1 still counts as standardized
WHEN = ("setting", "when")
TITLES = {
    "none": same("none"),
    "batch": T("batch norm"),
    "noisy": T("with moving noise"),
    "steady": T("with steady noise"),
}
DRIFT, SHIFT = "input_drift.log_drift", "gradient_shift.log_shift"


def moving(arm: str) -> Arm:
    return Arm("moving", {"arm": arm, "level": "best"})


def trained(arm: str) -> Arm:
    return Arm("trained", {"arm": arm, "level": "best"})


def matched(norm: str) -> Arm:
    return Arm("matched", {"norm": norm})


def moves_more(measure: str, en: str, same_rate: bool) -> Case:
    """What moves with none over what moves with batch norm, for both of them as fast as they learn best, or equally fast."""
    none, batch = (Arm("same_rate", {"arm": arm}) if same_rate else moving(arm) for arm in ("none", "batch"))
    rate = "one rate" if same_rate else "each at its best rate"
    part = Contrast(T(f"{en}, none over batch norm"), measure, none, batch)
    return Case(T(f"{en}, {rate}"), (part,), by=WHEN)


def standardized(arm: str, en: str, of: str = "") -> Case:
    """How far means are from 0 and variances from 1, in what layers read or norms give."""
    return Case(
        T(en),
        (
            Contrast(T("size of the means"), f"layer_inputs.{of}mean", trained(arm)),
            Contrast(T("distance of variances from 1"), f"layer_inputs.{of}variance", trained(arm)),
        ),
    )


def accuracy(plus: str, minus: str, delta: float | None = None) -> Contrast:
    """Recalibrated: running averages taken under noise would not fit a net that is asked without it."""
    return Contrast(
        T(f"{TITLES[plus].en} − {TITLES[minus].en}"),
        "test_accuracy_recalibrated",
        trained(plus),
        trained(minus),
        delta=delta,
    )


def drifts_more(when: str) -> Contrast:
    noisy, none = (Arm("moving", {"arm": arm, "when": when, "level": "best"}) for arm in ("noisy", "none"))
    name = T(f"drift {when}, moving noise over none")
    return Contrast(name, DRIFT, noisy, none, unit="ratio", delta=0.0)


CLAIMS = (
    Claim(
        id="inputs-stay-standardized",
        sources=("A §3.1", "B intro"),
        statement=T("With batch norm the inputs of every layer keep mean 0 and variance 1."),
        method=T(
            "In trained nets, over training images: root mean square over channels of the means of what layers read, and of the "
            "distance of their variances from 1, averaged over layers: both 0 within 0.1. With the norm before the activation, as "
            "usual, and after it, where nothing stands between norm and layer."
        ),
        kind="equivalence",
        unit="number",
        delta=STANDARD,
        cases=(
            standardized("batch", "norm before the activation"),
            standardized("after", "norm after the activation"),
        ),
        shown_besides=(
            standardized("batch", "what norms give, before the activation", of="norm_"),
            standardized("none", "without norm"),
        ),
    ),
    Claim(
        id="reduces-ics",
        sources=("A §1", "B intro", "B benefits 5"),
        statement=T("Batch norm keeps the distribution of layers' inputs from moving while other layers learn."),
        method=T(
            "How far means and standard deviations of layers' inputs move in ten steps, in units of the layer's own standard "
            "deviation; and how much a layer's gradient changes, relative to itself, when the layers below take their step. Each of "
            "none over batch norm, early and late in training, at one rate and each at its best."
        ),
        kind="superiority",
        unit="ratio",
        delta=RATIO_10_PERCENT,
        cases=(
            moves_more(DRIFT, "drift of inputs", same_rate=False),
            moves_more(DRIFT, "drift of inputs", same_rate=True),
            moves_more(SHIFT, "change of gradients", same_rate=False),
            moves_more(SHIFT, "change of gradients", same_rate=True),
        ),
    ),
    Claim(
        id="ics-is-the-reason",
        sources=("B intro",),
        statement=T("Batch norm helps because it keeps the distribution of layers' inputs from moving."),
        method=T(
            "Batch norm against batch norm with random scales and shifts behind it whose distribution jumps at every step, so that the "
            "next layer's inputs move; and the same noise with a distribution that stays, against it: test accuracy must fall in both. "
            "Conditions: batch norm gains over no norm, and with the moving noise inputs drift more than without any norm, early and "
            "late."
        ),
        kind="superiority",
        cases=(
            Case(
                ON_EACH_DATA_SET,
                (accuracy("batch", "noisy"), accuracy("steady", "noisy")),
                given=(accuracy("batch", "none"), drifts_more("early"), drifts_more("late")),
            ),
        ),
        shown_besides=(Case(T("does the noisy net gain"), (accuracy("noisy", "none"),)),),
        checked=T(
            "The noise moves the inputs as it should: their drift is far above that without norm. It is also too strong for these small "
            "nets: with moving and with steady noise alike they end little above chance, so that the second part compares two nets on "
            "the floor. What refutes is that noise which does not move does as much harm; a weaker noise might tell the two apart. "
            "That noisy nets still gain over no norm, as reported for larger nets, is not seen here."
        ),
    ),
    Claim(
        id="smoother-landscape",
        sources=("B reference 2",),
        statement=T("Batch norm makes the loss landscape smoother."),
        method=T(
            "Nets stopped at the same training loss, early and late, at two rates: along the gradient, in steps measured against the "
            "weights' norms, the range of the loss, the largest change of the gradient, and the largest change per length of step. Each "
            "of none over batch norm. Condition: the losses where they stopped are equal within 0.15."
        ),
        kind="superiority",
        unit="ratio",
        delta=RATIO_10_PERCENT,
        cases=(
            Case(
                T("training"),
                tuple(
                    Contrast(
                        T(f"{en}, none over batch norm"),
                        f"landscape.{measure}",
                        matched("none"),
                        matched("batch"),
                    )
                    for measure, en in (
                        ("log_loss_range", "loss range"),
                        ("log_gradient_change", "change of the gradient"),
                        ("log_smoothness", "change per length"),
                    )
                ),
                by=("setting", "loss", "optimizer.lr"),
                given=(
                    Contrast(
                        T("loss of none − of batch norm"),
                        "landscape.loss",
                        matched("none"),
                        matched("batch"),
                        unit="number",
                        delta=0.15,
                        kind="equivalence",
                    ),
                ),
            ),
        ),
    ),
)
