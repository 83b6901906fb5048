"""The evaluations there are: each takes a trained net, its configuration and its data, and gives named numbers."""

from collections.abc import Callable

from torch import nn

from normlab.config import RunConfig
from normlab.data.batches import Splits
from normlab.training.covariate_shift import gradient_shift, input_drift, layer_inputs
from normlab.training.features import features
from normlab.training.gradients import gradient_flow, gradient_variance
from normlab.training.landscape import landscape
from normlab.training.lipschitz import lipschitz
from normlab.training.memory import training_memory
from normlab.training.noise import gradient_companions, gradient_noise, gradient_noise_sources, statistics_noise
from normlab.training.robustness import corruptions

EVALUATIONS: dict[str, Callable[[nn.Module, RunConfig, Splits], dict[str, float]]] = {
    "statistics_noise": statistics_noise,
    "gradient_noise": gradient_noise,
    "gradient_noise_sources": gradient_noise_sources,
    "gradient_companions": gradient_companions,
    "features": features,
    "gradient_flow": gradient_flow,
    "gradient_variance": gradient_variance,
    "training_memory": training_memory,
    "layer_inputs": layer_inputs,
    "input_drift": input_drift,
    "gradient_shift": gradient_shift,
    "landscape": landscape,
    "lipschitz": lipschitz,
    "corruptions": corruptions,
}
