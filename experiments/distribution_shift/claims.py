"""What if the inputs change? Four claims on stored statistics, on adapting them, and on changes of style."""

from experiments.wording import ON_EACH_DATA_SET, translated
from normlab.core.claim import Arm, Case, Claim, Contrast, Pick
from normlab.report.style import method_title
from normlab.training.robustness import AMOUNTS

T = translated(__file__)

DECAYS = (0.0, 0.5, 0.9, 0.99, 0.999, 0.9999)


def asked(norm: str, measure: str) -> Arm:
    return Arm("trained", {"norm": norm, "level": "best"}, measure=f"corruptions.accuracy{measure}")


def loses_more(other: str) -> Contrast:
    """What batch norm loses from clean to corrupted images, less what another norm loses."""
    title = method_title(other)
    return Contrast(
        T(f"loss of batch norm − loss of {title}"),
        "corruptions.accuracy",
        asked("batch", "_clean"),
        asked("batch", ""),
        less=(asked(other, "_clean"), asked(other, "")),
    )


CLAIMS = (
    Claim(
        id="stale-statistics",
        sources=("B challenges 6",),
        statement=T(
            "When the distribution of inputs shifts, batch norm's stored statistics are wrong and cost accuracy."
        ),
        method=T(
            "Ten corruptions in five severities: accuracy lost against clean images, batch norm minus layer, group and instance norm; "
            "and batch norm with statistics retaken from images under the same corruption minus with the stored ones, less the same on "
            "clean images. All four must be positive."
        ),
        kind="superiority",
        cases=(
            Case(
                ON_EACH_DATA_SET,
                (
                    *(loses_more(other) for other in ("layer", "group", "instance")),
                    Contrast(
                        T("target's statistics − stored"),
                        "corruptions.accuracy_adapted",
                        asked("batch", "_adapted"),
                        asked("batch", ""),
                        less=(asked("batch", "_clean_adapted"), asked("batch", "_clean")),
                    ),
                ),
            ),
        ),
    ),
    Claim(
        id="adaptive-bn-data",
        sources=("B advanced 3",),
        statement=T("Adapting batch norm's statistics to the data helps."),
        method=T(
            "Accuracy under ten corruptions of middle severity with statistics retaken from 8, 32 or 128 images under the same corruption, "
            "each minus with the stored ones (AdaBN, our reading of it)."
        ),
        kind="superiority",
        cases=tuple(
            Case(
                T(f"{amount} images"),
                (
                    Contrast(
                        T("adapted − stored"),
                        "corruptions.accuracy_3",
                        asked("batch", f"_adapted_of_{amount}"),
                        asked("batch", "_3"),
                    ),
                ),
            )
            for amount in AMOUNTS
        ),
    ),
    Claim(
        id="adaptive-bn-phase",
        sources=("B advanced 3",),
        statement=T("Adapting batch norm to the phase of training helps."),
        method=T(
            "Test accuracy with running averages whose decay rises from 0.5 over 0.9 to 0.99 in the course of training, minus with the "
            "usual 0.9, and minus with the fixed decay that is best on tuning seeds; at a constant and at an annealed rate."
        ),
        kind="superiority",
        cases=(
            Case(
                T("rate"),
                (
                    Contrast(
                        T("by phase − 0.9"),
                        "test_accuracy_phases",
                        Arm("phases"),
                        Arm("phases", measure="test_accuracy_decay_0.9"),
                    ),
                    Contrast(
                        T("by phase − best fixed"),
                        "test_accuracy_phases",
                        Arm("phases"),
                        Arm("phases", measure=Pick("{part}_accuracy_decay_{value}", DECAYS)),
                    ),
                ),
                by=("setting", "rate"),
            ),
        ),
        checked=T(
            "All averages are kept beside each other in the same runs, so that the weights are the same ones. At a constant rate the long "
            "average of the last phase lags behind the moving weights, as everywhere in this suite; once the rate is annealed there is "
            "next to nothing between the decays."
        ),
    ),
    Claim(
        id="instance-style",
        sources=("B table",),
        statement=T("Instance norm is the one for tasks of style."),
        method=T(
            "Our proxy: accuracy where every test image has a contrast and brightness of its own, in five severities, instance norm minus "
            "batch norm."
        ),
        kind="superiority",
        cases=(
            Case(
                ON_EACH_DATA_SET,
                (
                    Contrast(
                        T("instance − batch norm"),
                        "corruptions.accuracy_style",
                        asked("instance", "_style"),
                        asked("batch", "_style"),
                    ),
                ),
            ),
        ),
        shown_besides=(
            Case(
                T("what each loses against clean images"),
                (
                    Contrast(
                        T("loss of batch norm − loss of instance"),
                        "corruptions.accuracy_style",
                        asked("batch", "_clean"),
                        asked("batch", "_style"),
                        less=(asked("instance", "_clean"), asked("instance", "_style")),
                    ),
                ),
            ),
        ),
    ),
)
