"""Every task trains, learns, resumes, sweeps, is recorded and read through the same code."""

import json
import math
import random
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from normlab.config import RunConfig
from normlab.core.design import Design
from normlab.core.readings import of_one_run
from normlab.data import SERIES_SETS, batches, scenes
from normlab.data.images import Arrays
from normlab.data.series import ITALY_POWER
from normlab.data.text import find_text
from normlab.errors import NormlabError
from normlab.runs.execute import execute
from normlab.runs.key import run_key, scientific
from normlab.runs.store import Store
from normlab.sweeps.compose import Composer
from normlab.sweeps.expand import Expander
from normlab.tasks import TASKS, forecast, quality, recommendation, train
from normlab.training.objective import PREDICT
from tests.data.test_scenes import bars
from tests.tasks.test_control import CARTPOLE
from tests.training.test_savepoint import interrupted, same

LSTM = {
    "task": "text",
    "data": "sums",
    "net": "lstm",
    "data.train_size": 200,
    "data.validation_size": 100,
    "data.test_size": 100,
    "net.widths": [24],
    "optimizer.lr": 1.0,
    "training.epochs": 4,
}
DCGAN = {
    "task": "gan",
    "data": "digits",
    "net": "dcgan",
    "data.train_size": 400,
    "net.widths": [8, 16],
    "optimizer": "adam",
    "optimizer.lr": 0.002,
    "optimizer.betas": [0.5, 0.999],
    "training.epochs": 4,
}
FORECAST = {
    "task": "forecast",
    "data": "italy_power",
    "data.validation_size": 40,
    "net": "fcn",
    "data.batch_size": 10,
    "net.widths": [8, 8, 8],
    "optimizer.lr": 0.03,
    "training.epochs": 8,
}
STARS = {
    "task": "recommendation",
    "data": "movielens",
    "data.validation_size": 100,
    "net": "collaborative",
    "net.widths": [8, 16],
    "data.batch_size": 32,
    "optimizer.lr": 0.1,
    "training.epochs": 8,
}
SEGMENTS = {
    "task": "segmentation",
    "data": "mnist",
    "data.train_size": 40,
    "data.validation_size": 20,
    "data.test_size": 20,
    "data.batch_size": 10,
    "net": "unet",
    "net.widths": [4, 8],
    "net.depth": 1,
    "optimizer.lr": 0.1,
    "training.epochs": 8,
}
DETECTS = {
    **SEGMENTS,
    "task": "detection",
    "net": "detector",
    "net.widths": [4, 8, 8],
    "optimizer.lr": 0.01,
    "training.epochs": 20,
}
SMALL = {
    "text": LSTM,
    "gan": DCGAN,
    "forecast": FORECAST,
    "recommendation": STARS,
    "segmentation": SEGMENTS,
    "detection": DETECTS,
    "control": CARTPOLE,
}
Make = Callable[..., RunConfig]


def days(count: int = 200) -> Arrays:
    """Waves of 24 steps, each with a phase and a level of its own."""
    source = np.random.default_rng(0)
    phase = source.uniform(0, 2 * np.pi, (count, 1))
    series = (
        np.sin(phase + np.arange(24) / 3) * 2 + source.normal(0, 0.1, (count, 24)) + source.normal(0, 5, (count, 1))
    )
    series = series.astype(np.float32)[:, None, None]
    labels = (np.arange(count) % 2).astype(np.uint8)
    return Arrays(series[::2], labels[::2], series[1::2], labels[1::2])


def stars(count: int = 1000) -> Arrays:
    """Everyone and every film has a level of its own."""
    source = np.random.default_rng(0)
    pairs = source.integers(0, (30, 40), (count, 2)).astype(np.uint16)
    liked = source.normal(0, 1, 30)[pairs[:, 0]] + source.normal(0, 1, 40)[pairs[:, 1]]
    rated = np.clip(np.round(3 + liked), 1, 5).astype(np.uint8)
    return Arrays(pairs[:800], rated[:800], pairs[800:], rated[800:])


@pytest.fixture(autouse=True)
def stand_ins(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Data sets that are fetched are made here instead."""
    made = days()
    power = replace(ITALY_POWER, digest=made.digest(), embedded=lambda: made)
    monkeypatch.setitem(SERIES_SETS, "italy_power", power)
    monkeypatch.setattr(recommendation, "read", lambda _: stars())
    monkeypatch.setattr(scenes, "_arrays", lambda _: bars())
    monkeypatch.setattr(scenes, "HELD_OUT", 50)
    caches = (batches._arrays, batches._standardized, scenes._composed)
    for cache in caches:
        cache.cache_clear()
    yield
    for cache in caches:
        cache.cache_clear()


@pytest.fixture(params=sorted(SMALL))
def task(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def make(composer: Composer, task: str, norm: str = "batch", **overrides: object) -> RunConfig:
    return composer({**SMALL[task], "norm": norm, **overrides})


def test_the_registry_names_what_it_holds() -> None:
    assert all(name == task.name for name, task in TASKS.items())
    assert set(SMALL) | {"images"} == set(TASKS)


def test_images_keep_their_keys(make_config: Make) -> None:
    assert "task" not in scientific(make_config())


@pytest.mark.parametrize("norm", ["none", "batch", "layer"])
def test_it_trains_and_measures_its_own_metrics(composer: Composer, task: str, norm: str) -> None:
    result = train(make(composer, task, norm))
    assert result.status == "ok"
    for name, metric in TASKS[task].metrics.items():
        assert math.isfinite(result.measures[f"test_{name}"])
        assert all(math.isfinite(row[f"validation_{name}"]) for row in result.history if row[f"validation_{name}"])
        assert metric.better in ("up", "down")


def test_an_lstm_learns_what_can_be_known_of_sums(composer: Composer) -> None:
    """Where the plus, the equals sign and the semicolon stand is known; half of the digits are drawn at random."""
    result = train(make(composer, "text", "layer"))
    assert result.measures["test_loss"] < 0.8 * math.log(len(find_text("sums").alphabet))
    assert result.measures["test_accuracy"] > 0.3


def test_a_transformer_learns_of_sums_too_and_reads_nothing_that_is_to_come(composer: Composer) -> None:
    net = {"net": "transformer", "net.widths": [32], "net.depth": 2, "optimizer": "adam", "optimizer.lr": 0.003}
    config = composer({**LSTM, **net, "norm": "layer", "training.epochs": 12})
    result = train(config)
    assert result.measures["test_loss"] < 0.8 * math.log(len(find_text("sums").alphabet))
    made = TASKS["text"].net(config)
    letters = find_text("sums").draw("train", 3, torch.Generator().manual_seed(0))[:, :-1]
    changed = letters.clone()
    changed[:, 20:] = 0
    torch.testing.assert_close(made(letters)[..., :20], made(changed)[..., :20])


def test_a_net_forecasts_waves_better_than_saying_the_mean(composer: Composer) -> None:
    result = train(make(composer, "forecast", "batch", **{"training.epochs": 30}))
    assert result.measures["test_error"] < 0.5


def test_what_is_forecast_hangs_neither_on_the_unit_nor_on_the_level_of_a_series() -> None:
    series = torch.randn(5, 1, 1, 24)
    known, comes = forecast.halves(series)
    torch.testing.assert_close(known.flatten(1).mean(1), torch.zeros(5), atol=1e-6, rtol=0)
    for one, other in zip((known, comes), forecast.halves(3 * series - 7), strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)
    changed = series.clone()
    changed[..., 12:] += 100  # what comes decides nothing of what is known
    torch.testing.assert_close(forecast.halves(changed)[0], known)


def test_a_net_learns_what_people_think_of_films(composer: Composer) -> None:
    result = train(make(composer, "recommendation", "batch", **{"training.epochs": 20}))
    assert result.measures["test_error"] < 0.8


def test_error_is_the_share_of_the_targets_variance() -> None:
    targets = torch.tensor([[1.0], [2.0], [6.0]])
    assert PREDICT.measures(torch.full((3, 1), 3.0), targets)["error"] == pytest.approx(1)
    assert PREDICT.measures(targets, targets)["error"] == 0
    # (0 + 1 + 0) / (4 + 1 + 9)
    assert PREDICT.measures(torch.tensor([[1.0], [3.0], [6.0]]), targets)["error"] == pytest.approx(1 / 14)


def test_a_forecast_that_diverges_counts_as_saying_the_mean(composer: Composer, tmp_path: Path) -> None:
    config = make(composer, "forecast", "none", **{"optimizer.lr": 1e4})
    store = Store(tmp_path / "quick")
    assert execute(config, store).facts["status"] == "diverged"
    found = of_one_run("test_error").read(store.refresh(), run_key(config))
    assert found is not None
    assert found.number == 1


def test_made_images_come_nearer_to_real_ones(composer: Composer) -> None:
    before, after = (train(make(composer, "gan", **{"training.epochs": epochs})) for epochs in (0, 25))
    assert after.measures["test_frechet"] < 0.9 * before.measures["test_frechet"]
    assert after.measures["test_recall"] > before.measures["test_recall"] + 0.1  # an untrained one makes all alike


def test_precision_and_recall_are_shares_of_what_lies_among_the_others() -> None:
    """On a line: real at 0, 1, 2, 3, made at 0.4 and 2.6 (among them) and at 50, 51 (far away), one neighbour."""
    real = torch.tensor([[0.0], [1.0], [2.0], [3.0]])
    made = torch.tensor([[0.4], [2.6], [50.0], [51.0]])
    # made images reach 2.2, 2.2, 1, 1 and so hold all real ones
    assert quality.precision_and_recall(real, made, neighbours=1) == (0.5, 1.0)
    assert quality.precision_and_recall(real, real, neighbours=1) == (1.0, 1.0)
    one = torch.full((4, 1), 1.0) + torch.arange(4)[:, None] * 1e-3  # a generator that makes one image
    precision, recall = quality.precision_and_recall(real, one, neighbours=1)
    assert (precision, recall) == (1.0, 0.25)


def test_the_classifier_that_judges_is_trained_once_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    quality.features_of.cache_clear()
    images = torch.randn(5, 1, 8, 8)
    first = quality.features_of("digits")(images)
    (file,) = tmp_path.rglob("*.pt")
    written = file.stat().st_mtime_ns
    quality.features_of.cache_clear()
    assert torch.equal(quality.features_of("digits")(images), first)
    assert file.stat().st_mtime_ns == written
    file.write_bytes(b"cut short")
    quality.features_of.cache_clear()
    assert torch.equal(quality.features_of("digits")(images), first)  # made again, to the same bits
    quality.features_of.cache_clear()


def test_the_distance_of_normal_samples_is_the_formula() -> None:
    source = torch.Generator().manual_seed(0)
    first = torch.randn(20_000, 3, generator=source) * torch.tensor([1.0, 2.0, 0.5])
    second = torch.randn(20_000, 3, generator=source) * torch.tensor([2.0, 2.0, 1.5]) + torch.tensor([1.0, 0.0, 0.0])
    # with diagonal covariances: Σ (μ₁ − μ₂)² + (σ₁ − σ₂)²
    assert quality.frechet(first, second) == pytest.approx(1 + 1 + 0 + 1, abs=0.1)
    assert quality.frechet(first, first) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("norm", ["batch", "layer"])
def test_it_goes_on_bit_by_bit(composer: Composer, task: str, tmp_path: Path, norm: str) -> None:
    config = make(composer, task, norm, schedule="cosine")
    whole = train(config)
    steps = int(whole.measures["steps"])
    stops = sorted(random.Random(0).sample(range(1, steps), 2))
    same(interrupted(config, tmp_path / "savepoint.pt", stops), whole)


def test_a_record_is_kept_and_read(composer: Composer, task: str, tmp_path: Path) -> None:
    config = make(composer, task)
    store = Store(tmp_path / "quick")
    execute(config, store)
    store.compact()
    store = Store(tmp_path / "quick").refresh()
    key = run_key(config)
    for name in TASKS[task].metrics:
        at_end = of_one_run(f"test_{name}").read(store, key)
        halfway = of_one_run(f"validation_{name}@2").read(store, key)
        assert at_end is not None
        assert halfway is not None
    assert of_one_run("failed").read(store, key) == (0.0, False, 0.0)
    made_with = json.loads((store.facts(key) or {})["environment"])
    assert {"torch", *TASKS[task].packages} <= made_with.keys()


@pytest.mark.parametrize("task", ["text", "gan"])  # one that is supervised and one that is not
def test_it_sweeps(task: str, tmp_path: Path, call: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    words = [f"{key.lstrip('+')}={value}".replace(" ", "") for key, value in SMALL[task].items()]
    done = call("train.py", "-m", *words, "training.epochs=1", "norm=batch,layer", "seed=0,1", "sweep.workers=1")
    assert done.returncode == 0, done.stderr
    runs = Store(tmp_path / "results" / "quick").refresh().runs()
    assert len(runs) == 4
    assert set(runs["status"]) == {"ok"}


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"task": "music"}, "unknown task 'music'"),
        ({**LSTM, "data": "digits"}, "task=text reads data=sums, moby_dick, not data=digits"),
        ({**LSTM, "net": "cnn"}, "unknown net 'cnn' for this task"),
        ({**LSTM, "data.augment": "crop"}, "data.augment: texts have none"),
        ({**LSTM, "norm": "instance"}, "one value a channel"),
        ({**LSTM, "net.widths": [8, 8]}, "net=lstm has one layer"),
        ({**LSTM, "net": "transformer", "net.widths": [8, 8]}, "net=transformer has one"),
        ({**DCGAN, "data.shift": {"start": 0.5}}, "data.shift is nothing that task=gan knows"),
        ({**DCGAN, "measure.probe_loss": True}, "measure.probe_loss is nothing that task=gan knows"),
        ({**DCGAN, "net.widths": [8]}, "net=dcgan has two widths"),
        ({"net": "dcgan"}, "unknown net 'dcgan' for this task"),
        ({**FORECAST, "data": "voices"}, "task=forecast reads data=italy_power, leaves, not data=voices"),
        ({**FORECAST, "measure.train_set": True}, "measure.train_set: task=forecast measures no accuracy and loss"),
        (
            {**STARS, "training.stop": {"measure": "train_loss", "at": 0.5}},
            "training.stop: task=recommendation measures no accuracy",
        ),
        ({"net": "fcn", "data": "voices", "data.augment": "crop"}, "five voices are series, which are not moved"),
        ({**FORECAST, "data.augment": "crop"}, "data.augment: series have none"),
        ({**FORECAST, "net.widths": [8]}, "net=fcn has three widths"),
        ({"net": "fcn", "net.widths": [8, 8, 8]}, "reads series, one row high"),
        ({**STARS, "data": "digits"}, "task=recommendation reads data=movielens"),
        ({**STARS, "net.widths": [8]}, "at least one layer's width"),
        ({**STARS, "norm": "instance"}, "one value a channel"),
        ({**SEGMENTS, "data": "cifar10"}, "scenes are made of grey images of 28×28 pixels"),
        ({**SEGMENTS, "data.augment": "crop"}, "data.augment: scenes have none"),
        ({**SEGMENTS, "net.widths": [4] * 6}, "whose poolings do not divide 48×48 images"),
        ({**SEGMENTS, "net.dropout": 0.5}, "net.dropout: net=unet has no dropout"),
        ({**DETECTS, "net.dropout": 0.5}, "net.dropout: net=detector has no dropout"),
        ({**DCGAN, "net.dropout": 0.5}, "net.dropout: net=dcgan has no dropout"),
        ({**SEGMENTS, "net": "detector"}, "unknown net 'detector' for this task"),
        ({**DETECTS, "net.widths": [4, 8]}, "net=detector has three widths"),
        ({**DETECTS, "data.batch_size": 50}, "data.batch_size=50 is more than the 40 training scenes"),
        ({**STARS, "data.train_size": 10_000}, "there are 700 ratings to train on"),
    ],
)
def test_what_does_not_fit_is_refused(composer: Composer, overrides: dict[str, object], message: str) -> None:
    with pytest.raises(NormlabError, match=message):
        train(composer(overrides))


def test_a_reading_of_what_a_task_does_not_measure_is_an_error_when_the_design_is_taken_up(
    composer: Composer, tmp_path: Path
) -> None:
    def expand(task: str, reading: str) -> None:
        scale = {
            "seeds": {"tune": [1000], "report": [0]},
            "settings": {"one": {"overrides": dict(SMALL[task])}},
        }
        levels = {"best": {"best": reading}}
        grids = {"g": {"choose": {"over": {"optimizer.lr": [0.1, 1.0]}, "levels": levels}}}
        names = {"name": "toy", "title": "Toy", "title_ja": "Toy"}
        design = Design.parse({**names, "scales": {"quick": scale}, "grids": grids}, "toy")
        Expander(design, "quick", Store(tmp_path), composer).expand()

    expand("text", "validation_accuracy")
    expand("gan", "validation_frechet")
    with pytest.raises(
        NormlabError, match="experiment toy: validation_accuracy reads accuracy, which task=gan does not measure"
    ):
        expand("gan", "validation_accuracy")
    with pytest.raises(NormlabError, match="task=text does not measure; it measures accuracy, loss"):
        expand("text", "validation_frechet@2")
