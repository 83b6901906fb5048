"""Does batch norm hold the inputs of layers still, and is that why it helps? Four claims on the mechanism."""

from typing import Literal

from experiments.wording import RATIO_10_PERCENT, translated
from normlab.core.claim import Arm, Case, Claim, Contrast, Moderator

T = translated(__file__)

STANDARD = 0.1  # how far from mean 0 and variance 1 still counts as standardized
WHEN = ("setting", "when")
AMOUNTS = (0.2, 0.4)  # of noise
DRIFT, SHIFT = "input_drift.log_drift", "gradient_shift.log_shift"
AS_SLOW = "batch as slow as none"
DATA = Moderator(T("data and net"), "setting")
STAGE = Moderator(T("early or late in training"), "when")


def trained(arm: str) -> Arm:
    return Arm("trained", {"arm": arm})


def disturbed(arm: str) -> Arm:
    return Arm("disturbed", {"arm": arm, "level": "best"})


def matched(norm: str) -> Arm:
    return Arm("matched", {"norm": norm})


def moves_more(measure: Literal["drift", "gradients"], rate: Literal["own", "one"]) -> Case:
    """What moves with none over what moves with batch norm, for each at its own rate, or for both at none's."""
    en, reading = {"drift": ("drift of inputs", DRIFT), "gradients": ("change of gradients", SHIFT)}[measure]
    at = {"own": "each at its own rate", "one": "one rate"}[rate]
    batch = {"own": "batch", "one": AS_SLOW}[rate]
    part = Contrast(
        T(f"{en}, none over batch norm"), reading, Arm("moving", {"arm": "none"}), Arm("moving", {"arm": batch})
    )
    return Case(T(f"{en}, {at}"), (part,), by=WHEN, at={"measure": measure, "rate": rate})


def standardized(arm: str, en: str, of: str = "") -> Case:
    """How far means are from 0 and variances from 1, in what layers read or norms give."""
    return Case(
        T(en),
        (
            Contrast(T("size of the means"), f"layer_inputs.{of}mean", trained(arm)),
            Contrast(T("distance of variances from 1"), f"layer_inputs.{of}variance", trained(arm)),
        ),
        at={"place": arm},
    )


def accuracy(name: str, plus: str, minus: str, delta: float | str | None = None) -> Contrast:
    """Recalibrated: running averages taken under noise would not fit a net that is asked without it."""
    return Contrast(T(name), "test_accuracy_recalibrated", disturbed(plus), disturbed(minus), delta=delta)


def drifts_more(amount: float, when: str) -> Contrast:
    """The noise moves inputs at least as much as they move without any norm."""
    return Contrast(
        T(f"drift {when}, moving noise over none"),
        DRIFT,
        Arm("disturbance", {"arm": f"moving at {amount:g}", "when": when}),
        Arm("moving", {"arm": "none", "when": when}),
        unit="ratio",
        delta=0.0,
    )


def moving_costs(amount: float) -> Case:
    """What is lost where the noise moves, beyond what is lost where it stays."""
    return Case(
        T(f"noise of {amount:g}"),
        (accuracy("steady noise − moving noise", f"steady at {amount:g}", f"moving at {amount:g}"),),
        given=(
            accuracy("batch norm − no norm", "batch", "none", "gain"),
            drifts_more(amount, "early"),
            drifts_more(amount, "late"),
        ),
        at={"amount": amount},
    )


CLAIMS = (
    Claim(
        id="inputs-stay-standardized",
        sources=("A §3.1", "B intro"),
        statement=T("With batch norm the inputs of every layer keep mean 0 and variance 1."),
        method=T(
            "In trained nets, over training images, of every layer with a norm in front of it: root mean square over channels of the "
            "means, and of the distance of variances from 1, averaged over layers: both 0 within 0.1. With the norm before the "
            "activation, as usual, it is what layers read; with the norm after it what norms give, since pooling may stand behind."
        ),
        kind="equivalence",
        unit="number",
        delta=STANDARD,
        cases=(
            standardized("batch", "norm before the activation"),
            standardized("after", "norm after the activation", of="norm_"),
        ),
        moderators=(Moderator(T("before or after the activation"), "place"), DATA),
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
            "none over batch norm, early and late in training at a held rate: at one rate, and each at its own (the best, or, where "
            "that does not train when held, the next lower)."
        ),
        kind="superiority",
        unit="ratio",
        delta=RATIO_10_PERCENT,
        cases=(
            moves_more("drift", "own"),
            moves_more("drift", "one"),
            moves_more("gradients", "own"),
            moves_more("gradients", "one"),
        ),
        moderators=(
            Moderator(T("inputs or gradients"), "measure"),
            Moderator(T("one rate or each its own"), "rate"),
            STAGE,
            DATA,
        ),
    ),
    Claim(
        id="ics-is-the-reason",
        sources=("B intro",),
        statement=T("Batch norm helps because it keeps the distribution of layers' inputs from moving."),
        method=T(
            "Batch norm with random scales and shifts behind it: test accuracy where their distribution stays minus where it jumps at "
            "every step, so that the next layer's inputs move, each at its best rate. If still inputs are the reason, moving ones cost at "
            "least half of what batch norm gains. Conditions: batch norm gains over no norm, and with the moving noise inputs drift more "
            "than without any norm, early and late."
        ),
        kind="superiority",
        delta="gain",
        cases=tuple(moving_costs(amount) for amount in AMOUNTS),
        moderators=(Moderator(T("amount of noise"), "amount"),),
        shown_besides=tuple(
            Case(
                T(f"noise of {amount:g}"),
                (
                    accuracy("moving noise − no norm", f"moving at {amount:g}", "none"),
                    accuracy("batch norm − moving noise", "batch", f"moving at {amount:g}"),
                    accuracy("batch norm − steady noise", "batch", f"steady at {amount:g}"),
                ),
            )
            for amount in AMOUNTS
        ),
    ),
    Claim(
        id="smoother-landscape",
        sources=("B reference 2",),
        statement=T("Batch norm makes the loss landscape smoother."),
        method=T(
            "Nets stopped at the same training loss, early and late, at two rates: along the gradient, in steps measured against the "
            "weights' norms, the range of the loss, the largest change of the gradient, and the largest change per length of step. Each "
            "of none over batch norm. Condition: the losses where they stopped are equal within a tenth."
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
                by=("setting", "loss", "rate"),
                given=(
                    Contrast(
                        T("loss of none over that of batch norm"),
                        "landscape.loss",
                        matched("none"),
                        matched("batch"),
                        unit="ratio",
                        delta=RATIO_10_PERCENT,
                        kind="equivalence",
                        log=True,
                        offset=0.01,
                    ),
                ),
            ),
        ),
        moderators=(
            Moderator(T("early or late in training"), "loss"),
            Moderator(T("high or low rate"), "rate"),
            DATA,
        ),
    ),
)
