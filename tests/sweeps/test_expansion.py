"""From a design to its runs: products, bundles, skips, choices on tuning seeds, and ladders."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from normlab.config import RunConfig
from normlab.core.design import Design
from normlab.core.record import Record
from normlab.errors import NormlabError
from normlab.runs.store import Store
from normlab.sweeps.compose import Composer
from normlab.sweeps.expand import Expander
from normlab.sweeps.planned import Expansion, tidy

SCALES = {
    "quick": {
        "seeds": {"tune": [100, 101], "report": [0, 1, 2]},
        "settings": {"one": {"overrides": {"data": "digits"}, "constants": {"target": 0.5}}},
    }
}


def expander(store: Store, composer: Composer, **grids: Any) -> Expander:
    design = Design.parse({"name": "toy", "title": "Toy", "title_ja": "Toy", "scales": SCALES, "grids": grids}, "toy")
    return Expander(design, "quick", store, composer)


def finish_forecasts(store: Store, expansion: Expansion, error: Callable[[RunConfig], float | None]) -> None:
    """Put a record for every planned run that has none, with the error that ``error(config)`` says; None: it diverged."""
    for plan in expansion.planned:
        if plan.run_key not in store:
            value = error(plan.config)
            facts = {"run_key": plan.run_key, "chance_error": 1.0, "measured": plan.config.measure.model_dump_json()}
            found = {"status": "diverged"} if value is None else {"status": "ok", "validation_error": value}
            store.put(Record(facts | found, []))
    store.refresh()


def finish(store: Store, expansion: Expansion, accuracy: Any) -> None:
    """Put a record for every planned run that has none, with the accuracy that ``accuracy(config)`` says."""
    for plan in expansion.planned:
        if plan.run_key not in store:
            value = accuracy(plan.config)
            history = [{"step": 10, "epoch": 1.0, "train_loss": 1.0, "validation_accuracy": value, "probe_loss": None}]
            facts = {
                "run_key": plan.run_key,
                "status": "ok",
                "validation_accuracy": value,
                "test_accuracy": value,
                "chance": 0.1,
                "steps": 10,
                "steps_per_epoch": 10,
                "measured": plan.config.measure.model_dump_json(),
            }
            store.put(Record(facts, history))
    store.refresh()


def until_done(e: Expander, accuracy: Any, put: Callable[[Store, Expansion, Any], None] = finish) -> Expansion:
    for _ in range(20):
        expansion = e.expand()
        if not expansion.waiting and all(plan.run_key in e.store for plan in expansion.planned):
            return expansion
        put(e.store, expansion, accuracy)
    raise AssertionError("the expansion never ends")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "quick")


def test_a_method_that_cannot_stand_at_the_sites_is_skipped_with_the_reason(store: Store, composer: Composer) -> None:
    grid = {"fixed": {"net.norm_in": "all"}, "axes": {"norm": ["batch", "instance", "layer", "frn"]}}
    expansion = expander(store, composer, g=grid).expand()
    assert {plan.config.norm.name for plan in expansion.planned} == {"batch", "layer"}
    assert {axes["norm"] for axes, _ in expansion.skipped} == {"instance", "frn"}
    assert all("one value a channel in a fully connected layer" in reason for _, reason in expansion.skipped)
    wrong = {"fixed": {"net.norm_in": "all", "net": "resnet", "net.depth": 9}, "axes": {"norm": ["batch"]}}
    with pytest.raises(NormlabError, match="6n"):
        expander(store, composer, g=wrong).expand()


def test_a_product_of_values_and_bundles_with_skips(store: Store, composer: Composer) -> None:
    grid = {
        "axes": {
            "norm": ["batch", "instance"],
            "where": {"conv": {"net.norm_in": "conv"}, "fc": {"net.norm_in": "fc", "seed": 0}},
        },
        "skip": [{"when": {"norm": "instance", "where": "fc"}, "reason": "one value a channel"}],
    }
    expansion = expander(store, composer, g=grid).expand()
    assert len(expansion.planned) == 3 * 3
    assert {(p.axes["norm"], p.axes["where"], p.config.net.norm_in) for p in expansion.planned} == {
        ("batch", "conv", "conv"),
        ("batch", "fc", "fc"),
        ("instance", "conv", "conv"),
    }
    assert expansion.skipped == [({"setting": "one", "norm": "instance", "where": "fc"}, "one value a channel")]
    assert {p.role for p in expansion.planned} == {"report"}


def test_the_best_value_is_chosen_on_tuning_seeds_and_reported_on_others(store: Store, composer: Composer) -> None:
    grid = {
        "axes": {"norm": ["none", "batch"]},
        "choose": {
            "over": {"optimizer.lr": [0.01, 0.1, 1.0]},
            "levels": {
                "best": {"best": "validation_accuracy"},
                "worst": {"worst": "validation_accuracy"},
                "×10": {"of": "best", "times": 10.0},
                "none's": {"of": "best", "where": {"norm": "none"}},
            },
            "extend": {"optimizer.lr": 10.0},
        },
    }
    e = expander(store, composer, g=grid)
    first = e.expand()
    assert {p.role for p in first.planned} == {"tune"}
    assert first.waiting == 2 * 4 * 3
    best = {"none": 0.1, "batch": 0.1}
    expansion = until_done(
        e, lambda c: 0.9 - abs(c.optimizer.lr - best[c.norm.name]) / 10 + (c.seed < 50) * c.optimizer.lr
    )
    reported = {
        (p.axes["norm"], p.axes["level"]): p.config.optimizer.lr for p in expansion.planned if p.role == "report"
    }
    assert reported["batch", "best"] == 0.1
    assert reported["batch", "worst"] == 1.0
    assert reported["batch", "×10"] == 1.0
    assert reported["batch", "none's"] == 0.1
    assert {p.config.seed for p in expansion.planned if p.role == "report"} == {0, 1, 2}
    assert {p.config.seed for p in expansion.planned if p.role == "tune"} == {100, 101}


def test_a_best_value_at_the_edge_extends_the_grid_of_that_cell(store: Store, composer: Composer) -> None:
    grid = {
        "axes": {"norm": ["none", "batch"]},
        "choose": {
            "over": {"optimizer.lr": [0.01, 0.1]},
            "levels": {"best": {"best": "validation_accuracy"}},
            "extend": {"optimizer.lr": 10.0},
        },
    }
    e = expander(store, composer, g=grid)
    best = {"none": 0.1, "batch": 10.0}
    expansion = until_done(e, lambda c: 1 - abs(math.log10(c.optimizer.lr / best[c.norm.name])) / 10)
    searched = {"none": {0.01, 0.1, 1.0}, "batch": {0.01, 0.1, 1.0, 10.0, 100.0}}
    for norm in best:
        tuned = {p.config.optimizer.lr for p in expansion.planned if p.role == "tune" and p.axes["norm"] == norm}
        assert tuned == searched[norm]
        chosen = {p.config.optimizer.lr for p in expansion.planned if p.role == "report" and p.axes["norm"] == norm}
        assert chosen == {best[norm]}


def tuned_by(
    store: Store, composer: Composer, accuracy: Callable[[RunConfig], float], **setting: Any
) -> tuple[dict[float, set[int]], set[float]]:
    """The tuning seeds that each rate was run on, and the rate that was chosen, with three rates on the axis and a setting as given."""
    scale = {
        "settings": {
            "one": {
                "overrides": {"data": "digits"},
                "tune": [100],
                "ranges": {"rates": [0.01, 0.1, 1.0]},
                "looks": {2: 0.5, 4: 0.5},
                **setting,
            }
        }
    }
    choose = {
        "over": {"optimizer.lr": "rates"},
        "levels": {"best": {"best": "validation_accuracy"}},
        "extend": {"optimizer.lr": 10.0},
    }
    design = {
        "name": "t",
        "title": "t",
        "title_ja": "t",
        "scales": {"quick": scale},
        "grids": {"g": {"choose": choose}},
    }
    expansion = until_done(Expander(Design.parse(design, "t"), "quick", store, composer), accuracy)
    tuned: dict[float, set[int]] = {}
    for plan in expansion.planned:
        if plan.role == "tune":
            tuned.setdefault(plan.config.optimizer.lr, set()).add(plan.config.seed)
    return tuned, {plan.config.optimizer.lr for plan in expansion.planned if plan.role == "report"}


def test_candidates_that_come_close_get_the_further_tuning_seeds(store: Store, composer: Composer) -> None:
    first = {0.01: 0.60, 0.1: 0.900, 1.0: 0.895}
    further = {0.1: 0.70, 1.0: 0.65}
    tuned, chosen = tuned_by(
        store,
        composer,
        lambda c: first[c.optimizer.lr] if c.seed == 100 else further[c.optimizer.lr],
        closer={"seeds": [101, 102], "margin": 0.01},
    )
    assert tuned == {0.01: {100}, 0.1: {100, 101, 102}, 1.0: {100, 101, 102}}
    assert chosen == {0.1}


def test_a_candidate_that_further_seeds_of_the_others_bring_close_gets_them_too(
    store: Store, composer: Composer
) -> None:
    first = {0.01: 0.60, 0.1: 0.85, 1.0: 0.90}
    further = {0.1: 0.85, 1.0: 0.70}
    tuned, chosen = tuned_by(
        store,
        composer,
        lambda c: (first if c.seed == 100 else further).get(c.optimizer.lr, 0.5),
        closer={"seeds": [101, 102], "margin": 0.01},
    )
    assert tuned[0.1] == {100, 101, 102}
    assert chosen == {0.1}


def test_the_chosen_rate_is_confirmed_on_further_seeds_and_makes_room_where_it_fails_there(
    store: Store, composer: Composer
) -> None:
    def accuracy(config: RunConfig) -> float:
        """The highest rate is best on the first seed and fails on two of the further ones."""
        if config.optimizer.lr == 0.1 and config.seed in (101, 103):
            return 0.1
        return {0.01: 0.85, 0.1: 0.90}.get(config.optimizer.lr, 0.5)

    tuned, chosen = tuned_by(store, composer, accuracy, confirm=[101, 102, 103])
    assert tuned == {0.001: {100}, 0.01: {100, 101, 102, 103}, 0.1: {100, 101, 102, 103}, 1.0: {100}}
    assert chosen == {0.01}


def test_a_rate_that_stays_best_where_it_is_confirmed_is_chosen_and_no_other_is_run_there(
    store: Store, composer: Composer
) -> None:
    tuned, chosen = tuned_by(
        store, composer, lambda c: {0.01: 0.85, 0.1: 0.90, 1.0: 0.2}[c.optimizer.lr], confirm=[101, 102]
    )
    assert tuned == {0.01: {100}, 0.1: {100, 101, 102}, 1.0: {100}}
    assert chosen == {0.1}


def test_an_axis_grows_before_the_rate_at_its_end_is_confirmed(store: Store, composer: Composer) -> None:
    tuned, chosen = tuned_by(store, composer, lambda c: 1 - abs(math.log10(c.optimizer.lr / 100)) / 10, confirm=[101])
    assert tuned == {0.01: {100}, 0.1: {100}, 1.0: {100}, 10.0: {100}, 100.0: {100, 101}, 1000.0: {100}}
    assert chosen == {100.0}


def test_a_rate_at_which_a_task_without_accuracy_diverges_counts_as_saying_the_mean(
    store: Store, composer: Composer
) -> None:
    grid = {
        "fixed": {"task": "forecast", "data": "italy_power", "net": "fcn", "net.widths": [8, 8, 8]},
        "choose": {
            "over": {"optimizer.lr": [0.01, 0.1, 1.0]},
            "levels": {"best": {"best": "validation_error"}, "worst": {"worst": "validation_error"}},
        },
    }
    errors = {0.01: 0.5, 0.1: 0.3, 1.0: None}
    expansion = until_done(expander(store, composer, g=grid), lambda c: errors[c.optimizer.lr], finish_forecasts)
    chosen = {p.axes["level"]: p.config.optimizer.lr for p in expansion.planned if p.role == "report"}
    assert chosen == {"best": 0.1, "worst": 1.0}


def test_an_end_that_may_grow_no_more_is_noted_only_where_the_best_is_there_at_last(
    store: Store, composer: Composer
) -> None:
    def accuracy(config: RunConfig) -> float:
        """The highest rate is best on the first seed, and fails on further ones where ``fails``."""
        if fails and config.seed != 100 and config.optimizer.lr > 100:
            return 0.1
        return 0.5 + math.log10(config.optimizer.lr) / 100

    notes = {}
    for fails in (True, False):
        scale = {
            "settings": {"one": {"overrides": {"data": "digits"}, "tune": [100], "confirm": [101], "looks": {2: 1.0}}}
        }
        choose = {
            "over": {"optimizer.lr": [0.01, 0.1, 1.0]},
            "levels": {"best": {"best": "validation_accuracy"}},
            "extend": {"optimizer.lr": 10.0},
        }
        said = {
            "name": "t",
            "title": "t",
            "title_ja": "t",
            "scales": {"quick": scale},
            "grids": {"g": {"choose": choose}},
        }
        apart = Store(store.root / str(fails))
        expansion = until_done(Expander(Design.parse(said, "t"), "quick", apart, composer), accuracy)
        notes[fails] = [note for note in expansion.notes.get("g", []) if "extended 3 times" in note]
    assert notes[True] == []
    assert len(notes[False]) == 1


@pytest.mark.parametrize("trains_at", [0.001, None])
def test_where_nothing_trains_the_search_goes_on_to_both_sides(
    trains_at: float | None, store: Store, composer: Composer
) -> None:
    def put(store: Store, expansion: Expansion, accuracy: Any) -> None:
        for plan in expansion.planned:
            trained = plan.config.optimizer.lr == trains_at
            facts = {"run_key": plan.run_key, "status": "ok" if trained else "diverged", "chance": 0.1}
            values = {"validation_accuracy": 0.9, "test_accuracy": 0.9} if trained else {}
            store.put(Record(facts | values, [{"step": 1}]))
        store.refresh()

    choose = {
        "over": {"optimizer.lr": [0.01, 0.1, 1.0]},
        "levels": {"best": {"best": "validation_accuracy"}},
        "extend": {"optimizer.lr": 10.0},
    }
    expansion = until_done(expander(store, composer, g={"choose": choose}), None, put)
    tried = {plan.config.optimizer.lr for plan in expansion.planned if plan.role == "tune"}
    reported = {plan.config.optimizer.lr for plan in expansion.planned if plan.role == "report"}
    if trains_at is None:
        assert tried == {tidy(10.0**power) for power in range(-5, 4)}
        assert len(expansion.notes["g"]) == 2
    else:
        assert reported == {trains_at}
        assert {0.0001, 10.0} <= tried  # the best is inside now; what lies above was sought while nothing trained
        assert 100.0 not in tried


def test_the_search_of_the_first_edition_ends_where_nothing_trains(store: Store, composer: Composer) -> None:
    """Its runs are shown, not made again: a rule that came later asks for none."""

    def put(store: Store, expansion: Expansion, accuracy: Any) -> None:
        for plan in expansion.planned:
            store.put(Record({"run_key": plan.run_key, "status": "diverged", "chance": 0.1}, [{"step": 1}]))
        store.refresh()

    choose = {
        "over": {"optimizer.lr": [0.01, 0.1, 1.0]},
        "levels": {"best": {"best": "validation_accuracy"}},
        "extend": {"optimizer.lr": 10.0},
    }
    first = expander(store, composer, g={"choose": choose})
    first.design = first.design.model_copy(update={"edition": 1})
    expansion = until_done(first, None, put)
    assert {0.01, 1.0} <= {plan.config.optimizer.lr for plan in expansion.planned if plan.role == "tune"}
    assert 100.0 not in {plan.config.optimizer.lr for plan in expansion.planned}


def test_the_worst_placement_is_sought_with_each_at_its_best_rate(store: Store, composer: Composer) -> None:
    grid = {
        "choose": {
            "over": {"net.placement": ["before", "after"], "optimizer.lr": [0.01, 0.1]},
            "levels": {"worst": {"worst": "validation_accuracy", "at_best": ["optimizer.lr"]}},
        }
    }
    table = {("before", 0.01): 0.1, ("before", 0.1): 0.9, ("after", 0.01): 0.5, ("after", 0.1): 0.4}
    expansion = until_done(expander(store, composer, g=grid), lambda c: table[c.net.placement, c.optimizer.lr])
    (level,) = {(p.config.net.placement, p.config.optimizer.lr) for p in expansion.planned if p.role == "report"}
    assert level == ("after", 0.01)


def test_the_highest_good_rate(store: Store, composer: Composer) -> None:
    grid = {
        "choose": {
            "over": {"optimizer.lr": [0.01, 0.1, 1.0]},
            "levels": {"high": {"highest": "validation_accuracy", "margin": 0.02}},
        }
    }
    table = {0.01: 0.90, 0.1: 0.89, 1.0: 0.5}
    expansion = until_done(expander(store, composer, g=grid), lambda c: table[c.optimizer.lr])
    assert {p.config.optimizer.lr for p in expansion.planned if p.role == "report"} == {0.1}


def test_a_ladder_climbs_to_the_edge_and_halves_the_last_step(store: Store, composer: Composer) -> None:
    grid = {"ladder": {"over": "optimizer.lr", "values": [0.01, 0.1], "margins": [0.05]}}
    e = expander(store, composer, g=grid)
    edge = {0: 0.5, 1: 4.0, 2: 0.05}
    expansion = until_done(e, lambda c: 0.9 if c.optimizer.lr <= edge[c.seed] else 0.2)
    for seed, limit in edge.items():
        rates = sorted(p.config.optimizer.lr for p in expansion.planned if p.config.seed == seed)
        good, bad = [r for r in rates if r <= limit], [r for r in rates if r > limit]
        assert min(bad) / max(good) <= 1.81
        assert {0.01, 0.1} <= set(rates)


def test_measures_asked_of_reported_runs_are_not_asked_of_tuning_runs(store: Store, composer: Composer) -> None:
    grid = {"measure": {"probe_loss": True}, "tune": True, "axes": {"norm": ["batch"]}}
    planned = expander(store, composer, g=grid).expand().planned
    assert {(p.role, p.config.measure.probe_loss) for p in planned} == {("tune", False), ("report", True)}
    assert {p.config.measure.final for p in planned} == {"all"}


def test_runs_to_choose_by_are_measured_on_validation_alone(store: Store, composer: Composer) -> None:
    choose = {"over": {"optimizer.lr": [0.1, 0.2]}, "levels": {"best": {"best": "validation_accuracy"}}}
    expansion = until_done(expander(store, composer, g={"choose": choose}), lambda c: c.optimizer.lr)
    assert {(p.role, p.config.measure.final) for p in expansion.planned} == {("tune", "validation"), ("report", "all")}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"grids": {"g": {"axis": {}}}}, "grids.g.axis: there is no such setting"),
        ({"grids": {"g": {"settings": ["nowhere"]}}}, "grids.g: scale quick has no setting 'nowhere'"),
        ({"scales": {"quick": {"seeds": {"tune": [0], "report": [0]}, "settings": {}}}}, "overlap"),
        (
            {"grids": {"g": {"choose": {"over": {}, "levels": {"x": {"best": "a", "of": "b"}}}}}},
            "one of best, worst, highest, of",
        ),
    ],
)
def test_a_wrong_design_is_refused_in_words(change: dict[str, Any], message: str) -> None:
    with pytest.raises(NormlabError, match=message):
        Design.parse({"name": "toy", "title": "Toy", "title_ja": "Toy", "scales": SCALES, "grids": {}} | change, "toy")


def test_unknown_overrides_are_refused(composer: Composer) -> None:
    with pytest.raises(NormlabError, match=r"unknown override key 'norm\.epsilon'"):
        composer({"norm": "batch", "norm.epsilon": 1e-3})
    with pytest.raises(NormlabError, match=r"unknown override key 'norm\.eps'"):
        composer({"norm": "none", "norm.eps": 1e-3})
    with pytest.raises(NormlabError, match=r"optimizer\.lr: Input should be greater than 0"):
        composer({"optimizer.lr": -0.1})
    with pytest.raises(NormlabError, match=r"statistics_batch=3 does not divide"):
        composer({"norm": "batch", "norm.statistics_batch": 3})


def test_a_choice_may_be_between_bundles(store: Store, composer: Composer) -> None:
    inits = {"plain": {"net.init.gain": 1.0}, "large": {"net.init.gain": 10.0, "net.init.scheme": "xavier"}}
    choose = {"over": {"init": inits, "optimizer.lr": [0.1, 0.3]}, "levels": {"best": {"best": "validation_accuracy"}}}
    e = expander(store, composer, g={"choose": choose})
    accuracy = lambda c: 0.5 + 0.1 * (c.net.init.gain == 10.0) + 0.1 * (c.optimizer.lr == 0.1)  # noqa: E731
    reported = [plan for plan in until_done(e, accuracy).planned if plan.role == "report"]
    assert {(p.config.net.init.gain, p.config.net.init.scheme, p.config.optimizer.lr) for p in reported} == {
        (10.0, "xavier", 0.1)
    }
    assert {p.axes["init"] for p in reported} == {"large"}


def test_a_grid_may_have_seeds_of_its_own(store: Store, composer: Composer) -> None:
    e = expander(store, composer, many={"axes": {"norm": ["none"]}, "seeds": list(range(20))}, few={})
    counts: dict[str | None, int] = {}
    for plan in e.expand().planned:
        counts[plan.grid] = counts.get(plan.grid, 0) + 1
    assert counts == {"many": 20, "few": 3}


def test_fixed_values_may_be_constants_of_the_setting(store: Store, composer: Composer) -> None:
    stop = {"measure": "validation_accuracy", "at": "{target}"}
    (first, *_) = expander(store, composer, g={"fixed": {"training.stop": stop}}).expand().planned
    assert first.config.training.stop is not None
    assert first.config.training.stop.at == 0.5
    with pytest.raises(NormlabError, match="no constant 'nowhere'"):
        expander(store, composer, g={"fixed": {"optimizer.lr": "{nowhere}"}}).expand()


def test_a_part_of_an_experiment_is_some_of_its_grids_and_settings(store: Store, composer: Composer) -> None:
    two = {"one": SCALES["quick"]["settings"]["one"], "two": {"overrides": {"data": "digits", "data.train_size": 100}}}
    grids = {"a": {"axes": {"norm": ["batch", "layer"]}}, "b": {"settings": ["one"], "axes": {"norm": ["group"]}}}
    scales = {"quick": {**SCALES["quick"], "settings": two}}
    design = Design.parse({"name": "t", "title": "T", "title_ja": "T", "scales": scales, "grids": grids}, "t")
    made = Expander(design, "quick", store, composer)

    def runs(*asked: Any) -> set[tuple[Any, Any]]:
        return {(plan.grid, plan.axes["setting"]) for plan in made.expand(*asked).planned}

    assert runs() == {("a", "one"), ("a", "two"), ("b", "one")}
    assert runs(None, ["two"]) == {("a", "two")}
    assert runs(["b"], ["two"]) == set()
    assert runs(["a"], ["one"]) == {("a", "one")}
    assert runs([], None) == runs(None, []) == set()


@pytest.mark.parametrize(
    "grid",
    [
        {"axes": {"cell": [1]}},
        {"choose": {"over": {"level": [1]}, "levels": {"best": {"best": "validation_accuracy"}}}},
    ],
)
def test_axes_do_not_hide_what_every_run_has(store: Store, composer: Composer, grid: Any) -> None:
    with pytest.raises(NormlabError, match="would hide what every run has"):
        expander(store, composer, a=grid)
