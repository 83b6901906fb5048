"""Training: the same key gives the same history, measuring changes nothing, and statistics are what they claim to be."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import nn

from normlab.config import FINALS, Final, MeasureConfig, RunConfig, ScheduleConfig
from normlab.data.batches import load_splits
from normlab.errors import NormlabError
from normlab.nets import make_net
from normlab.norms.batch import BatchNorm
from normlab.norms.running import running_norms
from normlab.runs.execute import weights_sha256
from normlab.sweeps.compose import Composer
from normlab.tasks import train
from normlab.training.evaluate import evaluate, evaluate_on_batch_statistics
from normlab.training.graph import ReplayedStep, can_be_replayed
from normlab.training.noise import (
    detached_statistics,
    gradient_companions,
    gradient_noise,
    gradient_noise_sources,
    live_statistics,
    statistics_noise,
)
from normlab.training.optim import make_optimizer, make_schedule
from normlab.training.statistics import RunningStatistics, batch_statistics, recalibrate
from normlab.training.timing import step_seconds

Make = Callable[..., RunConfig]


@pytest.mark.parametrize("norm", ["none", "batch", "layer", "group", "instance"])
def test_one_key_gives_one_history_bit_for_bit(make_config: Make, norm: str) -> None:
    config = make_config(norm=norm)
    first, second = train(config), train(config)
    assert first.history == second.history
    assert weights_sha256(first.weights) == weights_sha256(second.weights)
    other = train(make_config(norm=norm, seed=1))
    assert other.history != first.history


def test_measuring_more_changes_no_weight(make_config: Make) -> None:
    plain = train(make_config(norm="batch"))
    more = {
        "measure.probe_loss": True,
        "measure.log_every": 1,
        "measure.validate_every": 0.2,
        "measure.train_set": True,
    }
    watched = train(make_config(more, norm="batch"))
    assert weights_sha256(plain.weights) == weights_sha256(watched.weights)
    assert all(row["probe_loss"] is not None for row in watched.history)
    assert sum(row["validation_accuracy"] is not None for row in watched.history) == 10
    assert sum(row["train_set_accuracy"] is not None for row in watched.history) == 10
    batch = {n: watched.history[-1][n] for n in ("train_set_accuracy", "validation_accuracy_recalibrated")}
    assert all(0 <= accuracy <= 1 for accuracy in batch.values())
    assert (
        watched.history[-1]["validation_accuracy_recalibrated"] == watched.measures["validation_accuracy_recalibrated"]
    )
    bare = train(make_config({"measure.train_set": True}, norm="none"))
    assert bare.history[-1]["train_set_accuracy"] == bare.measures["train_accuracy"]
    assert bare.history[-1]["validation_accuracy_recalibrated"] == bare.history[-1]["validation_accuracy"]
    assert "train_set_accuracy" not in plain.history[-1]
    assert plain.measures["test_accuracy"] == watched.measures["test_accuracy"]


def test_a_run_to_choose_by_never_sees_the_test_set(make_config: Make) -> None:
    full = train(make_config(norm="batch"))
    choice = train(make_config({"measure.final": "validation"}, norm="batch"))
    assert weights_sha256(full.weights) == weights_sha256(choice.weights)
    assert choice.measures["validation_accuracy"] == full.measures["validation_accuracy"]
    assert choice.measures["validation_loss"] == pytest.approx(full.measures["validation_loss"])
    assert not [name for name in choice.measures if name.startswith("test")]


LEFT_OUT = {
    "all": (),
    "statistics": ("decay",),
    "recalibrated": ("decay", "_batch"),
    "running": ("decay", "_batch", "_recalibrated"),
}


@pytest.mark.parametrize("final", FINALS[1:])
def test_a_final_measurement_leaves_out_what_it_says_and_nothing_else(make_config: Make, final: Final) -> None:
    full = train(make_config(norm="batch")).measures
    lean = train(make_config({"measure.final": final}, norm="batch")).measures
    full.pop("train_seconds"), lean.pop("train_seconds")
    assert lean == {n: v for n, v in full.items() if not any(word in n for word in LEFT_OUT[final])}


@pytest.mark.parametrize("final", FINALS[1:])
def test_where_nothing_runs_all_kinds_of_statistics_are_one(make_config: Make, final: Final) -> None:
    measures = train(make_config({"measure.final": final}, norm="group")).measures
    assert measures["test_accuracy_batch"] == measures["test_accuracy_recalibrated"] == measures["test_accuracy"]


def test_a_final_measurement_covers_those_before_it() -> None:
    levels = [MeasureConfig(final=final) for final in FINALS]
    for place, level in enumerate(levels):
        assert [level.covers(other) for other in levels] == [other <= place for other in range(len(levels))]
        assert all(level.joined(other).final == FINALS[max(place, k)] for k, other in enumerate(levels))


def test_the_linear_model_is_one_layer_and_takes_no_norm(make_config: Make) -> None:
    config = Composer()({"recipe": "digits", "net": "linear", "net.widths": [], "norm": "none", "training.epochs": 1})
    net = make_net(config.net, config.norm, (1, 8, 8), 10, 0)
    assert [type(module).__name__ for module in net] == ["Flatten", "Linear"]
    assert train(config).measures["num_parameters"] == 650
    with pytest.raises(NormlabError, match="no layer that a norm could stand behind"):
        make_net(config.net, config.norm.model_copy(update={"name": "batch"}), (1, 8, 8), 10, 0)
    with pytest.raises(NormlabError, match=r"net.widths=\[\]"):
        make_config({"net.widths": []}, norm="batch")


def test_a_samples_gradient_varies_with_its_companions_only_where_samples_mix(make_config: Make) -> None:
    shares = {}
    for norm in ("batch", "group"):
        config = make_config({"data.train_size": 300}, norm=norm)
        splits = load_splits(config.data, config.seed)
        net = make_net(config.net, config.norm, splits.shape, splits.classes, config.seed)
        shares[norm] = gradient_companions(net, config, splits)
    assert shares["group"] == pytest.approx({"share_4": 0, "share_16": 0, "share_64": 0}, abs=1e-6)
    assert 1 > shares["batch"]["share_4"] > shares["batch"]["share_16"] > shares["batch"]["share_64"] > 0


def test_the_loop_is_plain_sgd(make_config: Make) -> None:
    """The first steps, written out with PyTorch's own pieces."""
    config = make_config({"training.epochs": 1, "measure.log_every": 1, "numerics.layout": "contiguous"}, norm="batch")
    splits = load_splits(config.data, config.seed)
    net = make_net(config.net, config.norm, splits.shape, splits.classes, config.seed)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    order = torch.randperm(100, generator=__import__("normlab.seeds").seeds.generator(0, "order"))
    losses = []
    for indices in order.split(20):
        loss = nn.functional.cross_entropy(net(splits.train.images[indices]), splits.train.labels[indices])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    result = train(config)
    assert [row["train_loss"] for row in result.history] == pytest.approx(losses, rel=1e-4)
    for name, value in net.state_dict().items():
        if "running" in name:  # the shadow averages equal PyTorch's own
            torch.testing.assert_close(result.weights[name], value, rtol=1e-3, atol=1e-5)


def test_the_ladder_of_decays_equals_running_norms_of_those_momenta() -> None:
    inputs = [torch.randn(8, 3, 4, 4) * (i + 1) for i in range(5)]
    net = nn.Sequential(BatchNorm(3, momentum=0.1))
    ladder = RunningStatistics(net, updates=5, decays=(0.0, 0.5, 0.99))
    for x in inputs:
        net(x)
        ladder.update()
    for decay in (0.0, 0.5, 0.9, 0.99):
        plain = nn.BatchNorm2d(3, momentum=1 - decay)
        for x in inputs:
            plain(x)
        ladder.install(decay)
        torch.testing.assert_close(net[0].running_mean, plain.running_mean)
        torch.testing.assert_close(net[0].running_var, plain.running_var)


def test_jitter_falls_and_lag_grows_with_decay_on_a_drifting_mean() -> None:
    net = nn.Sequential(BatchNorm(4))
    ladder = RunningStatistics(net, updates=400, decays=(0.5, 0.9, 0.99))
    torch.manual_seed(0)
    for step in range(400):
        net(torch.randn(16, 4, 1, 2) + 0.01 * step)
        ladder.update()
    found = ladder.steadiness()
    assert found["jitter_decay_0.5"] > found["jitter_decay_0.9"] > found["jitter_decay_0.99"]
    # A drift of v a step is followed at a distance of v·d/(1 − d), here 0.09 and nearly 0.97 (not yet settled).
    assert found["lag_decay_0.9"] == pytest.approx(0.09, rel=0.15)
    assert found["lag_decay_0.99"] == pytest.approx(0.01 * 99 * (1 - 0.99**350), rel=0.15)


def test_recalibration_gives_the_moments_of_all_images() -> None:
    net = nn.Sequential(BatchNorm(2, statistics_batch=2))
    images = torch.randn(1000, 2, 3, 3) * 2 + 5
    recalibrate(net, images, batch_size=250)
    torch.testing.assert_close(net[0].running_mean, images.mean((0, 2, 3)), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(net[0].running_var, images.var((0, 2, 3)), rtol=2e-3, atol=1e-4)
    assert net[0].statistics_batch == 2
    assert net[0].momentum == 0.1


def test_statistics_are_recalibrated_over_images_as_training_shows_them(make_config: Make) -> None:
    """While weights stand still, a long average and recalibrated statistics agree; plain images, not augmented, would give others."""
    still = {"data.augment": "crop", "optimizer.lr": 1e-12, "training.epochs": 150, "measure.final": "all"}
    config = make_config(still, norm="batch")
    trained = train(config)
    splits = load_splits(config.data, config.seed)
    net = make_net(config.net, config.norm, splits.shape, splits.classes, config.seed)
    net.load_state_dict(trained.weights)
    recalibrate(net, splits.train.images)
    plain = evaluate(net, splits.test)["loss"]
    average, recalibrated = (trained.measures[f"test_loss_{kind}"] for kind in ("decay_0.99", "recalibrated"))
    assert abs(recalibrated - average) < abs(plain - average) / 3


def test_batch_statistics_are_used_and_leave_no_trace() -> None:
    net = nn.Sequential(BatchNorm(2))
    x = torch.randn(8, 2, 3, 3) * 4
    before = net[0].running_mean.clone()
    with batch_statistics(net):
        y = net(x)
    torch.testing.assert_close(y.mean((0, 2, 3)), torch.zeros(2), atol=1e-5, rtol=0)
    assert torch.equal(net[0].running_mean, before)


def test_evaluation_counts_every_sample_once(make_config: Make) -> None:
    splits = load_splits(make_config().data, 0)
    net = make_net(make_config().net, make_config(norm="none").norm, splits.shape, 10, 0)
    expected = (net(splits.test.images).argmax(1) == splits.test.labels).double().mean().item()
    assert evaluate(net, splits.test, batch_size=7)["accuracy"] == pytest.approx(expected)
    assert evaluate_on_batch_statistics(net, splits.test, 16)["accuracy"] == pytest.approx(expected)


def test_accumulated_batches_equal_one_large_batch_without_norm(make_config: Make) -> None:
    large = train(make_config({"training.epochs": 1, "measure.log_every": 1}, norm="none"))
    small = train(
        make_config(
            {"training.epochs": 1, "measure.log_every": 1, "data.batch_size": 5, "training.accumulate": 4}, norm="none"
        )
    )
    assert [r["train_loss"] for r in small.history] == pytest.approx([r["train_loss"] for r in large.history], rel=1e-3)


def test_divergence_has_its_step_and_chance_counts_as_divergence(make_config: Make) -> None:
    exploded = train(make_config({"optimizer.lr": 1e4, "training.epochs": 4}, norm="none"))
    assert exploded.status == "diverged"
    assert exploded.diverged_step is not None
    assert exploded.measures["chance"] == 0.1
    stuck = train(make_config({"optimizer.lr": 1e-9, "net.init.scheme": "normal", "measure.log_every": 1}, norm="none"))
    assert stuck.status == ("diverged" if stuck.history[-1]["train_loss"] >= math.log(10) else "ok")
    assert train(make_config({"training.epochs": 10, "optimizer.lr": 0.03}, norm="batch")).status == "ok"


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "rmsprop"])
@pytest.mark.parametrize("schedule", ["constant", "cosine", "one_cycle"])
def test_every_optimizer_and_schedule_trains(make_config: Make, optimizer: str, schedule: str) -> None:
    overrides = {"optimizer.lr": 0.05 if optimizer == "sgd" else 0.01, "training.epochs": 10, "training.clip_norm": 1.0}
    result = train(make_config(overrides, optimizer=optimizer, schedule=schedule, norm="batch"))
    assert result.history[-1]["train_loss"] < math.log(10)


def test_schedules_start_and_end_where_they_should(make_config: Make) -> None:
    def rates(schedule: str) -> list[float]:
        config = make_config(schedule=schedule)
        optimizer = make_optimizer(config.optimizer, [nn.Parameter(torch.zeros(1, requires_grad=True))])
        plan = make_schedule(config.schedule, optimizer, 0.1, 10)
        found = []
        for _ in range(10):
            found.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            if plan:
                plan.step()
        return found

    assert rates("constant") == [0.1] * 10
    assert rates("cosine") == pytest.approx([0.05 * (1 + math.cos(math.pi * t / 10)) for t in range(10)])
    peak = rates("one_cycle")
    assert max(peak) == pytest.approx(0.1)
    assert peak[0] < 0.01 > peak[-1]


def test_half_precision_trains(make_config: Make) -> None:
    assert (
        train(make_config({"numerics.amp": True, "training.epochs": 6}, norm="batch")).history[-1]["train_loss"] < 2.2
    )


def test_a_graph_needs_a_gpu_and_says_so(make_config: Make) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is one")
    with pytest.raises(NormlabError, match="needs a CUDA device"):
        train(make_config({"numerics.cuda_graph": True}))


class StandInGraph:
    """Where no GPU is: a graph that takes the step it was made in once a replay."""

    step: ReplayedStep
    measured: tuple[bool, ...]

    def replay(self) -> None:
        self.step._take(self.measured)


@pytest.mark.parametrize("norm", ["none", "batch", "group", "spectral"])
def test_replayed_steps_learn_what_plain_ones_do(make_config: Make, monkeypatch: pytest.MonkeyPatch, norm: str) -> None:
    """All but the capture itself: inputs in their places, steps for nothing before it, everything put back."""

    def capture(step: ReplayedStep, measured: tuple[bool, ...]) -> StandInGraph:
        with step.put_back_afterwards():
            for _ in range(3):
                step._take(measured)
        graph = StandInGraph()
        graph.step, graph.measured = step, measured
        return graph

    config = make_config({"data.augment": "crop", "schedule": "one_cycle", "training.accumulate": 2}, norm=norm)
    plain = train(config)
    monkeypatch.setattr(ReplayedStep, "_capture", capture)
    monkeypatch.setattr(
        "normlab.tasks.supervised.replays", lambda config, statistics: can_be_replayed(config, statistics)
    )
    replayed = train(config)
    assert replayed.history == plain.history
    for name, value in plain.weights.items():
        assert torch.equal(replayed.weights[name], value), name


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("norm", ["none", "batch", "layer", "group", "instance"])
def test_a_replayed_step_is_the_eager_step(make_config: Make, norm: str) -> None:
    plain, replayed = (train(make_config({"numerics.cuda_graph": graph}, norm=norm)) for graph in (False, True))
    for name, value in plain.weights.items():
        torch.testing.assert_close(replayed.weights[name], value, rtol=1e-4, atol=1e-5)


def test_a_shift_changes_inputs_from_its_step_on_and_at_the_end(make_config: Make) -> None:
    shifted = {"data.shift": {"start": 0.5, "scale": 0.5, "offset": 1.0}, "measure.log_every": 1}
    plain, changed = (train(make_config({"measure.log_every": 1} | o, norm="batch")) for o in ({}, shifted))
    losses = [[row["train_loss"] for row in r.history] for r in (plain, changed)]
    assert losses[0][:5] == losses[1][:5]
    assert losses[0][5] != losses[1][5]
    assert changed.measures["test_accuracy_decay_0"] > changed.measures["test_accuracy_decay_0.9999"] - 0.05


def test_noise_of_statistics_falls_with_the_root_of_the_batch(make_config: Make) -> None:
    config = make_config({"data.train_size": 500, "training.epochs": 3}, norm="batch")
    splits = load_splits(config.data, 0)
    net = make_net(config.net, config.norm, splits.shape, 10, 0)
    slopes = statistics_noise(net, config, splits)
    assert slopes["mean_slope"] == pytest.approx(-0.5, abs=0.06)
    assert -0.7 < slopes["variance_slope"] < -0.35
    assert all(not layer.training for layer in running_norms(net))


def test_without_batch_norm_live_and_frozen_gradients_are_the_same(make_config: Make) -> None:
    config = make_config({"data.train_size": 200}, norm="group")
    splits = load_splits(config.data, 0)
    net = make_net(config.net, config.norm, splits.shape, 10, 0)
    assert gradient_noise(net, config, splits) == pytest.approx(
        {"log_ratio_4": 0, "log_ratio_16": 0, "log_ratio_64": 0}, abs=1e-9
    )


def test_the_two_sources_of_gradient_noise_multiply_to_the_whole(make_config: Callable[..., RunConfig]) -> None:
    config = make_config(norm="batch", **{"data.train_size": 200})
    splits = load_splits(config.data, 0)
    net = make_net(config.net, config.norm, splits.shape, splits.classes, 0)
    whole, parts = gradient_noise(net, config, splits), gradient_noise_sources(net, config, splits)
    for size in (4, 16, 64):
        assert parts[f"log_forward_{size}"] + parts[f"log_backward_{size}"] == pytest.approx(whole[f"log_ratio_{size}"])


def test_detached_statistics_change_the_gradient_and_not_the_output(make_config: Callable[..., RunConfig]) -> None:
    config = make_config(norm="batch")
    splits = load_splits(config.data, 0)
    net = make_net(config.net, config.norm, splits.shape, splits.classes, 0)
    images, found = splits.train.images[:32], {}
    for mode in (live_statistics, detached_statistics):
        with mode(net):
            output = net(images)
            gradients = torch.autograd.grad(output.square().sum(), [p for p in net.parameters() if p.dim() > 1])
        found[mode] = output, gradients
    (live, through), (detached, past) = found.values()
    torch.testing.assert_close(live, detached, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(through[0], past[0], rtol=1e-2)
    assert "forward" not in vars(net[0][1])  # type: ignore[index]


def test_timing_gives_positive_seconds_for_each(make_config: Make) -> None:
    found = step_seconds([make_config(norm="none"), make_config(norm="batch")])
    assert all(0 < row["best_layout"] <= row["common_layout"] for row in found)


def test_training_stops_where_the_loss_is_low_enough(make_config: Make) -> None:
    full = train(make_config({"training.epochs": 12, "measure.log_every": 5}, norm="batch"))
    level = full.history[5]["train_loss"]
    level *= 1 + 1e-6  # the mean of the same float32 losses may be rounded in another order
    first = next(row["step"] for row in full.history if row["train_loss"] <= level)
    stop = {"training.stop": {"measure": "train_loss", "at": level, "every": 5}}
    stopped = train(make_config({"training.epochs": 12, "measure.log_every": 5, **stop}, norm="batch"))
    assert stopped.measures["steps"] == first < full.measures["steps"]
    assert stopped.measures["reached"] == 1
    assert [r["train_loss"] for r in stopped.history] == [r["train_loss"] for r in full.history if r["step"] <= first]


def test_training_stops_at_a_validation_accuracy_or_says_that_it_never_came(make_config: Make) -> None:
    def until(accuracy: float) -> dict[str, float]:
        stop = {"training.stop": {"measure": "validation_accuracy", "at": accuracy, "every": 3}}
        return train(make_config({"training.epochs": 8, **stop}, norm="batch")).measures

    reached, never = until(0.3), until(1.0)
    assert reached["reached"] == 1
    assert reached["steps"] % 3 == 0
    assert reached["validation_accuracy_recalibrated"] >= 0.3
    assert never["reached"] == 0
    assert never["steps"] == 40


def test_no_epochs_leave_the_initial_weights(make_config: Make) -> None:
    config = make_config({"training.epochs": 0, "measure.final": "validation"}, norm="batch")
    result = train(config)
    assert result.status == "ok"
    assert result.history == []
    assert result.measures["steps"] == 0
    splits = load_splits(config.data, config.seed)
    start = make_net(config.net, config.norm, splits.shape, splits.classes, config.seed).state_dict()
    assert all(torch.equal(start[name], value) for name, value in result.weights.items())


@pytest.mark.parametrize(
    "watch", [{"measure.train_set": True}, {"training.stop": {"measure": "validation_accuracy", "at": 0.9}}]
)
def test_looks_without_running_averages_do_with_ghost_batches(make_config: Make, watch: dict[str, object]) -> None:
    result = train(make_config({**watch, "norm.statistics_batch": 4}, norm="batch"))
    assert result.status == "ok"


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 5, 10, 20, 50])
@pytest.mark.parametrize("name", ["constant", "cosine", "one_cycle"])
def test_every_schedule_has_a_rate_for_every_step(name: str, steps: int) -> None:
    for warmup in (None, 0.02, 0.1, 0.2, 0.25, 0.5, 0.9) if name == "one_cycle" else (None,):
        parameter = nn.Parameter(torch.zeros(1))
        optimizer = torch.optim.SGD([parameter], lr=0.1)
        schedule = make_schedule(ScheduleConfig(name=name, warmup=warmup), optimizer, 0.1, steps)
        rates = []
        for _ in range(steps):
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            if schedule:
                schedule.step()
        assert all(0 <= rate <= 0.1 + 1e-12 for rate in rates)
        assert steps < 3 or max(rates) > 0.05
