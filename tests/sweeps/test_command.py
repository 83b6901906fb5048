"""With -m a setting means what Hydra says it means: every key in every form, against the single run of the same words."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hydra import initialize_config_dir
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from normlab.core.design import config_dir
from normlab.errors import NormlabError
from normlab.sweeps.command import Command, Jobs

REFUSALS = (NormlabError, HydraException, OmegaConfBaseException)
BASE = ["data.train_size=200", "training.epochs=1"]


@pytest.fixture(scope="module")
def loader() -> Iterator[ConfigLoader]:
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        yield GlobalHydra.instance().config_loader()


def single(loader: ConfigLoader, words: Sequence[str]) -> Command | str:
    """What the words mean for one run, or that they are refused."""
    try:
        return Command.of(loader.load_configuration("train", [*BASE, *words], RunMode.RUN))
    except REFUSALS:
        return "refused"


def many(loader: ConfigLoader, words: Sequence[str]) -> list[Command] | str:
    try:
        arguments = [*BASE, *words]
        return list(Jobs(loader, loader.load_configuration("train", arguments, RunMode.MULTIRUN), arguments))
    except REFUSALS:
        return "refused"


def leaves(node: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in node.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield prefix + str(key), value


def keys() -> list[tuple[str, Any]]:
    """Every key that a command line can set, with a value that it can have."""
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        config = GlobalHydra.instance().config_loader().load_configuration("train", [], RunMode.RUN)
    content: Any = OmegaConf.to_container(config, resolve=False)
    found = [
        (k, v) for k, v in leaves({n: v for n, v in content.items() if n != "hydra"}) if not k.startswith("sweep.")
    ]
    return [(k, v) for k, v in found if k not in ("experiment", "results", "scale.name")]


def text(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ",".join(map(text, value)) + "]"
    return {None: "null", True: "true", False: "false"}.get(value, str(value)) if not isinstance(value, dict) else "{}"


def forms(key: str, value: Any) -> dict[str, list[str]]:
    plain = text(value)
    found = {
        "as it is": [f"{key}={plain}"],
        "forced": [f"++{key}={plain}"],
        "added": [f"+{key}={plain}"],
        "deleted": [f"~{key}"],
        "deleted by value": [f"~{key}={plain}"],
        "of the environment": [f"{key}=${{oc.env:NORMLAB_ABSENT,{plain}}}"]
        if not isinstance(value, list | dict)
        else [],
        "of another key": [f"{key}=${{.twin}}", f"+{key.rpartition('.')[0]}.twin={plain}"] if "." in key else [],
        "quoted": [f"{key}='{plain}'"],
        "cast": [f"{key}=str({plain})"] if not isinstance(value, list | dict) else [],
        "misspelt": [f"{key}x={plain}"],
        "nonsense": [f"{key}='no such thing'"],
    }
    return {name: words for name, words in found.items() if words}


KEYS = keys()
FORMS = list(forms("data.batch_size", 128))


@pytest.mark.parametrize(
    ("place", "key", "value"), [(i, k, v) for i, (k, v) in enumerate(KEYS)], ids=[k for k, _ in KEYS]
)
def test_one_value_with_m_is_the_single_run(loader: ConfigLoader, place: int, key: str, value: Any) -> None:
    """Of every key a fifth of the forms, turning, so that all meet all kinds of values."""
    words = forms(key, value)
    for turn, name in enumerate(words):
        if (turn + place) % 5 == 0:
            one, found = single(loader, words[name]), many(loader, words[name])
            assert (found if isinstance(found, str) else found[0]) == one, name


@pytest.mark.parametrize(
    ("words", "singles"),
    [
        ("optimizer.lr=0.1,0.3", ["optimizer.lr=0.1", "optimizer.lr=0.3"]),
        ("seed=range(3)", ["seed=0", "seed=1", "seed=2"]),
        ("seed=range(1,6,step=2)", ["seed=1", "seed=3", "seed=5"]),
        ("norm=glob(r*)", ["norm=renorm", "norm=rms"]),
        ("norm=glob(*,exclude=[a*,b*,c*,d*,e*,f*,g*,i*,l*,n*,r*,s*])", ["norm=weight", "norm=weight_standardization"]),
        ("net.activation='relu','tanh'", ["net.activation=relu", "net.activation=tanh"]),
        ("net.activation=choice(relu,tanh)", ["net.activation=relu", "net.activation=tanh"]),
        ("++norm.eps=1e-5,1e-3", ["norm.eps=1e-5", "norm.eps=1e-3"]),
        ("net.widths=[8],[8,16]", ["net.widths=[8]", "net.widths=[8,16]"]),
        ("data.shift={start: 0.5},null", ["data.shift={start: 0.5}", "data.shift=null"]),
        ("optimizer.lr=${oc.env:NORMLAB_ABSENT,0.2},0.1", ["optimizer.lr=0.2", "optimizer.lr=0.1"]),
        ("evaluation=training_memory,layer_inputs", ["evaluation=training_memory", "evaluation=layer_inputs"]),
        ("evaluation=[training_memory],null", ["evaluation=[training_memory]", "evaluation=null"]),
        ("optimizer=sgd,adam", ["optimizer=sgd", "optimizer=adam"]),
        ("data.augment=str(none),crop", ["data.augment=none", "data.augment=crop"]),
    ],
)
def test_a_sweep_is_its_single_runs(loader: ConfigLoader, words: str, singles: list[str]) -> None:
    found = many(loader, [words])
    assert found != "refused"
    assert found == [single(loader, [each]) for each in singles]


def test_combinations_come_in_hydras_order(loader: ConfigLoader) -> None:
    found = many(loader, ["norm=batch,layer", "seed=0,1", "optimizer.lr=0.2"])
    assert [(c.run.norm.name, c.run.seed, c.run.optimizer.lr) for c in found] == [  # type: ignore[union-attr]
        (norm, seed, 0.2) for norm in ("batch", "layer") for seed in (0, 1)
    ]


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["scale=quick,cpu"], "scale"),
        (["results=a,b"], "results"),
        (["tracker=none,wandb"], "tracker"),
        (["sweep.workers=1,2"], "sweep"),
        (["seed=interval(0,3)"], "interval"),
        (["sweep.grids=[a]"], "sweep.grids"),
        (["sweep.settings=[a]"], "sweep.settings"),
        (["+foo=1"], "foo"),
        (["evaluation=nothing"], "nothing"),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_name(loader: ConfigLoader, words: list[str], name: str) -> None:
    with pytest.raises(NormlabError, match=name):
        list(Jobs(loader, loader.load_configuration("train", words, RunMode.MULTIRUN), words))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["optimizer.lr=0.1,0.3"], "axes of its own"),
        (["evaluation=corruptions"], "says itself what it evaluates"),
    ],
)
def test_an_experiment_takes_single_values(loader: ConfigLoader, words: list[str], message: str) -> None:
    words = ["experiment=placement", *words]
    with pytest.raises(NormlabError, match=message):
        Jobs(loader, loader.load_configuration("train", words, RunMode.MULTIRUN), words).experiments()


def test_an_experiment_is_given_what_the_command_line_sets(
    loader: ConfigLoader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RATE", "0.25")
    words = [
        "experiment=placement,momentum",
        "norm=layer",
        "optimizer.lr=${oc.env:RATE}",
        "+norm.more='a, b'",
        "net.widths=[8]",
    ]
    jobs = Jobs(loader, loader.load_configuration("train", words, RunMode.MULTIRUN), words)
    assert [c.experiment["name"] for c in jobs.experiments() if c.experiment] == ["placement", "momentum"]
    assert jobs.set_for_all() == {"norm": "layer", "optimizer.lr": "0.25", "+norm.more": "a, b", "net.widths": [8]}
    words = ["experiment=placement", "~norm.eps"]
    with pytest.raises(NormlabError, match="set a value instead"):
        Jobs(loader, loader.load_configuration("train", words, RunMode.MULTIRUN), words).set_for_all()
