"""A generative adversarial net on small images: two nets, two optimizers, steps that alternate."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from normlab.config import DataConfig, NetConfig, RunConfig, StopConfig
from normlab.core.metric import GENERATION
from normlab.data import find_image_set
from normlab.data.batches import FIXED, Batches, load_splits
from normlab.errors import NormlabError
from normlab.nets import make_net, net_version
from normlab.nets.block import Parts
from normlab.seeds import generator
from normlab.tasks import quality
from normlab.tasks.task import Task
from normlab.training.as_seen import placed, planned_steps
from normlab.training.optim import make_optimizer, make_schedule
from normlab.training.savepoint import put_back, state_of

NOISE = 32  # numbers that an image is made of
FAKES = 1000  # images that are compared with as many real ones


def build_generator(parts: Parts, shape: tuple[int, int, int], classes: int) -> nn.Module:
    """Noise (N, 32) → images (N, ``shape``): a linear layer to maps of a quarter of the side, and two stages that double it, each
    upsampling → convolution → norm → ReLU, with a tanh over a last convolution (after Radford et al. 2016).
    """
    del classes
    parts.refuse_dropout()
    channels, height, width = shape
    side, wide = (height // 4, width // 4), parts.net.widths[-1]
    layers: list[nn.Module] = [nn.Linear(NOISE, wide * side[0] * side[1]), nn.Unflatten(1, (wide, *side))]
    before = wide
    for features in reversed(parts.net.widths):
        norm = parts.norm(features, "conv")
        layers += [nn.Upsample(scale_factor=2), parts.stage(parts.conv(before, features, norm), norm)]
        before = features
    return nn.Sequential(*layers, parts.plain_conv(before, channels), nn.Tanh())


def build_discriminator(parts: Parts, shape: tuple[int, int, int], classes: int) -> nn.Module:
    """Images → (N, 1) logits of being real: a stage a width, each a convolution that halves the side → norm → leaky ReLU, without a
    norm in the first (Radford et al. 2016).
    """
    del classes
    channels, height, width = shape
    layers: list[nn.Module] = []
    for index, features in enumerate(parts.net.widths):
        norm = parts.norm(features, "conv") if index else nn.Identity()
        conv = (
            parts.conv(channels, features, norm, stride=2) if index else parts.plain_conv(channels, features, stride=2)
        )
        layers += [conv, norm, nn.LeakyReLU(0.2)]
        channels, height, width = features, -(-height // 2), -(-width // 2)
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels * height * width, 1))


GENERATORS = {"dcgan": (build_generator, 2)}  # 2: judged in features of a classifier
DISCRIMINATORS = {"dcgan": (build_discriminator, 1)}


class Adversaries:
    """The discriminator learns to tell real images from made ones, then the generator to be taken for real (non-saturating loss,
    Goodfellow et al. 2014); a step is one of each, on the same noise.
    """

    metrics = tuple(GENERATION)

    def __init__(self, config: RunConfig, device: torch.device) -> None:
        self.config, self.device = config, device
        self.splits = placed(load_splits(config.data, config.seed), device, config)
        shape, white = self.splits.shape, self.splits.train.images.abs().amax()
        if shape[1] % 4 or shape[2] % 4 or len(config.net.widths) != 2:
            raise NormlabError(
                f"net=dcgan has two widths and makes images whose side is a multiple of 4, not {shape[1]}×{shape[2]}"
            )
        self.scale = white.clamp(min=1.0)  # the generator's tanh ends at 1
        self.nets = nets_of(config, shape).to(device)
        self.generator, self.discriminator = self.nets["generator"], self.nets["discriminator"]
        self.batches = Batches(self.splits.train, config.data, config.seed)
        self.steps, self.per_epoch = planned_steps(config, self.batches.per_epoch)
        self.optimizers = [
            make_optimizer(config.optimizer, net.parameters()) for net in (self.discriminator, self.generator)
        ]
        schedules = [make_schedule(config.schedule, o, config.optimizer.lr, self.steps) for o in self.optimizers]
        self.schedules = [schedule for schedule in schedules if schedule]
        self.source = generator(config.seed, "noise")
        self._stream = iter(self.batches)
        self.nets.train()

    def step(self, number: int, loss: Tensor) -> None:
        real, _ = next(self._stream)
        fake = self.generator(self._noise(len(real), self.source)) * self.scale
        tell, make = self.optimizers
        # Real and made images apart: a norm that mixes samples would show the discriminator which company an image keeps.
        told = (self._judged(real, 1.0) + self._judged(fake.detach(), 0.0)) / 2
        told.backward()
        tell.step()
        made = self._judged(fake, 1.0)
        made.backward()
        make.step()
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none=True)
        for schedule in self.schedules:
            schedule.step()
        loss += told.detach() + made.detach()

    def _judged(self, images: Tensor, truth: float) -> Tensor:
        """The discriminator's loss on images that are all real (1) or all made (0)."""
        said = self.discriminator(images)
        return F.binary_cross_entropy_with_logits(said, torch.full_like(said, truth))

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        found = self._quality("validation")
        self.nets.train()
        return found

    def probe(self) -> Tensor:
        raise NormlabError("measure.probe_loss: task=gan has no loss that falls")

    def reached(self, stop: StopConfig, losses: Tensor) -> bool:
        raise NormlabError("training.stop: task=gan has no loss that falls")

    @torch.no_grad()
    def measure(self) -> dict[str, float]:
        return self._quality("validation") | self._quality("test")

    def facts(self) -> dict[str, float]:
        return {"num_parameters": sum(p.numel() for p in self.nets.parameters()), "nothing": 0.0}

    def failed_step(self, losses: Tensor) -> int | None:
        """The first step whose loss is not finite."""
        broken = (~torch.isfinite(losses)).nonzero()
        return int(broken[0]) + 1 if len(broken) else None

    def weights(self) -> dict[str, Tensor]:
        return {name: value.detach().cpu().clone() for name, value in self.nets.state_dict().items()}

    def state(self) -> dict[str, Any]:
        return state_of(self.nets) | {
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "schedules": [schedule.state_dict() for schedule in self.schedules],
            "batches": self.batches.state(),
            "noise": self.source.get_state(),
        }

    def go_on(self, state: Mapping[str, Any]) -> None:
        put_back(self.nets, state)
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        for schedule, saved in zip(self.schedules, state["schedules"], strict=True):
            schedule.load_state_dict(saved)
        self.batches.go_on(state["batches"])
        self.source.set_state(state["noise"])

    def _noise(self, count: int, source: torch.Generator) -> Tensor:
        return torch.randn(count, NOISE, generator=source).to(self.device)

    def _quality(self, part: str) -> dict[str, float]:
        """Of images made of a fixed noise, in evaluation mode, against the first ones of a split."""
        self.generator.eval()
        made = self.generator(self._noise(FAKES, generator(FIXED, f"noise/{part}"))) * self.scale
        features = quality.features_of(self.config.data.name)
        real = features(getattr(self.splits, part).images[:FAKES].cpu())
        return {f"{part}_{name}": value for name, value in quality.measures(real, features(made.cpu())).items()}


def make(config: RunConfig, device: torch.device, pretrained: Mapping[str, Tensor] | None) -> Adversaries:
    """The two nets on a data set of :mod:`normlab.data`.

    Raises:
        NormlabError: for what only a net that learns labels has.
    """
    refused: Sequence[tuple[str, bool]] = (
        ("source", pretrained is not None),
        ("training.accumulate", config.training.accumulate > 1),
        ("training.clip_norm", config.training.clip_norm is not None),
        ("training.stop", config.training.stop is not None),
        ("training.statistics", config.training.statistics != "batch"),
        ("measure.probe_loss", config.measure.probe_loss),
        ("numerics.cuda_graph", config.numerics.cuda_graph),
        ("numerics.checkpoint", config.numerics.checkpoint),
        ("data.shift", config.data.shift is not None),
        ("data.enlarge", config.data.enlarge > 1),
    )
    for name, given in refused:
        if given:
            raise NormlabError(f"{name} is nothing that task=gan knows")
    return Adversaries(config, device)


def nets_of(config: RunConfig, shape: tuple[int, int, int]) -> nn.ModuleDict:
    """Both nets for images of that shape."""
    kinds = {"generator": GENERATORS, "discriminator": DISCRIMINATORS}
    made = {name: make_net(config.net, config.norm, shape, 1, config.seed, nets) for name, nets in kinds.items()}
    return nn.ModuleDict(made)


def net_of(config: RunConfig) -> nn.Module:
    """Both nets, for which the data set's shape is enough."""
    return nets_of(config, find_image_set(config.data.name).shape)


def data_version(data: DataConfig) -> int | str:
    return find_image_set(data.name).version


def version(net: NetConfig) -> str:
    return f"{net_version(net, GENERATORS)}-{quality.VERSION}"


def cost(config: RunConfig) -> float:
    channels, height, width = find_image_set(config.data.name).shape
    images = config.training.epochs * (config.data.train_size or 50_000)
    return images * channels * height * width * sum(config.net.widths) * 1e-5


TASK = Task("gan", GENERATION, make, net_of, data_version, version, cost)
