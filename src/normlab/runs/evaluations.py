"""Evaluations: questions asked of a finished run's weights, recorded apart from the run."""

from collections.abc import Sequence

import torch

from normlab.config import RunConfig
from normlab.data.batches import Batches, load_splits
from normlab.errors import NormlabError
from normlab.nets import make_net
from normlab.nets.block import memory_format
from normlab.runs.execute import execute
from normlab.runs.key import run_key
from normlab.runs.store import OF_OTHER_WEIGHTS, Store
from normlab.targets import users_errors_told
from normlab.tasks.images import TASK as IMAGES
from normlab.training.as_seen import at_end, placed, planned_steps
from normlab.training.device import set_up
from normlab.training.evaluations import EVALUATIONS


def named_evaluations(wanted: str | Sequence[str] | None, config: RunConfig) -> tuple[str, ...]:
    """The evaluations that a command line names: none, one or a list.

    Raises:
        NormlabError: for one that is not there, or asked of a run whose task has none.
    """
    names = (wanted,) if isinstance(wanted, str) else tuple(wanted or ())
    if names and config.task != IMAGES.name:
        raise NormlabError(f"evaluation={names[0]}: evaluations are of task={IMAGES.name}, not of task={config.task}")
    for name in names:
        if name not in EVALUATIONS:
            raise NormlabError(f"unknown evaluation {name!r}; there are {', '.join(EVALUATIONS)}")
    return names


def evaluate_run(config: RunConfig, name: str, store: Store) -> dict[str, float]:
    """Do evaluation ``name`` on a run's stored weights and record it; without weights, the run is replayed first. It sees images as the
    run did when its training ended. Where the replay ended in other weights than the record's, it is of those, and has the measure
    ``of_other_weights``.

    A run that diverged to weights that are not finite has no measures; nor has one that is missing, of which nothing is recorded.

    Raises:
        NormlabError: for an unknown evaluation.
    """
    named_evaluations(name, config)
    key = run_key(config)
    weights = store.weights(key) or store.weights_again(key)
    if weights is None and not store.is_missing(key):
        execute(config, store)
        weights = store.weights(key) or store.weights_again(key)
    if weights is None:
        return {}
    device = set_up(config.numerics)
    torch.manual_seed(config.seed)  # for norms of others that draw
    splits = placed(load_splits(config.data, config.seed), device, config)
    steps, _ = planned_steps(config, Batches(splits.train, config.data, config.seed).per_epoch)
    finite = all(value.isfinite().all() for value in weights.values())
    with users_errors_told(config.targets):
        net = make_net(config.net, config.norm, splits.shape, splits.classes, config.seed)
        net.to(device, memory_format=memory_format(config.numerics.layout))  # type: ignore[call-overload]
        net.load_state_dict(weights)
        measures = EVALUATIONS[name](net, config, at_end(splits, config, steps)) if finite else {}
    if store.weights(key) is None:
        measures[OF_OTHER_WEIGHTS] = 1.0
    store.put_evaluation(key, name, measures)
    return measures
