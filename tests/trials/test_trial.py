"""A trial whole, at a tiny size: what it runs, what it reads, how it stops, goes on and fails."""

import time
from collections.abc import Iterator
from pathlib import Path

import matplotlib.pyplot as plt
import pytest
import torch
from torch import Tensor, nn

import normlab
from normlab.commands.trial import options_of
from normlab.errors import NormlabError
from normlab.runs.execute import execute
from normlab.runs.key import run_key
from normlab.runs.store import Store
from normlab.trials.bench import BATCH, Bench
from normlab.trials.card import Card
from normlab.trials.docket import YOURS, Docket
from normlab.trials.ease import CHANGES
from normlab.trials.engine import Engine, Tick
from normlab.trials.subject import Subject
from normlab.trials.subject import method as method_of_name

SMALL = {"training.epochs": 1, "data.train_size": 128, "data.batch_size": 32, "data.test_size": 100}
TINY = {"bed": "digits", "overrides": SMALL, "rates": [0.1]}


class Halving(nn.Module):
    """Half of batch-free standardization, with an option."""

    METHOD = {"mixes": ("channels", "positions")}

    def __init__(self, num_features: int, share: float = 0.5) -> None:
        super().__init__()
        self.share = share
        self.weight = nn.Parameter(torch.ones(num_features))

    def forward(self, x: Tensor) -> Tensor:
        axes = tuple(range(1, x.dim()))
        var, mean = torch.var_mean(x, axes, keepdim=True, correction=0)
        return self.share * (x - mean) / (var + 1e-5).sqrt() * self.weight.view(1, -1, *[1] * (x.dim() - 2))


class Breaking(Halving):
    """Sound where it is looked at, not where it is trained."""

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[-1] == 8:
            raise RuntimeError("no images of eight rows")
        return super().forward(x)


@pytest.fixture(autouse=True)
def docket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Docket]:
    """Two situations of a fraction of a second a run, three seeds, one reference besides batch norm."""
    situations = {
        "one": TINY | {"title": "one"},
        "two": TINY | {"title": "two", "shared": 8},
    }
    tiny = Docket.model_validate({"flagship": "one", "references": ["batch"], "seeds": 3, "situations": situations})
    monkeypatch.setattr(Docket, "load", classmethod(lambda cls, scale: tiny))
    monkeypatch.setattr("normlab.trials.bench.CHANGES", (*CHANGES[2:5], CHANGES[-1]))
    yield tiny
    plt.close("all")


@pytest.fixture
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without costs and corruptions, which take most of so small a trial's time."""
    monkeypatch.setattr("normlab.trials.trial.measure_costs", lambda bench: None)
    monkeypatch.setattr(
        "normlab.trials.engine.evaluate_run",
        lambda config, name, store: store.put_evaluation(run_key(config), name, {}),
    )


def whole(results: Path, norm: type[nn.Module] = Halving, minutes: float = 2.0, **options: float) -> Card:
    return normlab.trial(norm, minutes=minutes, results=results, jobs=1, **options)


def test_a_trial_answers_everything_that_it_asks(tmp_path: Path) -> None:
    card = whole(tmp_path)
    table = card.to_frame()
    assert set(table["question"]) == {"right", "good", "easy", "robust", "cost"}
    good = table[(table["question"] == "good") & (table["what"] == "test_accuracy")]
    assert {(row.where, row.arm): row.n for row in good.itertuples()} == {
        (where, arm): 3 for where in ("one", "two") for arm in (YOURS, BATCH)
    }
    assert good["value"].between(0, 1).all()
    own = table[(table["what"] == "difference") & (table["arm"] == YOURS)]
    assert (own["low"] <= own["value"]).all()
    assert (own["value"] <= own["high"]).all()
    assert not card.facts["failed"]
    page = (tmp_path / "trials" / "quick" / "cards" / "Halving" / "index.html").read_text()
    assert "Halving" in page
    assert "not asked yet" not in page
    assert (tmp_path / "trials" / "quick" / "cards" / "Halving" / "card.png").read_bytes().startswith(b"\x89PNG")
    assert card._repr_html_().startswith("<!DOCTYPE html>")
    figure = card.figure()
    assert tuple(figure.get_size_inches() * figure.dpi) == (1200, 675)


@pytest.mark.usefixtures("quickly")
def test_a_norm_that_reads_no_other_samples_is_not_run_twice(tmp_path: Path) -> None:
    """Where only the statistics' batch differs, its runs are the same ones; batch norm's are not."""
    bench = Bench.of(Subject.of(Halving), "quick", tmp_path)
    engine = Engine(bench, jobs=1)
    engine.run(time.monotonic() + 60)
    runs = {name: standing.runs for name, standing in engine.look().standings.items()}
    assert runs["one"][YOURS] == runs["two"][YOURS]
    assert not set(runs["one"][BATCH].values()) & set(runs["two"][BATCH].values())


@pytest.mark.usefixtures("quickly")
def test_an_interrupted_trial_keeps_its_runs_and_goes_on(tmp_path: Path) -> None:
    def interrupt(tick: Tick) -> None:
        if tick.done == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        normlab.trial(Halving, minutes=2, results=tmp_path, jobs=1, listener=interrupt)
    store = Store.of_scale(tmp_path / "trials", "quick").refresh()
    assert len(store) == 6
    assert (tmp_path / "trials" / "quick" / "cards" / "Halving" / "card.csv").exists()
    done: list[int] = []
    normlab.trial(Halving, minutes=2, results=tmp_path, jobs=1, listener=lambda tick: done.append(tick.done))
    again: list[int] = []
    normlab.trial(Halving, minutes=2, results=tmp_path, jobs=1, listener=lambda tick: again.append(tick.done))
    assert len(done) > 6
    assert not again  # nothing was left to do


@pytest.mark.usefixtures("quickly")
def test_its_minutes_end_it_and_the_card_says_what_is_not_asked_yet(tmp_path: Path) -> None:
    card = whole(tmp_path, minutes=0.001)
    assert not card.rows("good", what="difference")
    assert len(card.rows("right")) == 17
    assert "not asked yet" in card.html()


@pytest.mark.usefixtures("quickly")
def test_runs_that_fail_are_told_in_the_users_words(tmp_path: Path) -> None:
    card = whole(tmp_path, Breaking)
    assert "RuntimeError: no images of eight rows" in card.facts["failed"]
    assert "test_trial.py, line" in card.facts["failed"]
    assert not card.rows("good", what="difference")


@pytest.mark.usefixtures("quickly")
def test_what_the_store_knows_of_other_methods_is_read_not_run(tmp_path: Path, docket: Docket) -> None:
    store = Store.of_scale(tmp_path, "quick").refresh()
    bench = Bench.of(Subject.of(Halving), "quick", tmp_path)
    situation, overrides = docket.situations["one"], docket.overrides("quick")["one"]
    for method in ("batch", "group"):
        for seed in range(3):
            arm = situation.arm(method_of_name(method))
            execute(bench.composer({**overrides, **arm, "optimizer.lr": 0.2, "seed": seed}), store)
    card = whole(tmp_path)
    arms = {row["arm"]: row["n"] for row in card.rows("good", where="one", what="test_accuracy")}
    assert arms == {YOURS: 3, "batch": 3, "group": 3}
    own = Store.of_scale(tmp_path / "trials", "quick").refresh().runs()
    unchanged = own[
        (own["norm"] == "batch") & (own["lr"] == 0.2) & own["statistics_batch"].isna() & (own["init"] == "kaiming")
    ]
    assert set(unchanged["seed"]) <= {0, 1, 2}  # whose weights are asked for under corruptions
    assert card.rows("good", where="one", what="rank")[0]["said"] == "of 3"


def test_options_make_another_norm_of_the_same_class(tmp_path: Path) -> None:
    first, second = (Bench.of(Subject.of(Halving, {"share": share}), "quick", tmp_path) for share in (0.5, 0.25))
    keys = [
        {plan.run_key for plan in bench.expander.expand().planned if plan.grid == "one/yours"}
        for bench in (first, second)
    ]
    assert not keys[0] & keys[1]


@pytest.mark.parametrize("minutes", [0.0, -1.0])
def test_no_time_is_no_trial(tmp_path: Path, minutes: float) -> None:
    with pytest.raises(NormlabError, match="minutes"):
        whole(tmp_path, minutes=minutes)


def test_options_on_the_command_line_are_values() -> None:
    assert options_of(["norm.num_groups=4", "+norm.name=x", "eps=1.0e-3"]) == {
        "num_groups": 4,
        "name": "x",
        "eps": 1e-3,
    }
    with pytest.raises(NormlabError, match="no option"):
        options_of(["num_groups"])
