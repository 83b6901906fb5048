"""How should running statistics follow the batches? Seven claims on the decay of running averages."""

from dataclasses import replace

from experiments.wording import ON_EACH_DATA_SET, RATIO_10_PERCENT, same, translated
from normlab.core.claim import Arm, Case, Claim, Contrast, Kind, Moderator, Pick

T = translated(__file__)

DECAYS = (0.0, 0.5, 0.9, 0.99, 0.999, 0.9999)
RECOMMENDED = (0.9, 0.99, 0.999)
ACCURACY = "{part}_accuracy_decay_{value}"
# Optimizer steps of the long (and constant) and of the short trainings, by scale and bed.
STEPS = {
    "cpu": {"cifar10": {"long": 5000, "constant": 5000, "short": 1250}, "mnist": {"long": 1565, "constant": 1565, "short": 313}},
    "quick": {"digits": {"long": 320, "constant": 320, "short": 96}},
}  # fmt: skip
EACH_TRAINING = T("each training")
BY_TRAINING = ("setting", "training")
DATA = Moderator(T("data and net"), "setting")
TRAINING = Moderator(T("schedule and length"), "training")
AVERAGED = Moderator(T("steps in units of 1/(1 − decay)"), "averages")
DECAY = Moderator(T("decay"), "decay")


def read(grid: str, decay: float, what: str = "test_accuracy", **axes: str) -> Arm:
    """The runs of a grid as read with one decay."""
    return Arm(grid, axes, measure=f"{what}_decay_{decay:g}")


def recommended_cases() -> tuple[Case, ...]:
    """Each recommended decay against every other, training by training."""
    return tuple(
        Case(
            T(f"decay {decay:g}, {training}"),
            tuple(
                Contrast(same(f"{decay:g} − {other:g}"), "test_accuracy", read("decays", decay), read("decays", other))
                for other in DECAYS
                if other != decay
            ),
            by=BY_TRAINING,
            among={"setting": (bed,), "training": (training,)},
            at={"decay": f"{decay:g}", "averages": round(steps * (1 - decay), 2)},
            scales=(scale,),
        )
        for scale, beds in STEPS.items()
        for bed, lengths in beds.items()
        for training, steps in lengths.items()
        for decay in RECOMMENDED
    )


def learned_against_fixed(change: str, fixed: Arm, kind: Kind) -> Contrast:
    """A learned decay against the best fixed one, on inputs that change as ``change`` says."""
    return Contrast(
        T("learned − best fixed decay"),
        "test_accuracy",
        Arm("learned", {"change": change}),
        replace(fixed, measure=Pick(ACCURACY, DECAYS)),
        kind=kind,
    )


def remedied(grid: str, **axes: str) -> Contrast:
    """What a higher decay takes off the gap between recalibrated and running statistics."""
    runs = Arm(grid, axes)
    recalibrated = replace(runs, measure="test_accuracy_recalibrated")
    return Contrast(
        T("gap at 0.9 − gap at a higher decay"),
        "test_accuracy",
        recalibrated,
        replace(runs, measure="test_accuracy_decay_0.9"),
        less=(recalibrated, replace(runs, measure=Pick(ACCURACY, (0.99, 0.999)))),
    )


DECAY_RANGE = Claim(
    id="decay-range",
    sources=("B components 5", "B practice 2"),
    statement=T("A decay of the running averages between 0.9 and 0.999 is right."),
    method=T(
        "Test accuracy as read with decay 0.9, 0.99 and 0.999, each minus every other of 0, 0.5, 0.9, 0.99, 0.999, 0.9999 at the same "
        "weights: inferior to none, in long and short annealed training and at a constant rate."
    ),
    kind="noninferiority",
    cases=recommended_cases(),
    moderators=(AVERAGED, DECAY, TRAINING, DATA),
)

DECAY_STABILITY = Claim(
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
            EACH_TRAINING,
            (
                Contrast(
                    T("change per step, 0.9 over 0.999"),
                    "jitter_decay_0.9",
                    read("decays", 0.9, "jitter"),
                    read("decays", 0.999, "jitter"),
                    log=True,
                ),
                Contrast(
                    T("lag, 0.999 over 0.9"),
                    "lag_decay_0.9",
                    read("decays", 0.999, "lag"),
                    read("decays", 0.9, "lag"),
                    log=True,
                ),
            ),
            by=BY_TRAINING,
        ),
    ),
    moderators=(TRAINING, DATA),
)

DECAY_SHIFT = Claim(
    id="decay-shift",
    sources=("B components 5", "B practice 2"),
    statement=T("Where distributions change fast, a lower decay is better."),
    method=T(
        "The inputs' contrast and brightness change abruptly after 90 % or 70 % of an annealed training; test accuracy on changed inputs "
        "at its end, as read with decay 0.5 and with 0.9, minus with 0.999, less the same difference of a training without change. Both "
        "must be better."
    ),
    kind="superiority",
    cases=tuple(
        Case(
            T(title),
            tuple(
                Contrast(
                    T(f"{decay:g} − 0.999, less that of steady inputs"),
                    "test_accuracy",
                    read(grid, decay),
                    read(grid, 0.999),
                    less=(read("decays", decay, training="long"), read("decays", 0.999, training="long")),
                )
                for decay in (0.5, 0.9)
            ),
            at={"change": title},
        )
        for grid, title in (("shifted", "recent change"), ("shifted_earlier", "earlier change"))
    ),
    moderators=(Moderator(T("how long ago"), "change"), DATA),
)

DECAY_STATIONARY = Claim(
    id="decay-stationary",
    sources=("B practice 2",),
    statement=T("Where data are stable, a higher decay is better."),
    method=T(
        "Test accuracy as read with decay 0.999 minus with 0.9, at a constant rate on unchanging inputs after 5,000 steps, so that the "
        "averages are warm."
    ),
    kind="superiority",
    cases=(
        Case(
            ON_EACH_DATA_SET,
            (Contrast(same("0.999 − 0.9"), "test_accuracy", read("warm", 0.999), read("warm", 0.9)),),
        ),
    ),
    moderators=(DATA,),
)

DECAY_SENSITIVE = Claim(
    id="decay-sensitive",
    sources=("B challenges 5",),
    statement=T("Performance depends much on the decay, also within the usual range."),
    method=T(
        "Test accuracy as read with the best minus with the worst of the decays 0.9, 0.99, 0.999, each named on other seeds, in long and "
        "short annealed training and at a constant rate."
    ),
    kind="superiority",
    quantifier="some",
    cases=(
        Case(
            EACH_TRAINING,
            (
                Contrast(
                    T("best − worst decay"),
                    "test_accuracy",
                    Arm("decays", measure=Pick(ACCURACY, RECOMMENDED)),
                    Arm("decays", measure=Pick(ACCURACY, RECOMMENDED, "worst")),
                ),
            ),
            by=BY_TRAINING,
        ),
    ),
    moderators=(TRAINING, DATA),
)

LEARNED_DECAY = Claim(
    id="learned-decay",
    sources=("B advanced 6",),
    statement=T("A decay that is learned adapts itself to the data."),
    method=T(
        "Test accuracy with a learned decay minus with the fixed one that is best on other seeds, annealed: not inferior on steady "
        "inputs, better where the inputs' contrast and brightness changed after 90 % of the training."
    ),
    kind="noninferiority",
    cases=(
        Case(
            T("steady inputs"),
            (learned_against_fixed("none", Arm("decays", {"training": "long"}), "noninferiority"),),
            at={"change": "none"},
        ),
        Case(
            T("recent change"),
            (learned_against_fixed("recent", Arm("shifted"), "superiority"),),
            at={"change": "recent"},
        ),
    ),
    moderators=(Moderator(T("steady or changed inputs"), "change"), DATA),
)

DECAY_REMEDY = Claim(
    id="decay-remedy",
    sources=("B practice 8",),
    statement=T("Adjusting the decay reduces the gap between training and inference."),
    method=T(
        "The gap between recalibrated and running statistics in test accuracy at decay 0.9, minus the gap at the better of 0.99 and 0.999 "
        "(named on other seeds), at batches of 32 in long, short and constant training, and at batches of 8 and 128, annealed."
    ),
    kind="superiority",
    cases=(
        Case(EACH_TRAINING, (remedied("decays"),), by=BY_TRAINING, at={"batch": 32}),
        *(
            Case(
                T("each batch size"),
                (remedied("sizes", size=str(size)),),
                at={"training": "long", "batch": size},
                scales=("cpu",),
            )
            for size in (8, 128)
        ),
    ),
    moderators=(TRAINING, Moderator(T("batch size"), "batch"), DATA),
)

CLAIMS = (
    DECAY_RANGE,
    DECAY_STABILITY,
    DECAY_SHIFT,
    DECAY_STATIONARY,
    DECAY_SENSITIVE,
    LEARNED_DECAY,
    DECAY_REMEDY,
)
