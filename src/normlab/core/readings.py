"""Readings as texts: every way to write one, and what it means.

- a column of a record: ``test_accuracy``, ``train_loss``, ``test_accuracy_decay_0.99``, ``jitter_decay_0.9``, ``train_seconds``, …
- ``validation_accuracy@2``: after 2 epochs; ``mean_validation_accuracy``: over the tenths of a training
- ``epochs_to@0.9``, ``steps_to@0.9``, ``seconds_to@0.9``: until the validation accuracy first reaches 0.9
- ``lowest_train_loss``, ``accuracy_at_loss@0.3``, ``accuracy_gap@0.3``, ``roughness@0.5,1.5``, ``test_gap_decay_0.99``, ``failed``,
  ``collapsed``, ``loss_spread``
- ``<evaluation>.<measure>``: of an evaluation of the run
- over several runs of one seed: ``largest_stable_rate@0.05``, ``rate_width@0.02`` (both also ``…_recalibrated@``),
  ``largest_trained_rate@0.23``, ``length_to@0.7``, ``training_seconds_to@0.7``, ``largest_depth_above@0.9``, ``failed_share``,
  ``accuracy_range``, ``share_below@0.9`` (the last two also ``…_recalibrated``)

A text that is none of these is an error where it is written down, not a number that is never there.
"""

import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from normlab.core import over_runs, reading
from normlab.core.metric import ACCURACY, METRICS, Direction
from normlab.core.over_runs import OverRuns
from normlab.core.reading import Reading
from normlab.errors import NormlabError

AnyReading = Reading | OverRuns
NUMBER = r"\d+(?:\.\d+)?(?:e-?\d+)?"
DECAY = rf"(?:decay_{NUMBER}|phases)"
STATISTICS = rf"(?:recalibrated|batch|{DECAY})"
NAMES = "|".join(METRICS)


@dataclass(frozen=True)
class Form:
    """A way to write readings, how the parts of a text become one, and an example."""

    pattern: str
    make: Callable[..., AnyReading]
    example: str


def _fact(direction: Direction | None) -> Callable[[str], Reading]:
    return lambda text: reading.Fact(text, direction)


def _evaluated(direction: Direction | None) -> Callable[..., Reading]:
    def make(text: str, evaluation: str, measure: str) -> Reading:
        metric = ACCURACY if measure.startswith(ACCURACY.name) else None
        kind = reading.Cost if evaluation == "cost" else reading.Evaluated
        return kind(text, evaluation, measure, direction, metric)

    return make


def _evaluation(evaluation: str, measures: str, direction: Direction | None, example: str) -> Form:
    return Form(rf"({evaluation})\.({measures})", _evaluated(direction), f"{evaluation}.{example}")


FORMS = (
    Form(
        rf"(?:validation|test)_({NAMES})(?:_{STATISTICS})?|train_({NAMES})(?:_recalibrated)?",
        lambda text, one, other: reading.Final(text, METRICS[one or other]),
        "test_accuracy",
    ),
    Form(
        rf"validation_({NAMES})@({NUMBER})",
        lambda text, metric, epoch: reading.At(text, METRICS[metric], float(epoch)),
        "validation_accuracy@2",
    ),
    Form(
        rf"mean_validation_({NAMES})",
        lambda text, metric: reading.OnTheWay(text, METRICS[metric]),
        "mean_validation_accuracy",
    ),
    Form(
        rf"(epochs|steps|seconds)_to@({NUMBER})",
        lambda text, unit, target: reading.TimeTo(text, unit, float(target)),
        "epochs_to@0.9",
    ),
    Form(r"lowest_train_loss", reading.Lowest, "lowest_train_loss"),
    Form(
        rf"accuracy_at_loss@({NUMBER})",
        lambda text, loss: reading.AccuracyAtLoss(text, float(loss)),
        "accuracy_at_loss@0.3",
    ),
    Form(rf"accuracy_gap@({NUMBER})", lambda text, loss: reading.AccuracyGap(text, float(loss)), "accuracy_gap@0.3"),
    Form(
        rf"roughness@({NUMBER}),({NUMBER})",
        lambda text, low, high: reading.Roughness(text, float(low), float(high)),
        "roughness@0.5,1.5",
    ),
    Form(rf"(validation|test)_gap_({DECAY})", reading.StatisticsGap, "test_gap_decay_0.99"),
    Form(rf"(?:jitter|lag)_{DECAY}", _fact("down"), "jitter_decay_0.99"),
    Form(r"train_seconds|seconds|steps", _fact("down"), "train_seconds"),
    Form(r"steps_per_epoch|chance|reached|num_parameters|diverged_step", _fact(None), "num_parameters"),
    Form(r"failed", reading.Failed, "failed"),
    Form(r"collapsed", reading.Collapsed, "collapsed"),
    Form(r"loss_spread", reading.LossSpread, "loss_spread"),
    Form(r"failed_share", over_runs.FailedShare, "failed_share"),
    Form(r"accuracy_range(?:_recalibrated)?", over_runs.AccuracyRange, "accuracy_range"),
    Form(
        rf"share_below(?:_recalibrated)?@({NUMBER})",
        lambda text, bar: over_runs.ShareBelow(text, float(bar)),
        "share_below@0.9",
    ),
    Form(
        rf"largest_stable_rate(?:_recalibrated)?@({NUMBER})",
        lambda text, margin: over_runs.LargestRate(text, float(margin)),
        "largest_stable_rate@0.05",
    ),
    Form(
        rf"largest_trained_rate@({NUMBER})",
        lambda text, margin: over_runs.LargestTrainedRate(text, float(margin)),
        "largest_trained_rate@0.23",
    ),
    Form(
        rf"length_to@({NUMBER})",
        lambda text, target: over_runs.LengthTo(text, float(target)),
        "length_to@0.7",
    ),
    Form(
        rf"training_seconds_to@({NUMBER})",
        lambda text, target: over_runs.SecondsTo(text, float(target)),
        "training_seconds_to@0.7",
    ),
    Form(
        rf"rate_width(?:_recalibrated)?@({NUMBER})",
        lambda text, margin: over_runs.RateWidth(text, float(margin)),
        "rate_width@0.02",
    ),
    Form(
        rf"largest_depth_above@({NUMBER})",
        lambda text, bar: over_runs.LargestDepth(text, float(bar)),
        "largest_depth_above@0.9",
    ),
    _evaluation("statistics_noise", r"(?:mean|variance)_slope", None, "mean_slope"),
    _evaluation("gradient_noise", r"log_ratio_\d+", None, "log_ratio_16"),
    _evaluation("gradient_companions", r"share_\d+", None, "share_16"),
    _evaluation("gradient_noise_sources", r"log_(?:forward|backward)_\d+", None, "log_forward_16"),
    _evaluation("features", r"(?:other_)?(?:linear|neighbours)", "up", "linear"),
    _evaluation("gradient_flow", r"slope|range|broken", "down", "slope"),
    _evaluation("gradient_flow", r"growth", None, "growth"),
    _evaluation("gradient_variance", r"log_relative_variance", "down", "log_relative_variance"),
    _evaluation("training_memory", r"saved_bytes|parameters|state", "down", "saved_bytes"),
    _evaluation("layer_inputs", r"(?:norm_)?(?:mean|variance)", "down", "mean"),
    _evaluation("input_drift", r"log_drift", "down", "log_drift"),
    _evaluation("gradient_shift", r"log_shift", "down", "log_shift"),
    _evaluation("gradient_shift", r"cosine", "up", "cosine"),
    _evaluation("landscape", r"log_loss_range|log_gradient_change|log_smoothness|loss", "down", "log_smoothness"),
    _evaluation("corruptions", r"(?:accuracy|kept)(?:_\w+)?", "up", "accuracy"),
    _evaluation("lipschitz", r"log_(?:largest|median)(?:_features)?|log_radius", None, "log_largest"),
    _evaluation("step_seconds", r"(?:best|common)_layout", "down", "best_layout"),
    _evaluation(
        "cost",
        r"(?:step|inference)(?:_common)?|inference_folded|peak_bytes|saved_bytes|parameters|state",
        "down",
        "step",
    ),
    _evaluation("cost", r"(?:step|unsynchronized|bytes)_\d+", "down", "bytes_4"),
)


@lru_cache(maxsize=4096)
def parse(text: str) -> AnyReading:
    """The reading that is written as ``text``.

    Raises:
        NormlabError: for a text that no reading has, with the nearest that there is.
    """
    for form in FORMS:
        if found := re.fullmatch(form.pattern, text):
            return form.make(text, *found.groups())
    near = difflib.get_close_matches(text, [form.example for form in FORMS], n=1, cutoff=0.0)[0]
    raise NormlabError(f"unknown reading {text!r}; the nearest there is: {near}")


def of_one_run(text: str) -> Reading:
    """The reading of a single run that is written as ``text``.

    Raises:
        NormlabError: for a text that no reading has, or that takes several runs.
    """
    found = parse(text)
    if not isinstance(found, Reading):
        raise NormlabError(f"{text} is read off several runs, not off one")
    return found


def check(text: str) -> AnyReading:
    """As :func:`parse`, for a text in which {constants} of a setting may stand for numbers."""
    try:
        return parse(re.sub(r"\{\w+\}", "1", text))
    except NormlabError:
        parse(text)  # which names it as it is written
        raise


def higher_is_better(text: str) -> bool:
    """The direction of a reading that settings are chosen by.

    Raises:
        NormlabError: for a text that no reading has, or a reading that is better in neither direction.
    """
    better = check(text).better
    if better is None:
        raise NormlabError(f"{text} is better in neither direction; nothing can be chosen by it")
    return better == "up"
