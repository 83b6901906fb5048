"""Learning from labels: one net, one optimizer, batches of (input, label)."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from normlab.config import RunConfig, StopConfig
from normlab.core.metric import CLASSIFICATION
from normlab.data.batches import FIXED, Batches, Split, Splits, as_trained, shift_images
from normlab.errors import NormlabError
from normlab.nets.block import memory_format
from normlab.nets.checkpoint import forward_of
from normlab.seeds import generator
from normlab.training.as_seen import at_end, placed, planned_steps, shift_step
from normlab.training.evaluate import CALIBRATION_IMAGES, evaluate, final_measures
from normlab.training.graph import ReplayedStep, can_be_replayed
from normlab.training.objective import CLASSIFY, Objective
from normlab.training.optim import make_optimizer, make_schedule
from normlab.training.savepoint import Training
from normlab.training.statistics import RunningStatistics, batch_statistics, recalibrate, recalibrated, training_mode
from normlab.training.step import Step

PROBE_SIZE = 256


class Supervised:
    """A net that learns the labels of ``splits``: images (N, C, H, W) with a label each, sequences (N, T) with one a position, or whatever
    an objective compares outputs with.

    Whatever the statistics that norms keep while they train, measures read the configured running averages, and further ones at the end.

    Raises:
        NormlabError: for ``measure.train_set`` or ``training.stop`` where accuracy and loss are not what is measured.
    """

    def __init__(
        self,
        config: RunConfig,
        splits: Splits,
        make: Callable[[], nn.Module],
        device: torch.device,
        pretrained: Mapping[str, Tensor] | None = None,
        objective: Objective = CLASSIFY,
    ) -> None:
        if not CLASSIFICATION.keys() <= objective.metrics.keys():
            read_them = {
                "measure.train_set": config.measure.train_set,
                "training.stop": config.training.stop is not None,
            }
            for option in (name for name, given in read_them.items() if given):
                raise NormlabError(f"{option}: task={config.task} measures no {' and '.join(CLASSIFICATION)}")
        self.config, self.device, self.objective = config, device, objective
        self.metrics = tuple(objective.metrics)
        self.splits = placed(splits, device, config)
        self.net = make()
        if pretrained is not None:
            load_all_but_head(self.net, pretrained)
        self.net.to(device, memory_format=memory_format(config.numerics.layout))  # type: ignore[call-overload]
        self.batches = Batches(self.splits.train, config.data, config.seed)
        self.steps, self.per_epoch = planned_steps(config, self.batches.per_epoch)
        self.shifts_at = shift_step(config, self.steps)
        if config.training.statistics == "target":
            first = self.splits if self.shifts_at else at_end(self.splits, config, self.steps)
            recalibrate(self.net, self._as_trained(first.train))
        self.optimizer = make_optimizer(config.optimizer, self.net.parameters())
        self.schedule = make_schedule(config.schedule, self.optimizer, config.optimizer.lr, self.steps)
        updates = self.steps * config.training.accumulate
        self.statistics = RunningStatistics(self.net, updates, phases=config.measure.phases)
        training_mode(self.net, config.training.statistics)
        forward = forward_of(self.net, config, self.splits.train.images[: config.data.batch_size])
        self.learn = Step(self.net, forward, self.optimizer, self.statistics, config, objective)
        self.replayed = ReplayedStep(self.learn, self.batches) if replays(config, self.statistics) else None
        self.training = Training(self.net, self.optimizer, self.schedule, self.statistics, self.batches)
        self._stream = self.batches.drawn()
        self._probe = self._probe_batch() if config.measure.probe_loss else None

    def step(self, number: int, loss: Tensor) -> None:
        drawn = [next(self._stream) for _ in range(self.config.training.accumulate)]
        measured = tuple(self.statistics.advance() for _ in drawn)
        if self.replayed:
            self.replayed(drawn, measured, loss)
        else:
            shift = self.config.data.shift if number >= self.shifts_at else None
            made = (self.batches.batch(*each) for each in drawn)
            self.learn(((shift_images(images, shift), labels) for images, labels in made), measured, loss)
        if self.schedule:
            self.schedule.step()

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """What is measured on the validation split with running averages; with ``measure.train_set`` also on both splits with
        recalibrated statistics, which do not lag behind the weights.
        """
        self.statistics.install()
        row = {f"validation_{name}": value for name, value in self._evaluated(self.splits.validation).items()}
        if self.config.measure.train_set:
            part = self._part(CALIBRATION_IMAGES)
            with recalibrated(self.net, self._as_trained(part)):
                row |= {f"train_set_{name}": value for name, value in self._evaluated(part).items()}
                row["validation_accuracy_recalibrated"] = self._evaluated(self.splits.validation)["accuracy"]
        training_mode(self.net, self.config.training.statistics)
        return row

    @torch.no_grad()
    def probe(self) -> Tensor:
        """With that batch's own statistics."""
        assert self._probe is not None
        with batch_statistics(self.net):
            return self.objective.loss(self.net(self._probe.images), self._probe.labels)

    @torch.no_grad()
    def reached(self, stop: StopConfig, losses: Tensor) -> bool:
        if stop.measure == "train_loss":
            return losses[-stop.every :].mean().item() <= stop.at
        asked = self._part(stop.images)
        with recalibrated(self.net, self._as_trained(asked)):
            found = self._evaluated(asked if stop.measure == "train_set_loss" else self.splits.validation)
        self.net.train()
        return found["loss"] <= stop.at if stop.measure == "train_set_loss" else found["accuracy"] >= stop.at

    def measure(self) -> dict[str, float]:
        seen = at_end(self.splits, self.config, self.steps)
        shown = self._as_trained(seen.train)
        return final_measures(
            self.net,
            self.statistics,
            seen,
            shown,
            self.config.data.batch_size,
            self.config.measure.final,
            self.objective,
        )

    def facts(self) -> dict[str, float]:
        parameters = sum(p.numel() for p in self.net.parameters())
        return self.objective.facts(self.splits) | {"num_parameters": parameters}

    def failed_step(self, losses: Tensor) -> int | None:
        """The first step whose loss is not finite; the last one if the mean loss of the last tenth is no better than that of a net
        that says the same of every sample.
        """
        broken = (~torch.isfinite(losses)).nonzero()
        if len(broken):
            return int(broken[0]) + 1
        last_tenth = losses[-max(1, len(losses) // 10) :]
        return len(losses) if last_tenth.mean().item() >= self.objective.ignorance(self.splits) else None

    def weights(self) -> dict[str, Tensor]:
        return {name: value.detach().cpu().clone() for name, value in self.net.state_dict().items()}

    def state(self) -> dict[str, Any]:
        return self.training.state()

    def go_on(self, state: Mapping[str, Any]) -> None:
        self.training.go_on(dict(state))

    def _evaluated(self, split: Split) -> dict[str, float]:
        return evaluate(self.net, split, self.objective)

    def _part(self, size: int) -> Split:
        """The first training samples."""
        train = self.splits.train
        return replace(train, images=train.images[:size], labels=train.labels[:size])

    def _as_trained(self, split: Split) -> Tensor:
        """The images of ``split`` as training shows them."""
        return as_trained(split, self.config.data, self.config.seed)

    def _probe_batch(self) -> Split:
        validation = self.splits.validation
        order = torch.randperm(len(validation), generator=generator(FIXED, "probe"))[:PROBE_SIZE]
        return Split(validation.images[order], validation.labels[order])


def replays(config: RunConfig, statistics: RunningStatistics) -> bool:
    """Whether steps are captured as a CUDA graph and replayed."""
    return config.numerics.cuda_graph and can_be_replayed(config, statistics)


def load_all_but_head(net: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Load the weights of another training of the same net, but for its last linear layer, which keeps its initial ones."""
    head = [name for name, module in net.named_modules() if isinstance(module, nn.Linear)][-1]
    kept = {name: value for name, value in net.state_dict().items() if name.startswith(f"{head}.")}
    net.load_state_dict({name: value for name, value in weights.items() if not name.startswith(f"{head}.")} | kept)
