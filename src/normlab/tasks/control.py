"""Control: a net learns from what happens which action is worth most (deep Q-learning)."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from normlab.config import DataConfig, NetConfig, RunConfig, StopConfig
from normlab.core.metric import RETURN
from normlab.data.batches import FIXED, refuse_what_images_have
from normlab.errors import NormlabError
from normlab.nets import make_net, mlp, net_version
from normlab.seeds import generator
from normlab.tasks.task import Task
from normlab.training.optim import make_optimizer, make_schedule
from normlab.training.savepoint import put_back, state_of
from normlab.training.statistics import can_recalibrate, recalibrated

# name: (its name in gymnasium, numbers that are observed, actions, version)
ENVIRONMENTS = {"cartpole": ("CartPole-v1", 4, 2, 1), "acrobot": ("Acrobot-v1", 6, 3, 1)}
NETS = {"mlp": (mlp.build, 1)}
STEPS = 20_000  # in the environment, where the configuration says nothing
EPISODES = 20  # that a net is tested on, likewise
REMEMBERED = 10_000  # transitions
FIRST = 500  # steps before learning starts
SYNC = 250  # steps after which the target net is the net's copy again
EXPLORED = 0.25  # of all steps, over which the share of random actions falls from 1 to LAST
LAST = 0.05
DISCOUNT = 0.99
EXTRA = "normlab[control]"
ARITHMETIC = 1  # bumped when what is learned from, or how it is explored, changes; part of every run's key

Policy = Callable[[Tensor], Tensor]


class World:
    """One environment, whose state can be taken and put back: episodes start by seeds of their own, so that nothing in it is drawn."""

    def __init__(self, name: str, seed: int) -> None:
        try:
            import gymnasium
        except ImportError:
            raise NormlabError(f"task=control acts in gymnasium's environments: pip install '{EXTRA}'") from None
        made = gymnasium.make(ENVIRONMENTS[name][0])
        assert made.spec is not None
        assert made.spec.max_episode_steps is not None
        self.env: Any = made.unwrapped
        self.limit, self.seed = made.spec.max_episode_steps, seed
        self.episode = self.elapsed = 0
        self.seen = self.begin()

    def begin(self) -> Tensor:
        """The first observation of the next episode."""
        drawn = generator(self.seed, f"episode/{self.episode}").initial_seed() % 2**31
        self.episode, self.elapsed = self.episode + 1, 0
        self.seen = torch.from_numpy(self.env.reset(seed=drawn)[0]).float()
        return self.seen

    def act(self, action: int) -> tuple[Tensor, float, bool, bool]:
        """What is observed then, the reward, whether the episode came to an end, and whether it is over: also by its time limit."""
        seen, reward, ended, _, _ = self.env.step(action)
        self.elapsed += 1
        self.seen = torch.from_numpy(np.asarray(seen)).float()
        return self.seen, float(reward), bool(ended), bool(ended) or self.elapsed >= self.limit

    def state(self) -> dict[str, Any]:
        """Where it is, as plain data."""
        physics = [float(value) for value in self.env.state]
        return {"episode": self.episode, "elapsed": self.elapsed, "physics": physics, "seen": self.seen}

    def go_on(self, state: Mapping[str, Any]) -> None:
        """Put it where :meth:`state` was taken."""
        self.episode = state["episode"] - 1
        self.begin()
        self.env.state = np.array(state["physics"])
        self.elapsed, self.seen = state["elapsed"], state["seen"]


@torch.no_grad()
def mean_return(name: str, policy: Policy, episodes: int, seed: int) -> float:
    """The mean over ``episodes`` of their rewards, all played side by side; ``policy`` says the actions (N,) at observations (N, F)."""
    worlds = [World(name, int(generator(seed, f"world/{index}").initial_seed() % 2**31)) for index in range(episodes)]
    total = 0.0
    playing = worlds
    while playing:
        actions = policy(torch.stack([world.seen for world in playing])).tolist()
        told = [(world, world.act(action)) for world, action in zip(playing, actions, strict=True)]
        total += sum(reward for _, (_, reward, _, _) in told)
        playing = [world for world, (_, _, _, over) in told if not over]
    return total / episodes


class Agent:
    """Q(s, a) ← r + γ·Q'(s', argmax Q(s', ·)), with γ = 0.99, a target net Q' that is the net's copy every 250 steps, and batches of the
    10,000 transitions last seen; a step is one action and, after the first 500, one step of the optimizer on the Huber loss.

    Actions are those of the net in evaluation mode, or random: always at first, down to one in twenty after a quarter of all steps. The
    target net is in evaluation mode, too: batch norm learns with the statistics of the batch, and acts and aims with running ones.

    Papers: Mnih et al. 2015; van Hasselt et al. 2016 (the action is chosen by the net, valued by its copy).
    """

    metrics = (RETURN.name,)

    def __init__(self, config: RunConfig, device: torch.device) -> None:
        self.config, self.device, self.name = config, device, config.data.name
        _, self.observed, self.actions, _ = environment(config.data)
        self.net, self.target = net_of(config).to(device), net_of(config).to(device)
        self.target.load_state_dict(self.net.state_dict())
        self.target.eval()
        self.per_epoch = config.data.train_size or STEPS
        self.steps = round(config.training.epochs * self.per_epoch)
        self.optimizer = make_optimizer(config.optimizer, self.net.parameters())
        self.first = max(FIRST, config.data.batch_size)  # steps after which it has seen enough to learn from
        self.schedule = make_schedule(
            config.schedule, self.optimizer, config.optimizer.lr, max(1, self.steps - self.first + 1)
        )
        self.world = World(self.name, config.seed)
        self.source = generator(config.seed, "exploration")
        # (s, s', action, reward, whether the episode ended)
        self.memory = torch.zeros(REMEMBERED, 2 * self.observed + 3)
        self.known = 0

    def step(self, number: int, loss: Tensor) -> None:
        seen = self.world.seen
        action = self._action(seen, number)
        then, reward, ended, over = self.world.act(action)
        told = torch.tensor([float(action), reward, float(ended)])
        self.memory[number % REMEMBERED] = torch.cat([seen, then, told])
        self.known = min(number + 1, REMEMBERED)
        if over:
            self.world.begin()
        if number + 1 >= self.first:
            loss += self._learn()
            if self.schedule:
                self.schedule.step()
        if (number + 1) % SYNC == 0:
            self.target.load_state_dict(self.net.state_dict())

    def _action(self, seen: Tensor, number: int) -> int:
        share = max(LAST, 1 - (1 - LAST) * number / max(1.0, EXPLORED * self.steps))
        if torch.rand((), generator=self.source) < share:
            return int(torch.randint(0, self.actions, (), generator=self.source))
        return int(self._best(seen[None]))

    @torch.no_grad()
    def _best(self, seen: Tensor) -> Tensor:
        """The actions that the net in evaluation mode thinks best."""
        self.net.eval()
        found: Tensor = self.net(_as_input(seen.to(self.device))).argmax(1)
        return found.cpu()

    def _learn(self) -> Tensor:
        chosen = torch.randint(0, self.known, (self.config.data.batch_size,), generator=self.source)
        batch = self.memory[chosen].to(self.device)
        seen, then, (action, reward, ended) = *batch[:, :-3].chunk(2, dim=1), batch[:, -3:].T
        with torch.no_grad():
            self.net.eval()
            best = self.net(_as_input(then)).argmax(1, keepdim=True)
            wanted = reward + DISCOUNT * (1 - ended) * self.target(_as_input(then)).gather(1, best)[:, 0]
        self.net.train()
        said = self.net(_as_input(seen)).gather(1, action.long()[:, None])[:, 0]
        found = F.smooth_l1_loss(said, wanted)
        found.backward()
        if self.config.training.clip_norm is not None:
            nn.utils.clip_grad_norm_(self.net.parameters(), self.config.training.clip_norm)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return found.detach()

    def validate(self) -> dict[str, float]:
        return {f"validation_{RETURN.name}": self._played(self.config.data.validation_size, "validation")}

    def measure(self) -> dict[str, float]:
        """As played with running statistics, and with ones recalibrated over what was last seen (``_recalibrated``)."""
        measures = {}
        parts = {"validation": self.config.data.validation_size, "test": self.config.data.test_size or EPISODES}
        for part, episodes in parts.items():
            measures[f"{part}_{RETURN.name}"] = self._played(episodes, part)
        if can_recalibrate(self.net):
            seen = _as_input(self.memory[: self.known, : self.observed].to(self.device))
            with recalibrated(self.net, seen):
                for part, episodes in parts.items():
                    measures[f"{part}_{RETURN.name}_recalibrated"] = self._played(episodes, part)
        return measures

    def _played(self, episodes: int, part: str) -> float:
        """The same episodes for all runs."""
        return mean_return(self.name, self._best, episodes, generator(FIXED, part).initial_seed() % 2**31)

    def probe(self) -> Tensor:
        raise NormlabError("measure.probe_loss: task=control has no loss that falls")

    def reached(self, stop: StopConfig, losses: Tensor) -> bool:
        raise NormlabError("training.stop: task=control has no loss that falls")

    def facts(self) -> dict[str, float]:
        source = generator(FIXED, "random policy")

        def random(seen: Tensor) -> Tensor:
            return torch.randint(0, self.actions, (len(seen),), generator=source)

        by_chance = mean_return(self.name, random, EPISODES, FIXED)
        return {"num_parameters": sum(p.numel() for p in self.net.parameters()), "random_return": by_chance}

    def failed_step(self, losses: Tensor) -> int | None:
        """The first step whose loss is not finite."""
        broken = (~torch.isfinite(losses)).nonzero()
        return int(broken[0]) + 1 if len(broken) else None

    def weights(self) -> dict[str, Tensor]:
        return {name: value.detach().cpu().clone() for name, value in self.net.state_dict().items()}

    def state(self) -> dict[str, Any]:
        return state_of(self.net) | {
            "target": self.target.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict() if self.schedule else None,
            "world": self.world.state(),
            "memory": self.memory[: self.known],
            "exploration": self.source.get_state(),
        }

    def go_on(self, state: Mapping[str, Any]) -> None:
        put_back(self.net, state)
        self.target.load_state_dict(state["target"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.schedule:
            self.schedule.load_state_dict(state["schedule"])
        self.world.go_on(state["world"])
        self.known = len(state["memory"])
        self.memory[: self.known] = state["memory"]
        self.source.set_state(state["exploration"])


def _as_input(seen: Tensor) -> Tensor:
    """Observations (N, F) in the shape of images, (N, 1, 1, F)."""
    return seen[:, None, None]


def make(config: RunConfig, device: torch.device, pretrained: Mapping[str, Tensor] | None) -> Agent:
    """An agent that knows nothing yet.

    Raises:
        NormlabError: for an environment that there is not, or what only a net that learns labels has.
    """
    refuse_what_images_have(config.data, "environments")
    refused = {
        "source": pretrained is not None,
        "training.accumulate": config.training.accumulate > 1,
        "training.stop": config.training.stop is not None,
        "training.statistics": config.training.statistics != "batch",
        "measure.probe_loss": config.measure.probe_loss,
        "measure.train_set": config.measure.train_set,
        "numerics.cuda_graph": config.numerics.cuda_graph,
        "numerics.checkpoint": config.numerics.checkpoint,
        "numerics.amp": config.numerics.amp,
        "measure.phases": config.measure.phases is not None,
    }
    for name in (name for name, given in refused.items() if given):
        raise NormlabError(f"{name} is nothing that task=control knows")
    agent = Agent(config, device)
    if agent.steps < agent.first:
        raise NormlabError(
            f"{agent.steps} steps in the environment: learning begins after {agent.first}; take more of data.train_size"
        )
    return agent


def net_of(config: RunConfig) -> nn.Module:
    """The net: observations in, what each action is worth out.

    Raises:
        NormlabError: for an environment that there is not.
    """
    _, observed, actions, _ = environment(config.data)
    return make_net(config.net, config.norm, (1, 1, observed), actions, config.seed, NETS)


def environment(data: DataConfig) -> tuple[str, int, int, int]:
    """What is known of an environment.

    Raises:
        NormlabError: if there is none of that name.
    """
    if data.name not in ENVIRONMENTS:
        raise NormlabError(f"task=control acts in data={', '.join(ENVIRONMENTS)}, not in data={data.name}")
    return ENVIRONMENTS[data.name]


def data_version(data: DataConfig) -> int:
    return ENVIRONMENTS[data.name][3] if data.name in ENVIRONMENTS else 0


def version(net: NetConfig) -> str:
    return f"{net_version(net, NETS)}-{ARITHMETIC}"


def cost(config: RunConfig) -> float:
    return config.training.epochs * (config.data.train_size or STEPS) * 0.02


TASK = Task("control", {RETURN.name: RETURN}, make, net_of, data_version, version, cost, ("gymnasium",))
