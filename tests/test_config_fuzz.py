"""Whatever is written into a configuration: it is a run, or one line says what is wrong."""

import math
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from normlab.config import RunConfig
from normlab.errors import NormlabError
from normlab.norms import METHODS
from normlab.sweeps.compose import Composer
from normlab.tasks import task_of, train

BASE = {
    "data.train_size": 40,
    "data.validation_size": 20,
    "data.test_size": 20,
    "data.batch_size": 10,
    "net.widths": [8],
    "net.hidden": 16,
    "training.epochs": 0.5,
}
FIELDS = [
    "seed", "data.train_size", "data.validation_size", "data.test_size", "data.batch_size", "data.augment", "data.repeats",
    "data.label_noise", "data.pixel_noise", "data.classes", "data.shift", "net.name", "net.widths", "net.depth", "net.hidden",
    "net.head", "net.activation", "net.placement", "net.norm_in", "net.init.scheme", "net.init.gain", "net.zero_init_residual",
    "net.dropout", "net.disturbance", "norm.name", "norm.eps", "norm.momentum", "norm.affine", "norm.statistics_batch",
    "norm.weight_init", "norm.bias_init", "optimizer.lr", "optimizer.weight_decay", "optimizer.momentum", "optimizer.nesterov",
    "schedule.name", "training.epochs", "training.accumulate", "training.clip_norm", "training.stop", "training.statistics",
    "numerics.amp", "numerics.layout", "numerics.checkpoint", "measure.log_every", "measure.validate_every", "measure.phases",
    "source",
]  # fmt: skip
NUMBERS = st.one_of(
    st.sampled_from(
        [0, -1, 1, 2, 3, 0.5, 1.0, 1.5, -0.1, 1e-12, 1e9, 2**31, 2**63, 10**30, 1e300, math.inf, -math.inf, math.nan]
    ),
    st.integers(-10, 200),
    st.floats(0, 1.2),
)
VALUES: st.SearchStrategy[Any] = st.one_of(
    NUMBERS,
    st.none(),
    st.booleans(),
    st.text(max_size=5),
    st.sampled_from(
        ["none", "crop", "resnet", "mlp", "tanh", "conv", "batch", "cosine", "one_cycle", "before", "flatten"]
    ),
    st.lists(NUMBERS, max_size=3),
    st.dictionaries(st.sampled_from(["start", "scale", "offset", "measure", "at", "every", "x"]), NUMBERS, max_size=3),
)


@pytest.fixture(scope="module")
def compose() -> Composer:
    return Composer()


@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(changes=st.dictionaries(st.sampled_from(FIELDS), VALUES, min_size=1, max_size=2))
def test_a_configuration_is_a_run_or_is_refused_in_words(compose: Composer, changes: dict[str, Any]) -> None:
    with suppress(NormlabError):  # any other error is one that nobody foresaw
        config = compose({**BASE, **changes})
        task_of(config).cost(config)
        if small(config):
            train(config)


def small(config: RunConfig) -> bool:
    """Whether it is done in a moment; a long or wide run is nothing wrong."""
    net, data = config.net, config.data
    width = max((*net.widths, net.hidden or 1))
    return (
        config.training.epochs <= 2
        and width <= 256
        and sum(net.depths) <= 30
        and (data.train_size or 10**9) <= 500
        and max(data.validation_size, data.test_size or 10**9) <= 500
    )


@pytest.mark.parametrize(
    ("group", "values", "words"),
    [
        ({"schedule": "one_cycle"}, {"schedule.warmup": 2}, "schedule.warmup"),
        ({"schedule": "one_cycle"}, {"schedule.warmup": 1.0}, "schedule.warmup"),
        ({}, {"+schedule.warmup": 0.3}, "schedule.warmup is an option of schedule=one_cycle"),
        ({"optimizer": "adam"}, {"optimizer.betas": [1.5, 0.9]}, "optimizer.betas"),
        ({"optimizer": "adam"}, {"+optimizer.momentum": 0.9}, "adam takes betas, eps"),
        ({"optimizer": "rmsprop"}, {"optimizer.alpha": 2}, "optimizer.alpha"),
        ({}, {"optimizer.nesterov": True, "optimizer.momentum": 0}, "nesterov=true needs"),
        ({}, {"optimizer.momentum": None}, "optimizer.momentum=null"),
        ({}, {"norm.momentum": 2}, "norm.momentum"),
        ({}, {"norm.momentum": None}, "norm.momentum=null"),
        ({"norm": "renorm"}, {"norm.r_max": math.inf}, "norm.r_max"),
        ({"norm": "renorm"}, {"norm.warmup_steps": -1}, "steps ≥ 0"),
        ({"norm": "decorrelated"}, {"norm.group_size": 0}, "norm.group_size=0"),
        ({"norm": "iternorm"}, {"norm.iterations": 0}, "norm.iterations=0"),
        ({"norm": "spectral"}, {"norm.power_iterations": 0}, "power_iterations"),
        ({"norm": "group"}, {"norm.num_groups": 0}, "norm.num_groups"),
        ({}, {"data.shift": {"start": 2}}, "data.shift.start"),
        ({}, {"data.shift": {"start": 0.5, "scale": 0}}, "leaves nothing"),
        ({}, {"optimizer.lr": math.inf}, "optimizer.lr"),
        ({}, {"seed": -1}, "seed"),
        ({}, {"seed": 2**64}, "seed"),
        ({}, {"data.batch_size": 10**30}, "data.batch_size"),
        ({}, {"net.widths": []}, "net.widths"),
        ({}, {"numerics.threads": 10**9}, "numerics.threads"),
        ({}, {"training.epochs": math.nan}, "training.epochs"),
    ],
)
def test_out_of_range(compose: Composer, group: dict[str, str], values: dict[str, Any], words: str) -> None:
    with pytest.raises(NormlabError, match=words.replace("(", "\\(")):
        train(compose({**BASE, **group, **values}))


@pytest.mark.parametrize("name", [name for name in METHODS if name != "custom"])
@settings(max_examples=4, deadline=None, derandomize=True)
@given(data=st.data())
def test_options_of_every_method(name: str, data: st.DataObject) -> None:
    compose = Composer()
    options = [f"norm.{key}" for key in compose({"norm": name}).norm.model_dump(exclude={"name"}, exclude_none=True)]
    if not options:
        return
    changes = data.draw(st.dictionaries(st.sampled_from(options), VALUES, min_size=1, max_size=2))
    with suppress(NormlabError):
        train(compose({**BASE, "norm": name, **changes}))
