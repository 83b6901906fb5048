"""Does batch norm help with series, speech and recommendation? Three claims on uses beyond images."""

from experiments.wording import translated
from normlab.core.claim import Arm, Case, Claim, Contrast, Moderator

T = translated(__file__)


def arm(grid: str, norm: str) -> Arm:
    return Arm(grid, {"norm": norm, "level": "best"})


def more_accurate(grid: str) -> Contrast:
    return Contrast(T("accuracy, batch − none"), "test_accuracy", arm(grid, "batch"), arm(grid, "none"))


def less_error(grid: str) -> Contrast:
    return Contrast(T("unexplained variance, none − batch"), "test_error", arm(grid, "none"), arm(grid, "batch"))


SPEECH_BN = Claim(
    id="speech-bn",
    sources=("B uses 9",),
    statement=T("Batch norm improves nets that listen to speech."),
    method=T(
        "Test accuracy of a convolutional net that tells five voices, each of a language, apart by half a second of what they say (real "
        "recordings, as energies of 24 bands of frequency): batch norm minus none, each at its best rate. It stands for the article's "
        "speech recognition, which this suite does not train."
    ),
    kind="superiority",
    cases=(Case(T("voices"), (more_accurate("series"),), among={"setting": ("voices",)}, scales=("cpu",)),),
)

TIME_SERIES_BN = Claim(
    id="time-series-bn",
    sources=("B uses 8",),
    statement=T("Batch norm improves nets for time series."),
    method=T(
        "A convolutional net tells kinds of leaves by their outline and the season by a day's power demand (test accuracy, batch norm "
        "minus none), and forecasts the second half of such a day from its first (share of the variance that it leaves unexplained, none "
        "minus batch norm); each at its best rate."
    ),
    kind="superiority",
    cases=(
        Case(
            T("classes of series"),
            (more_accurate("series"),),
            among={"setting": ("leaves", "power_season")},
            at={"what": "classes"},
            scales=("cpu",),
        ),
        Case(T("forecasts"), (less_error("forecasts"),), at={"what": "forecasts"}, scales=("cpu",)),
    ),
    moderators=(Moderator(T("classes or forecasts"), "what"),),
)

RECOMMENDATION_BN = Claim(
    id="recommendation-bn",
    sources=("B uses 7",),
    statement=T("Batch norm improves nets that recommend."),
    method=T(
        "A net predicts the stars that a person gives a film (MovieLens-100k): the share of the stars' variance that it leaves unexplained "
        "on test ratings, none minus batch norm, each at its best rate and weight decay."
    ),
    kind="superiority",
    cases=(Case(T("stars for films"), (less_error("ratings"),), scales=("cpu",)),),
)

CLAIMS = (SPEECH_BN, TIME_SERIES_BN, RECOMMENDATION_BN)
