"""Every configuration composes, every experiment expands, and every claim finds its arms."""

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from torch import nn

from experiments import LOCK, NAMES, all_experiments, load_experiment
from normlab.config import RunConfig
from normlab.core.claim import Pick
from normlab.core.design import config_dir
from normlab.errors import NormlabError
from normlab.norms import METHODS
from normlab.runs.key import run_key
from normlab.runs.store import Store
from normlab.sweeps.compose import Composer
from normlab.sweeps.expand import Expander
from normlab.verdicts.registry import claim_hash, grids_of, make_lock, read_lock, register, registered

GROUPS = ("data", "net", "norm", "optimizer", "schedule")
CHOICES = [(group, file.stem) for group in GROUPS for file in sorted((config_dir() / group).glob("*.yaml"))]


OWN = {("norm", "custom"), ("net", "custom"), ("data", "own")}  # which are nothing without what they name
BESIDE: dict[tuple[str, str], dict[str, str]] = {  # what a choice cannot do without
    ("norm", "custom"): {"norm.target": "torch.nn.Identity"},
    ("net", "custom"): {"net.target": "tests.test_configs:a_net"},
    ("data", "own"): {"data.name": "digits"},
    ("data", "sums"): {"task": "text", "net": "lstm"},
    ("data", "moby_dick"): {"task": "text", "net": "lstm"},
    ("net", "lstm"): {"task": "text", "data": "sums"},
    ("net", "dcgan"): {"task": "gan"},
    ("data", "movielens"): {"task": "recommendation", "net": "collaborative"},
    ("net", "collaborative"): {"task": "recommendation", "data": "movielens"},
    ("net", "transformer"): {"task": "text", "data": "sums"},
    ("net", "unet"): {"task": "segmentation", "data": "mnist"},
    ("net", "detector"): {"task": "detection", "data": "mnist"},
    ("data", "cartpole"): {"task": "control", "net": "mlp"},
    ("data", "acrobot"): {"task": "control", "net": "mlp"},
}


def a_net(num_classes: int, norm_layer: Callable[[int], nn.Module]) -> nn.Module:
    """A net of one's own."""
    return nn.Sequential(nn.Flatten(), nn.LazyLinear(num_classes), norm_layer(num_classes))


@pytest.mark.parametrize(("group", "choice"), CHOICES)
def test_every_choice_composes_and_has_a_key(composer: Composer, group: str, choice: str) -> None:
    overrides = {group: choice} | BESIDE.get((group, choice), {})
    assert len(run_key(composer(overrides))) == 20


@pytest.mark.parametrize("seed", range(4))
def test_options_composed_alone_and_put_together_are_hydras_own_composition(composer: Composer, seed: int) -> None:
    chance = random.Random(seed)
    chosen = {
        group: chance.choice([name for of, name in CHOICES if of == group and (of, name) not in OWN])
        for group in GROUPS
    }
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        whole = compose("train", [f"{group}={option}" for group, option in chosen.items()])
    content = OmegaConf.to_container(whole, resolve=True)
    assert isinstance(content, dict)
    assert composer(chosen) == RunConfig.parse({name: content[name] for name in RunConfig.model_fields})


def test_images_of_ones_own_have_a_name(composer: Composer) -> None:
    with pytest.raises(NormlabError, match=r"data=own: say which, data.name=<name>"):
        run_key(composer({"data": "own"}))


def test_every_method_has_its_configuration() -> None:
    assert {file.stem for file in (config_dir() / "norm").glob("*.yaml")} == set(METHODS)


@pytest.mark.parametrize("experiment", all_experiments(), ids=list(NAMES))
def test_every_claim_finds_its_arms_in_the_design(experiment, composer: Composer, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    for scale in experiment.design.scales:
        expansion = Expander(experiment.design, scale, Store(tmp_path), composer).expand()
        constants = [setting.constants for setting in experiment.design.at(scale).settings.values()]
        for claim in experiment.claims:
            assert isinstance(claim.delta, float) or all(claim.delta in known for known in constants)
            arms = [arm for case in claim.at(scale) for part in case.contrasts for arm in part.arms]
            assert {arm.grid for arm in arms} <= set(grids_of(claim))
            here = set(experiment.design.at(scale).grids or experiment.design.grids)
            cases = [case for case in claim.at(scale) if {arm.grid for part in case.parts for arm in part.arms} <= here]
            for name in {arm.grid for case in cases for part in case.contrasts for arm in part.arms}:
                grid = experiment.design.grids[name].at_scale(scale)
                assert any(plan.grid == name for plan in (*expansion.planned, *expansion.costs))
                levels = set(grid.choose.levels) if grid.choose else set()
                for case in cases:
                    for part in case.contrasts:
                        for arm in part.arms:
                            if arm.grid != name:
                                continue
                            known_axes = {"setting", "level", *grid.axes, *({grid.ladder.over} if grid.ladder else ())}
                            assert set(arm.axes) <= known_axes
                            assert arm.axes.get("level", None) in levels | {None}
                            assert bool(levels) == ("level" in arm.axes), f"{claim.id}: {arm}"
                            for axis, value in arm.axes.items():
                                if axis in grid.axes:
                                    assert value in list(grid.axes[axis]), f"{claim.id}: {axis}={value}"
                            if not isinstance(arm.measure, Pick):
                                (arm.measure or part.measure).format(**constants[0])


def test_claims_are_unique_bilingual_and_locked() -> None:
    experiments = all_experiments()
    claims = [claim for e in experiments for claim in e.claims]
    assert len({claim.id for claim in claims}) == len(claims)
    for claim in claims:
        for text in (claim.statement, claim.method):
            assert text.en.isascii() or any(c in text.en for c in "×γβεδ→−")
            assert any("\u3040" <= c <= "\u30ff" for c in text.ja)
    assert read_lock(LOCK) == make_lock([(e.design, e.claims) for e in experiments])


def test_a_hash_changes_with_substance_and_not_with_words(tmp_path: Path) -> None:
    import dataclasses

    from normlab.core.claim import Text

    experiment = load_experiment("placement")
    claim = experiment.claims[0]
    base = claim_hash(claim, experiment.design, "quick")
    reworded = dataclasses.replace(claim, statement=Text("x", "x"), checked=Text("y", "y"))
    assert claim_hash(reworded, experiment.design, "quick") == base
    assert claim_hash(dataclasses.replace(claim, delta=0.02), experiment.design, "quick") != base
    assert claim_hash(claim, experiment.design, "cpu") != base
    register(tmp_path, {claim.id: base})
    register(tmp_path, {claim.id: "changed", "other": "new"})
    assert registered(tmp_path) == {claim.id: base, "other": "new"}


@pytest.mark.parametrize("experiment", all_experiments(), ids=list(NAMES))
def test_a_run_handed_over_as_plain_data_is_the_same_run(experiment, composer: Composer, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """To workers, to processes of its own, to files."""
    for scale in experiment.design.scales:
        expansion = Expander(experiment.design, scale, Store(tmp_path), composer).expand()
        for plan in (*expansion.planned, *expansion.costs):
            assert RunConfig.parse(json.loads(json.dumps(plan.config.plain()))) == plan.config
