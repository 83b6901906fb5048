"""The readings there are: every name by which a claim, a design or a figure may ask for a number of runs, and its direction.

A name that is not here is an error where it is written down, not a number that is never there.
"""

import difflib
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from normlab.errors import NormlabError

Direction = Literal["up", "down", None]
NUMBER = r"(?:\d+(?:\.\d+)?(?:e-?\d+)?|\{\w+\})"  # a number, or the constant of a setting that stands for one
DECAY = rf"(?:decay_{NUMBER}|phases)"
STATISTICS = rf"(?:recalibrated|batch|{DECAY})"


@dataclass(frozen=True)
class Kind:
    """Readings of one kind: their names, in which direction they are better (None: in neither), and one of them, to be suggested."""

    pattern: str
    better: Direction
    example: str


KINDS = (
    Kind(rf"(?:validation|test)_accuracy(?:_{STATISTICS})?|train_accuracy(?:_recalibrated)?", "up", "test_accuracy"),
    Kind(rf"(?:validation|test)_loss(?:_{STATISTICS})?|train_loss(?:_recalibrated)?", "down", "test_loss"),
    Kind(rf"validation_accuracy@{NUMBER}", "up", "validation_accuracy@2"),
    Kind(rf"(?:epochs|steps|seconds)_to@{NUMBER}", "down", "epochs_to@0.9"),
    Kind(r"lowest_train_loss", "down", "lowest_train_loss"),
    Kind(rf"accuracy_gap@{NUMBER}", "down", "accuracy_gap@0.3"),
    Kind(rf"roughness@{NUMBER},{NUMBER}", "down", "roughness@0.5,1.5"),
    Kind(rf"(?:validation|test)_gap_{DECAY}", "down", "test_gap_decay_0.99"),
    Kind(rf"(?:jitter|lag)_{DECAY}", "down", "jitter_decay_0.99"),
    Kind(r"train_seconds|seconds|steps", "down", "train_seconds"),
    Kind(r"steps_per_epoch|chance|reached|num_parameters|diverged_step", None, "num_parameters"),
    Kind(r"failed|failed_share", "down", "failed"),
    Kind(rf"largest_stable_rate(?:_recalibrated)?@{NUMBER}", "up", "largest_stable_rate@0.05"),
    Kind(rf"rate_width(?:_recalibrated)?@{NUMBER}", "up", "rate_width@0.02"),
    Kind(rf"largest_depth@{NUMBER},{NUMBER}", "up", "largest_depth@0.05,0.1"),
    Kind(r"statistics_noise\.(?:mean|variance)_slope", None, "statistics_noise.mean_slope"),
    Kind(r"gradient_noise\.log_ratio_\d+", None, "gradient_noise.log_ratio_16"),
    Kind(r"gradient_noise_sources\.log_(?:forward|backward)_\d+", None, "gradient_noise_sources.log_forward_16"),
    Kind(r"features\.(?:other_)?(?:linear|neighbours)", "up", "features.linear"),
    Kind(r"gradient_flow\.(?:slope|range|broken)", "down", "gradient_flow.slope"),
    Kind(r"gradient_flow\.growth", None, "gradient_flow.growth"),
    Kind(r"gradient_variance\.log_relative_variance", "down", "gradient_variance.log_relative_variance"),
    Kind(r"training_memory\.(?:saved_bytes|parameters|state)", "down", "training_memory.saved_bytes"),
    Kind(r"layer_inputs\.(?:norm_)?(?:mean|variance)", "down", "layer_inputs.mean"),
    Kind(r"input_drift\.log_drift", "down", "input_drift.log_drift"),
    Kind(r"gradient_shift\.log_shift", "down", "gradient_shift.log_shift"),
    Kind(r"gradient_shift\.cosine", "up", "gradient_shift.cosine"),
    Kind(r"landscape\.(?:log_loss_range|log_gradient_change|log_smoothness|loss)", "down", "landscape.log_smoothness"),
    Kind(r"corruptions\.accuracy(?:_\w+)?", "up", "corruptions.accuracy"),
    Kind(r"step_seconds\.(?:best|common)_layout", "down", "step_seconds.best_layout"),
    Kind(
        r"cost\.(?:(?:step|inference)(?:_common)?|inference_folded|peak_bytes|saved_bytes|parameters|state)",
        "down",
        "cost.step",
    ),
    Kind(r"cost\.(?:step|unsynchronized|bytes)_\d+", "down", "cost.bytes_4"),
)


@lru_cache(maxsize=4096)
def kind_of(name: str) -> Kind:
    """The kind of the reading called ``name``, in which {constants} of a setting may stand for numbers.

    Raises:
        NormlabError: for a name that no reading has, with the nearest that there is.
    """
    for kind in KINDS:
        if re.fullmatch(kind.pattern, name):
            return kind
    near = difflib.get_close_matches(name, [kind.example for kind in KINDS], n=1, cutoff=0.0)[0]
    raise NormlabError(f"unknown reading {name!r}; the nearest there is: {near}")


def higher_is_better(name: str) -> bool:
    """The direction of a reading that settings are chosen by.

    Raises:
        NormlabError: for a name that no reading has, or a reading that is better in neither direction.
    """
    better = kind_of(name).better
    if better is None:
        raise NormlabError(f"{name} is better in neither direction; nothing can be chosen by it")
    return better == "up"
