"""Deep Q-learning: what is learned from, and worlds that can be left and entered again."""

import builtins
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from normlab.config import RunConfig
from normlab.errors import NormlabError
from normlab.sweeps.compose import Composer
from normlab.tasks import control, train
from normlab.tasks.control import DISCOUNT, Agent, World, mean_return
from tests.training.test_savepoint import interrupted, same

CARTPOLE = {
    "task": "control",
    "data": "cartpole",
    "data.train_size": 600,
    "data.validation_size": 5,
    "data.test_size": 5,
    "net": "mlp",
    "net.widths": [8],
    "optimizer": "adam",
    "optimizer.lr": 0.003,
    "training.epochs": 2,
}


@pytest.fixture
def config(composer: Composer) -> RunConfig:
    return composer({**CARTPOLE, "norm": "batch"})


@pytest.mark.parametrize("name", list(control.ENVIRONMENTS))
def test_a_world_goes_on_where_it_was_left(name: str) -> None:
    actions = np.random.default_rng(0).integers(0, control.ENVIRONMENTS[name][2], 60).tolist()

    def played(world: World, actions: list[int]) -> list[Tensor]:
        seen = []
        for action in actions:
            then, _, _, over = world.act(action)
            seen.append(then if not over else world.begin())
        return seen

    one, other = World(name, seed=3), World(name, seed=9)
    played(one, actions[:25])
    other.go_on({**one.state()})
    other.seed = one.seed
    for a, b in zip(played(one, actions[25:]), played(other, actions[25:]), strict=True):
        assert torch.equal(a, b)


def test_it_has_as_many_numbers_and_actions_as_gymnasium_says() -> None:
    for name, (_, observed, actions, _) in control.ENVIRONMENTS.items():
        world = World(name, seed=0)
        assert world.seen.shape == (observed,)
        assert world.env.action_space.n == actions


def test_episodes_end_at_their_limit_which_is_no_end_of_the_world() -> None:
    world = World("acrobot", seed=0)
    for step in range(world.limit):
        _, reward, ended, over = world.act(1)
        assert (reward, ended) == (-1.0, False)
        assert over == (step == world.limit - 1)


def test_a_pole_that_is_always_pushed_one_way_falls_within_a_dozen_steps() -> None:
    assert 5 < mean_return("cartpole", lambda seen: torch.zeros(len(seen), dtype=torch.int64), 10, seed=0) < 13
    balanced = mean_return("cartpole", lambda seen: (seen[:, 2] + seen[:, 3] > 0).long(), 10, seed=0)
    assert balanced > 100


def test_what_is_aimed_at_is_the_formula(config: RunConfig) -> None:
    agent, loss = Agent(config, torch.device("cpu")), torch.zeros(())
    for number in range(control.FIRST - 1):
        agent.step(number, loss)
    assert loss == 0  # nothing is learned before
    agent.target.load_state_dict({k: v + 0.1 for k, v in agent.net.state_dict().items()})
    source = agent.source.get_state()
    chosen = torch.randint(0, agent.known, (config.data.batch_size,), generator=agent.source)
    agent.source.set_state(source)
    batch, before = agent.memory[chosen], {k: v.clone() for k, v in agent.net.state_dict().items()}
    found = agent._learn()
    agent.net.load_state_dict(before)
    seen, then, action, reward, ended = batch[:, :4], batch[:, 4:8], batch[:, 8].long(), batch[:, 9], batch[:, 10]
    rows = torch.arange(len(batch))
    with torch.no_grad():
        best = agent.net.eval()(then[:, None, None]).argmax(1)
        wanted = reward + DISCOUNT * (1 - ended) * agent.target(then[:, None, None])[rows, best]
        said = agent.net.train()(seen[:, None, None])[rows, action]
    torch.testing.assert_close(found, F.smooth_l1_loss(said, wanted))
    assert ended.sum() > 0


def test_the_target_net_is_the_copy_of_the_net_from_time_to_time(config: RunConfig) -> None:
    agent = Agent(config, torch.device("cpu"))
    for number in range(3 * control.SYNC - 1):
        agent.step(number, torch.zeros(()))
    weights = [name for name, _ in agent.net.named_parameters()]
    assert any(not torch.equal(agent.net.state_dict()[n], agent.target.state_dict()[n]) for n in weights)
    agent.step(3 * control.SYNC - 1, torch.zeros(()))
    for name, value in agent.net.state_dict().items():
        assert torch.equal(value, agent.target.state_dict()[name])


@pytest.mark.parametrize("overrides", [{"net.dropout": 0.2}, {"norm": "cross_iteration"}])
def test_what_nets_draw_and_remember_goes_on_too(composer: Composer, tmp_path: Path, overrides: dict[str, Any]) -> None:
    config = composer({**CARTPOLE, "norm": "batch", **overrides})
    same(interrupted(config, tmp_path / "savepoint.pt", [701]), train(config))


def test_returns_are_read_with_recalibrated_statistics_too(composer: Composer) -> None:
    found = {norm: train(composer({**CARTPOLE, "norm": norm})).measures for norm in ("batch", "layer")}
    for norm, measures in found.items():
        assert ("test_return_recalibrated" in measures) is True, norm
    assert found["layer"]["test_return_recalibrated"] == found["layer"]["test_return"]


def test_a_run_that_diverges_counts_as_acting_at_random(composer: Composer) -> None:
    result = train(composer({**CARTPOLE, "norm": "none", "optimizer": "sgd", "optimizer.lr": 1e20}))
    assert result.status == "diverged"
    assert 15 < result.measures["random_return"] < 35


def test_it_learns_to_balance(composer: Composer) -> None:
    longer = {"data.train_size": 4000, "training.epochs": 1, "net.widths": [32, 32], "data.batch_size": 32}
    result = train(composer({**CARTPOLE, **longer, "norm": "none", "measure.validate_every": 0.1}))
    best = max(row["validation_return"] for row in result.history if row["validation_return"])
    assert best > 2.5 * result.measures["random_return"]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"data": "digits"}, "task=control acts in data=cartpole, acrobot, not in data=digits"),
        ({"data.augment": "crop"}, "data.augment: environments have none"),
        ({"measure.probe_loss": True}, "measure.probe_loss is nothing that task=control knows"),
        ({"net": "cnn"}, "unknown net 'cnn' for this task"),
        ({"numerics.amp": True}, "numerics.amp is nothing that task=control knows"),
        ({"training.epochs": 0.5}, "300 steps in the environment: learning begins after 500"),
        ({"norm": "instance"}, "one value a channel"),
    ],
)
def test_what_does_not_fit_is_refused(composer: Composer, overrides: dict[str, Any], message: str) -> None:
    with pytest.raises(NormlabError, match=message):
        train(composer({**CARTPOLE, **overrides}))


def test_where_gymnasium_is_not_installed_a_line_says_so(config: RunConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def refuse(name: str, *rest: Any, **options: Any) -> Any:
        if name == "gymnasium":
            raise ImportError(name)
        return real(name, *rest, **options)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(NormlabError, match=r"pip install 'normlab\[control\]'"):
        train(config)
