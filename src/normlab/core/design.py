"""An experiment's design, as its file in configs/experiment/ writes it."""

import copy
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, Self

from omegaconf import OmegaConf
from pydantic import field_validator, model_validator

from normlab.core.looks import Looks
from normlab.core.readings import higher_is_better
from normlab.core.schema import Strict, check
from normlab.errors import NormlabError

Overrides = dict[str, Any]

# What a row of a design's runs has besides its axes; an axis of that name would take its place.
COLUMNS = ("grid", "cell", "role", "run_key", "status", "seed", "level", "setting")


class Seeds(Strict):
    """Seeds by role: settings are chosen on the first, reported on the second.

    Where ``second_look`` names seeds, settings without a word on ``report`` get these in addition.
    """

    tune: tuple[int, ...]
    report: tuple[int, ...]
    second_look: tuple[int, ...] = ()

    @model_validator(mode="after")
    def _apart(self) -> Self:
        if len({*self.tune, *self.report, *self.second_look}) < len(self.tune + self.report + self.second_look):
            raise ValueError("tuning, reporting and second-look seeds overlap")
        return self

    @property
    def looks(self) -> Looks:
        """One look, or two at half of α each."""
        return Looks.of([self.report, *([self.second_look] if self.second_look else [])])


class Closer(Strict):
    """Further tuning seeds, for the candidates within ``margin`` of the best on the seeds that each has been run on."""

    seeds: tuple[int, ...]
    margin: float


class Setting(Strict):
    """A setting (usually a data set with its sizes) and the constants that claims read for it, such as its δ.

    ``bed`` names a file of ``configs/bed/``, from which it takes what it does not say itself: the recipe that it departs from, tuning
    seeds (``closer``: further ones for the candidates that come close, ``confirm``: for the one that is best), ``ranges`` to choose from,
    looks (the number of seeds of each, from 0 on, and its weight) and δ. ``family``: settings are corrected for many claims among those of
    their own family.
    """

    overrides: Overrides = {}
    constants: dict[str, float] = {}
    bed: str | None = None
    title: str = ""
    title_ja: str = ""
    family: str = ""
    tune: tuple[int, ...] = ()
    closer: Closer | None = None
    confirm: tuple[int, ...] = ()
    ranges: dict[str, list[float]] = {}
    looks: dict[int, float] = {}

    @model_validator(mode="before")
    @classmethod
    def _on_its_bed(cls, values: Any) -> Any:
        if not isinstance(values, Mapping) or not values.get("bed"):
            return values
        bed = load_bed(str(values["bed"]))
        merged = {key: {**bed.get(key, {}), **values.get(key, {})} for key in ("overrides", "constants")}
        return {**bed, **values, **merged}

    @field_validator("looks")
    @classmethod
    def _are_looks(cls, value: dict[int, float]) -> dict[int, float]:
        if value:
            Looks.counted(value)
        return value


class Scale(Strict):
    """How large the experiment is at one scale, and which of its grids are run there (None: all). ``seeds`` are those of settings
    that have none of their own.
    """

    settings: dict[str, Setting]
    seeds: Seeds | None = None
    grids: list[str] | None = None

    @model_validator(mode="after")
    def _every_setting_has_seeds(self) -> Self:
        for name, setting in self.settings.items():
            if self.seeds is None and not (setting.looks and setting.tune):
                raise ValueError(f"setting {name!r} has no seeds: give it tune and looks, or a bed, or the scale seeds")
        return self

    def tuning(self, setting: str) -> tuple[int, ...]:
        """The seeds on which a setting's rates are chosen."""
        own = self.settings[setting].tune
        return own or (self.seeds.tune if self.seeds else ())

    def looks(self, setting: str) -> Looks:
        """The seeds on which a setting is reported, look by look."""
        own = self.settings[setting].looks
        if own:
            return Looks.counted(own)
        assert self.seeds is not None
        return self.seeds.looks


def _known(check: Callable[[str], object], name: str) -> None:
    """Have pydantic say where in a design an unknown reading stands."""
    try:
        check(name)
    except NormlabError as error:
        raise ValueError(str(error)) from None


class Level(Strict):
    """One choice along the axes of ``choose``: by a measure on tuning seeds, or derived from another level.

    ``best``/``worst``: the measure; with ``at_best`` the axes named there are first set to what is best for each value of
    the others. ``highest``: the largest value of the only axis whose measure is within ``margin`` of the best. ``of``:
    another level, its ``times``-fold, taken from the cell that has ``where``'s values on the axes named there.
    Measures may name constants of the setting: ``epochs_to@{target}``.
    """

    best: str | None = None
    worst: str | None = None
    highest: str | None = None
    margin: float = 0.05
    at_best: list[str] = []
    of: str | None = None
    times: float = 1.0
    where: dict[str, Any] = {}

    @model_validator(mode="after")
    def _one_rule(self) -> Self:
        if sum(rule is not None for rule in (self.best, self.worst, self.highest, self.of)) != 1:
            raise ValueError("a level is one of best, worst, highest, of")
        for rule in (self.best, self.worst, self.highest):
            if rule is not None:
                _known(higher_is_better, rule)
        return self


class Choose(Strict):
    """Runs every combination of ``over`` on tuning seeds, and on reporting seeds only the chosen ``levels``.

    As in a grid's axes, an axis is a list of values or a mapping from names to bundles of overrides; a text is the name of one of the
    setting's ranges. Where a cell's best value lies at the end of an axis in ``extend``, the axis grows there by the factor given, for
    that cell: each arm is searched by the same rule until its best value is inside.
    """

    over: dict[str, str | list[Any] | dict[str, Overrides]]
    levels: dict[str, Level]
    extend: dict[str, float] = {}

    def overrides(self, candidate: Overrides) -> Overrides:
        """What a combination of values along the axes overrides."""
        found: Overrides = {}
        for axis, value in candidate.items():
            choices = self.over[axis]
            found |= choices[value] if isinstance(choices, dict) else {axis: value}
        return found

    @property
    def reads_the_end(self) -> bool:
        """Whether its levels read nothing but what a run ends with."""
        rules = [rule for level in self.levels.values() for rule in (level.best, level.worst, level.highest) if rule]
        return not any("@" in rule or rule.startswith(("lowest", "mean_", "roughness")) for rule in rules)


class Ladder(Strict):
    """Finds the edges of a range of rates for every reporting seed.

    Starts from ``values`` (a geometric sequence), goes on upwards (``extend: both``: downwards too) while the last value
    is still good, and puts a geometric mean between a good and a bad neighbour until their ratio is at most ``finest``.
    Good means within a margin of the seed's best by ``measure``, for any of ``margins``.
    """

    over: str
    values: list[float]
    margins: list[float]
    measure: str = "validation_accuracy"
    extend: str = "up"
    finest: float = 1.8
    limit: int = 4

    @field_validator("measure")
    @classmethod
    def _is_a_reading(cls, value: str) -> str:
        _known(higher_is_better, value)
        return value


class Draw(Strict):
    """What every reporting seed draws for itself, alike in all cells: one of ``values``, or a factor between 1/``within`` and ``within``,
    log-uniform, on what the cell has.
    """

    values: tuple[Any, ...] = ()
    within: float | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> "Draw":
        if bool(self.values) == (self.within is not None) or (self.within is not None and self.within <= 1):
            raise ValueError("a draw has values, or a factor above 1 as within")
        return self


class Skip(Strict):
    """Cells that cannot be or are left out, with the reason that the report shows. ``when`` gives values of axes (of which
    the setting is one), or lists of values.
    """

    when: dict[str, Any]
    reason: str

    def holds(self, axes: Mapping[str, Any]) -> bool:
        """Whether it is about the cell at ``axes``."""
        return all(axes.get(k) in (v if isinstance(v, list) else [v]) for k, v in self.when.items())


class Grid(Strict):
    """A set of cells: the product of its axes, in every setting of the scale.

    An axis is a list of values for the override of its name, or a mapping from names to bundles of overrides (zipped
    axes). Texts such as "{target}" among overrides stand for constants of the setting. ``tune: true`` runs every cell on
    the tuning seeds too. ``measure`` and ``evaluate`` are what is measured of reported runs in addition; ``timed`` measures
    seconds per step side by side for the cells of each setting and seed. ``costs`` trains nothing and measures instead, the
    cells of each setting and seed (repetition) together and when all else is done, what nets cost or what synchronization of
    processes costs.
    ``draw``: one configuration a seed. ``seeds`` are reporting seeds of its own (a number n means 0 to n − 1), in place of the setting's
    looks. ``at`` replaces fields at a scale; a grid whose ``settings`` there are empty is not part of that scale.
    """

    axes: dict[str, list[Any] | dict[str, Overrides]] = {}
    fixed: Overrides = {}
    settings: list[str] | None = None
    choose: Choose | None = None
    ladder: Ladder | None = None
    tune: bool = False
    draw: dict[str, Draw] = {}
    measure: Overrides = {}
    evaluate: list[str] = []
    timed: bool = False
    costs: Literal["net", "synchronization"] | None = None
    seeds: tuple[int, ...] | None = None
    skip: list[Skip] = []
    at: dict[str, dict[str, Any]] = {}

    @field_validator("seeds", mode="before")
    @classmethod
    def _counted(cls, value: Any) -> Any:
        return tuple(range(value)) if isinstance(value, int) else value

    @model_validator(mode="after")
    def _axes_are_no_columns(self) -> Self:
        over = self.choose.over if self.choose else {}
        if taken := [axis for axis in (*self.axes, *over) if axis in COLUMNS]:
            raise ValueError(f"axis {taken[0]!r} would hide what every run has under that name; call it otherwise")
        return self

    def at_scale(self, scale: str) -> "Grid":
        """This grid as it is at ``scale``."""
        return Grid.model_validate(self.model_dump(exclude_unset=True) | self.at.get(scale, {}))


class Design(Strict):
    """The whole file. ``edition`` 1: evidence that is shown until it is replaced, and not made again."""

    edition: Literal[1, 2] = 2
    name: str
    title: str
    title_ja: str
    scales: dict[str, Scale]
    grids: dict[str, Grid]

    @model_validator(mode="after")
    def _scales_name_known_grids(self) -> Self:
        for name, scale in self.scales.items():
            for unknown in sorted(set(scale.grids or ()) - set(self.grids)):
                raise ValueError(f"scales.{name}.grids: there is no grid {unknown!r}")
            for grid in scale.grids or self.grids:
                for setting in sorted(set(self.grids[grid].at_scale(name).settings or ()) - set(scale.settings)):
                    raise ValueError(f"grids.{grid}: scale {name} has no setting {setting!r}")
        return self

    @classmethod
    def parse(cls, values: Any, origin: str) -> "Design":
        """Check the content of an experiment's file.

        Raises:
            NormlabError: naming each bad entry.
        """
        return check(cls, values, f"{origin}: ")

    def _run_at(self, scale: str) -> list[Grid]:
        """The grids of a scale, as they are there."""
        return [self.grids[name].at_scale(scale) for name in self.at(scale).grids or self.grids]

    def tasks(self, scale: str) -> set[str]:
        """The tasks of its runs at a scale."""
        found = {str(setting.overrides.get("task", "images")) for setting in self.at(scale).settings.values()}
        for grid in self._run_at(scale):
            bundles = [bundle for axis in grid.axes.values() if isinstance(axis, dict) for bundle in axis.values()]
            found |= {str(overrides["task"]) for overrides in (grid.fixed, *bundles) if "task" in overrides}
        return found

    def readings(self, scale: str) -> list[str]:
        """What its choices and ladders at a scale read of runs, as it is written."""
        found: list[str | None] = []
        for grid in self._run_at(scale):
            levels = grid.choose.levels.values() if grid.choose else ()
            found += [rule for level in levels for rule in (level.best, level.worst, level.highest)]
            found += [grid.ladder.measure] if grid.ladder else []
        return [name for name in found if name]

    def looks(self, scale: str, grid: str, setting: str) -> Looks:
        """The seeds on which a grid's cells are reported in a setting, look by look; a grid's own seeds are one look."""
        own = self.grids[grid].at_scale(scale).seeds
        return self.at(scale).looks(setting) if own is None else Looks.of([own])

    def at(self, scale: str) -> Scale:
        """The experiment's sizes at ``scale``.

        Raises:
            NormlabError: if it is not designed for that scale.
        """
        if scale not in self.scales:
            raise NormlabError(f"experiment {self.name} has no scale {scale!r}; it has {', '.join(self.scales)}")
        return self.scales[scale]


@lru_cache(maxsize=1)
def config_dir() -> Path:
    """The folder of normlab's own Hydra configuration: inside the installed package, or in the repository that it is run from."""
    package = Path(__file__).resolve().parents[1]
    inside = package / "configs"
    return inside if inside.is_dir() else package.parents[1] / "configs"


def config_dirs() -> list[Path]:
    """Where configurations are looked for: normlab's own, then ``configs`` of the working directory, which adds to them."""
    own = Path.cwd() / "configs"
    return [config_dir(), *([own] if own.is_dir() and not own.samefile(config_dir()) else [])]


def load_bed(name: str) -> dict[str, Any]:
    """What ``configs/bed/<name>.yaml`` says of a setting.

    Raises:
        NormlabError: if there is none.
    """
    files = {file.stem: file for folder in config_dirs()[::-1] for file in (folder / "bed").glob("*.yaml")}
    if name not in files:
        raise NormlabError(f"unknown bed {name!r}; there are {', '.join(sorted(files))}")
    found = _content(files[name])
    assert isinstance(found, dict)
    return {str(key): value for key, value in found.items()}


def _content(file: Path) -> Any:
    """What a file says, the caller's own. It is parsed once: many settings stand on one bed, and parsing takes longer than all else."""
    return copy.deepcopy(_parsed(file, file.stat().st_mtime_ns))


@lru_cache(maxsize=64)
def _parsed(file: Path, written: int) -> Any:
    del written
    return OmegaConf.to_container(OmegaConf.load(file), resolve=True)


def load_design(name: str) -> Design:
    """The design of the experiment called ``name``.

    Raises:
        NormlabError: if there is none, or its file is wrong.
    """
    files = {file.stem: file for folder in config_dirs()[::-1] for file in (folder / "experiment").glob("*.yaml")}
    if name not in files:
        raise NormlabError(f"unknown experiment {name!r}; there are {', '.join(sorted(files))}")
    file = files[name]
    return Design.parse(_content(file), str(file.name))
