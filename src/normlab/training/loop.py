"""The training loop: one plain function from a configuration to what came out."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from normlab.config import RunConfig, StopConfig
from normlab.data.batches import FIXED, Batches, Split, Splits, load_splits, shift_images
from normlab.nets import make_net
from normlab.nets.block import memory_format
from normlab.nets.checkpoint import forward_of
from normlab.seeds import generator
from normlab.training.device import set_up, wait
from normlab.training.evaluate import CALIBRATION_IMAGES, evaluate, final_measures
from normlab.training.graph import ReplayedStep, can_be_replayed
from normlab.training.inputs import at_end, placed, planned_steps, shift_step
from normlab.training.optim import make_optimizer, make_schedule
from normlab.training.savepoint import Savepoint, Training
from normlab.training.statistics import RunningStatistics, batch_statistics, recalibrate, recalibrated, training_mode
from normlab.training.step import Step

LOOP_VERSION = 1  # Bumped when the loop's results change; part of every run's key.
PROBE_SIZE = 256
STOP_IMAGES = 500  # over which statistics are recalibrated to see whether training is where it is to stop
Listener = Callable[[dict[str, float]], None]


@dataclass
class Result:
    """What one run left: its end, its measures, its history (a row a logged step) and its weights."""

    status: str
    diverged_step: int | None
    measures: dict[str, float]
    history: list[dict[str, float]]
    weights: dict[str, Tensor]


def train(
    config: RunConfig,
    listener: Listener | None = None,
    pretrained: Mapping[str, Tensor] | None = None,
    savepoint: Savepoint | None = None,
) -> Result:
    """Train one net and measure it.

    A run is ``diverged`` at the first step whose loss is not finite, or at its last step if the mean loss of the last
    tenth is no better than that of predicting at random; else ``ok``. ``listener`` hears each validation row. ``pretrained``
    are the weights of ``config.pretraining``, where the configuration has a source. With a ``savepoint`` training goes on where that
    was written, bit by bit as if it had never stopped.
    """
    device = set_up(config.numerics)
    torch.manual_seed(config.seed)  # for norms of others: normlab's own parts have generators of their own
    splits = placed(load_splits(config.data, config.seed), device, config)
    net = make_net(config.net, config.norm, splits.shape, splits.classes, config.seed)
    if pretrained is not None:
        load_all_but_head(net, pretrained)
    net.to(device, memory_format=memory_format(config.numerics.layout))  # type: ignore[call-overload]
    if config.training.statistics == "target":
        recalibrate(net, splits.train.images)
    batches = Batches(splits.train, config.data, config.seed)
    steps, per_epoch = planned_steps(config, batches.per_epoch)
    optimizer = make_optimizer(config.optimizer, net.parameters())
    schedule = make_schedule(config.schedule, optimizer, config.optimizer.lr, steps)
    statistics = RunningStatistics(net, steps * config.training.accumulate, phases=config.measure.phases)
    shifts_at = shift_step(config, steps)
    losses = torch.zeros(steps, device=device)
    probe = Probe(net, splits, steps) if config.measure.probe_loss else None
    validations = _validation_steps(config, per_epoch, steps)
    watched = {"validation": splits.validation} | (
        {"train_set": _part(splits.train)} if config.measure.train_set else {}
    )
    stop, stopped = config.training.stop, False
    rows: dict[int, dict[str, float]] = {}

    training_mode(net, config.training.statistics)
    forward = forward_of(net, config, splits.train.images[: config.data.batch_size])
    training = Training(net, optimizer, schedule, statistics, batches)
    first, trained_before = 0, 0.0
    looked_at = config.measure.model_dump_json()
    if savepoint and (saved := savepoint.load(looked_at)):
        training.go_on(saved["training"])
        first, trained_before, rows = saved["step"], saved["seconds"], saved["rows"]
        losses.copy_(saved["losses"])
        if probe:
            probe.losses.copy_(saved["probe"])
    learn = Step(net, forward, optimizer, statistics, config)
    replayed = ReplayedStep(learn, batches) if replays(config, statistics) else None
    stream = batches.drawn()
    step = first - 1
    started, evaluating = time.perf_counter() - trained_before, 0.0
    for step in range(first, steps):
        drawn = [next(stream) for _ in range(config.training.accumulate)]
        measured = tuple(statistics.advance() for _ in drawn)
        if replayed:
            replayed(drawn, measured, losses[step])
        else:
            shift = config.data.shift if step >= shifts_at else None
            made = (batches.batch(*each) for each in drawn)
            learn(((shift_images(images, shift), labels) for images, labels in made), measured, losses[step])
        if schedule:
            schedule.step()
        if probe:
            probe.measure(step)
        if stop and (step + 1) % stop.every == 0:
            stopped = _reached(stop, net, splits, losses[: step + 1])
        if stopped or step + 1 in validations:
            wait(device)
            pause = time.perf_counter()
            rows[step + 1] = _validate(net, statistics, watched, losses[: step + 1])
            if listener:
                listener({"step": step + 1, "epoch": (step + 1) / per_epoch, **rows[step + 1]})
            training_mode(net, config.training.statistics)
            evaluating += time.perf_counter() - pause
            if stopped or not math.isfinite(rows[step + 1]["train_loss"]):
                break
        if savepoint and savepoint.due:
            seconds = time.perf_counter() - started - evaluating
            so_far = {"step": step + 1, "seconds": seconds, "rows": rows, "losses": losses, "measured": looked_at}
            savepoint.save(so_far | {"probe": probe.losses if probe else None, "training": training.state()})

    train_seconds = time.perf_counter() - started - evaluating
    losses = losses[: step + 1]
    diverged_step = _diverged_step(losses, math.log(splits.classes))
    finite = bool(torch.isfinite(losses).all())
    if not steps:
        rows[0] = _validate(net, statistics, watched, losses)
    measures = {}
    if finite and config.measure.final == "all":
        measures = final_measures(net, statistics, at_end(splits, config, steps), config.data.batch_size)
    elif finite:
        measures = {name: rows[step + 1][name] for name in ("validation_loss", "validation_accuracy")}
    measures |= {"train_seconds": train_seconds, "steps": step + 1 if stopped else steps, "steps_per_epoch": per_epoch}
    measures |= {"reached": float(stopped)} if stop else {}
    measures |= {"chance": 1 / splits.classes, "num_parameters": sum(p.numel() for p in net.parameters())}
    history = _history(config, losses, per_epoch, rows, probe.losses if probe else None)
    weights = {name: value.detach().cpu().clone() for name, value in net.state_dict().items()}
    return Result("ok" if diverged_step is None else "diverged", diverged_step, measures, history, weights)


class Probe:
    """The loss on one fixed batch of validation images after every step, with that batch's own statistics."""

    def __init__(self, net: nn.Module, splits: Splits, steps: int) -> None:
        order = torch.randperm(len(splits.validation), generator=generator(FIXED, "probe"))[:PROBE_SIZE]
        self.images, self.labels = splits.validation.images[order], splits.validation.labels[order]
        self.net = net
        self.losses = torch.full((steps,), torch.nan)

    @torch.no_grad()
    def measure(self, step: int) -> None:
        with batch_statistics(self.net):
            self.losses[step] = F.cross_entropy(self.net(self.images), self.labels)


def replays(config: RunConfig, statistics: RunningStatistics) -> bool:
    """Whether steps are captured as a CUDA graph and replayed."""
    return config.numerics.cuda_graph and can_be_replayed(config, statistics)


def load_all_but_head(net: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Load the weights of another training of the same net, but for its last linear layer, which keeps its initial ones."""
    head = [name for name, module in net.named_modules() if isinstance(module, nn.Linear)][-1]
    kept = {name: value for name, value in net.state_dict().items() if name.startswith(f"{head}.")}
    net.load_state_dict({name: value for name, value in weights.items() if not name.startswith(f"{head}.")} | kept)


def _part(split: Split) -> Split:
    """As many training images as the final measures take."""
    return Split(split.images[:CALIBRATION_IMAGES], split.labels[:CALIBRATION_IMAGES])


def _validation_steps(config: RunConfig, per_epoch: int, steps: int) -> set[int]:
    every = max(1.0, config.measure.validate_every * per_epoch)
    return {max(1, round(k * every)) for k in range(1, math.ceil(steps / every) + 1) if round(k * every) <= steps} | {
        steps
    }


@torch.no_grad()
def _validate(
    net: nn.Module, statistics: RunningStatistics, watched: dict[str, Split], losses: Tensor
) -> dict[str, float]:
    """Loss and accuracy on the validation split with running averages; with ``train_set`` among the watched, also on both
    splits with recalibrated statistics, which do not lag behind the weights.
    """
    statistics.install()
    row = {"train_loss": losses[-10:].mean().item() + 0 * losses.sum().item()}
    row["validation_loss"], row["validation_accuracy"] = evaluate(net, watched["validation"])
    if "train_set" in watched:
        with recalibrated(net, watched["train_set"].images):
            row["train_set_loss"], row["train_set_accuracy"] = evaluate(net, watched["train_set"])
            _, row["validation_accuracy_recalibrated"] = evaluate(net, watched["validation"])
    return row


@torch.no_grad()
def _reached(stop: StopConfig, net: nn.Module, splits: Splits, losses: Tensor) -> bool:
    """Whether training is where ``stop`` ends it; the net goes on in training mode."""
    if stop.measure == "train_loss":
        return losses[-stop.every :].mean().item() <= stop.at
    asked = Split(splits.train.images[:STOP_IMAGES], splits.train.labels[:STOP_IMAGES])
    with recalibrated(net, asked.images):
        loss, accuracy = evaluate(net, asked if stop.measure == "train_set_loss" else splits.validation)
    net.train()
    return loss <= stop.at if stop.measure == "train_set_loss" else accuracy >= stop.at


def _diverged_step(losses: Tensor, chance_loss: float) -> int | None:
    """The first step (from 1) with a loss that is not finite; the last one if the run ended no better than chance."""
    broken = (~torch.isfinite(losses)).nonzero()
    if len(broken):
        return int(broken[0]) + 1
    last_tenth = losses[-max(1, len(losses) // 10) :]
    return len(losses) if last_tenth.mean().item() >= chance_loss else None


def _history(
    config: RunConfig, losses: Tensor, per_epoch: int, rows: dict[int, dict[str, float]], probe: Tensor | None
) -> list[dict[str, Any]]:
    """A row every ``log_every`` steps and at each validation; a row's training loss is the mean since the last row."""
    values = losses.tolist()
    wanted = sorted({*range(config.measure.log_every, len(values) + 1, config.measure.log_every), *rows} - {0})
    looks = ["validation_loss", "validation_accuracy"]
    looks += (
        ["train_set_loss", "train_set_accuracy", "validation_accuracy_recalibrated"] if config.measure.train_set else []
    )
    history, last = [], 0
    for step in wanted:
        since = values[last:step]
        history.append(
            {
                "step": step,
                "epoch": step / per_epoch,
                "train_loss": sum(since) / len(since),
                **{name: rows.get(step, {}).get(name) for name in looks},
                "probe_loss": None if probe is None else probe[step - 1].item(),
            }
        )
        last = step
    return history
