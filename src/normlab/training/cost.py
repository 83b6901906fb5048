"""What a net costs: the time of a training step and of inference, and the memory that training takes."""

from collections.abc import Callable, Sequence

from normlab.config import RunConfig
from normlab.data.batches import load_splits
from normlab.nets import make_net
from normlab.training.memory import training_memory
from normlab.training.peak import peak_bytes
from normlab.training.synchronization import synchronization_costs
from normlab.training.timing import inference_seconds, step_seconds


def net_costs(configs: Sequence[RunConfig]) -> list[dict[str, float]]:
    """The costs of each configuration, all times measured side by side in this process, on one batch each.

    ``step`` and ``inference``: median seconds in the faster of two memory layouts; ``step_common`` and
    ``inference_common``: in the configured one; ``inference_folded``: with batch norms folded into the layers before them.
    ``peak_bytes``: see :func:`normlab.training.peak.peak_bytes`; ``saved_bytes``, ``parameters``, ``state``: see
    :func:`normlab.training.memory.training_memory`.
    """
    steps, passes = step_seconds(list(configs)), inference_seconds(list(configs))
    found = []
    for config, step, forward, peak in zip(configs, steps, passes, peak_bytes(configs), strict=True):
        splits = load_splits(config.data, config.seed)
        net = make_net(config.net, config.norm, splits.shape, splits.classes, config.seed)
        measures = {"step": step["best_layout"], "step_common": step["common_layout"]}
        measures |= {"inference": forward["best_layout"], "inference_common": forward["common_layout"]}
        if "folded" in forward:
            measures["inference_folded"] = forward["folded"]
        found.append(measures | {"peak_bytes": peak} | training_memory(net, config, splits))
    return found


COSTS: dict[str, Callable[[Sequence[RunConfig]], list[dict[str, float]]]] = {
    "net": net_costs,
    "synchronization": synchronization_costs,
}
