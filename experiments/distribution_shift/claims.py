"""What if the inputs change? Four claims on stored statistics, on adapting them, and on changes of style."""

from experiments.wording import ON_EACH_DATA_SET, translated
from normlab.core.claim import Arm, Case, Claim, Contrast, Moderator
from normlab.report.style import method_title
from normlab.training.robustness import AMOUNTS

T = translated(__file__)

SHARE = 0.02  # the smallest difference that would matter in the share of accuracy kept
POINT = 0.01  # … and in accuracy under corruption, where errors are more than a tenth
OTHERS = ("layer", "group", "instance")
DECAYS = (0.9, 0.99, 0.999)
SCHEDULES = {"long": "annealed", "constant": "constant rate"}  # of the trainings that are read with a decay by phase
DATA = Moderator(T("data and net"), "setting")


def asked(norm: str, measure: str, grid: str = "trained") -> Arm:
    axes = {"level": "best"} if grid == "half" else {"norm": norm, "level": "best"}
    return Arm(grid, axes, measure=f"corruptions.{measure}")


def keeps_less(other: str) -> Contrast:
    """The share of clean accuracy that another norm keeps, minus batch norm's."""
    name = T(f"kept by {method_title(other)} − by batch norm")
    return Contrast(name, "corruptions.kept", asked(other, "kept"), asked("batch", "kept"), delta=SHARE)


def loses_more_when_as_accurate(other: str) -> Contrast:
    """What batch norm after half the training loses from clean to corrupted images, less what another norm loses."""
    return Contrast(
        T(f"loss of batch norm after half the training − of {method_title(other)}"),
        "corruptions.accuracy",
        asked("batch", "accuracy_clean", "half"),
        asked("batch", "accuracy", "half"),
        less=(asked(other, "accuracy_clean"), asked(other, "accuracy")),
        delta=POINT,
    )


STORED_ARE_WRONG = Contrast(
    T("target's statistics − stored"),
    "corruptions.kept",
    asked("batch", "kept_adapted"),
    asked("batch", "kept"),
    less=(asked("batch", "kept_clean_adapted"), asked("batch", "kept_clean")),
    delta=SHARE,
)


def stale_cases() -> tuple[Case, ...]:
    """Each other norm on each data set; on CIFAR-10, where norms differ in accuracy, also at matched accuracy with the one that matches."""
    cases = []
    for other in OTHERS:
        title = T(f"against {method_title(other)}")
        matched = (loses_more_when_as_accurate(other),) if other == "group" else ()
        for beds, scale, parts in ((("digits",), "quick", ()), (("mnist",), "cpu", ()), (("cifar10",), "cpu", matched)):
            cases.append(
                Case(
                    title,
                    (keeps_less(other), *parts, STORED_ARE_WRONG),
                    among={"setting": beds},
                    at={"against": other},
                    scales=(scale,),
                )
            )
    return tuple(cases)


CLAIMS = (
    Claim(
        id="stale-statistics",
        sources=("B challenges 6",),
        statement=T(
            "When the distribution of inputs shifts, batch norm's stored statistics are wrong and cost accuracy."
        ),
        method=T(
            "Ten corruptions in five severities, against layer, group and instance norm: the share of its clean accuracy "
            "(above chance) that the other keeps minus batch norm's; on CIFAR-10 against group norm also what batch norm after "
            "half the training, where it is as accurate as that, loses in points minus what group norm loses; and the share "
            "kept with statistics retaken from 500 images under the same corruption minus with the stored ones, less the "
            "same on clean images. All must be positive."
        ),
        kind="superiority",
        quantifier="some",
        cases=stale_cases(),
        moderators=(Moderator(T("the other norm"), "against"), DATA),
        shown_besides=tuple(
            Case(
                T(f"after half the training, against {method_title(other)}"),
                (loses_more_when_as_accurate(other),),
                among={"setting": ("cifar10",)},
                scales=("cpu",),
            )
            for other in ("layer", "instance")
        ),
    ),
    Claim(
        id="adaptive-bn-data",
        sources=("B advanced 3",),
        statement=T("Adapting batch norm's statistics to the data helps."),
        method=T(
            "Share of clean accuracy kept under ten corruptions of middle severity with statistics retaken from 8, 32 or 128 "
            "images under the same corruption, each minus with the stored ones (AdaBN, our reading of it)."
        ),
        kind="superiority",
        cases=tuple(
            Case(
                T(f"{amount} images"),
                (
                    Contrast(
                        T("adapted − stored"),
                        "corruptions.kept",
                        asked("batch", f"kept_adapted_of_{amount}"),
                        asked("batch", "kept_3"),
                        delta=SHARE,
                    ),
                ),
                at={"images": amount},
            )
            for amount in AMOUNTS
        ),
        moderators=(Moderator(T("images adapted to"), "images"), DATA),
    ),
    Claim(
        id="adaptive-bn-phase",
        sources=("B advanced 3",),
        statement=T("Adapting batch norm to the phase of training helps."),
        method=T(
            "Test accuracy with running averages whose decay rises from 0.9 over 0.99 to 0.999 in the course of training, "
            "minus with each of these held throughout, in the same runs; at an annealed and at a constant rate. All must be "
            "positive."
        ),
        kind="superiority",
        cases=tuple(
            Case(
                T(schedule),
                tuple(
                    Contrast(
                        T(f"by phase − {decay:g}"),
                        "test_accuracy_phases",
                        Arm("phases", {"training": training}),
                        Arm("phases", {"training": training}, measure=f"test_accuracy_decay_{decay:g}"),
                    )
                    for decay in DECAYS
                ),
                at={"schedule": schedule},
            )
            for training, schedule in SCHEDULES.items()
        ),
        moderators=(Moderator(T("schedule"), "schedule"), DATA),
    ),
    Claim(
        id="instance-style",
        sources=("B table",),
        statement=T("Instance norm is the one for tasks of style."),
        method=T(
            "Our proxy: the share of its clean accuracy (above chance) that a net keeps where every test image has a contrast"
            " and brightness of its own, in five severities, instance norm minus batch norm."
        ),
        kind="superiority",
        cases=(
            Case(
                ON_EACH_DATA_SET,
                (
                    Contrast(
                        T("kept by instance norm − by batch norm"),
                        "corruptions.kept",
                        asked("instance", "kept_style"),
                        asked("batch", "kept_style"),
                        delta=SHARE,
                    ),
                ),
            ),
        ),
        moderators=(DATA,),
        shown_besides=(
            Case(
                T("in accuracy"),
                (
                    Contrast(
                        T("instance − batch norm"),
                        "corruptions.accuracy",
                        asked("instance", "accuracy_style"),
                        asked("batch", "accuracy_style"),
                        delta=POINT,
                    ),
                ),
            ),
        ),
    ),
)
