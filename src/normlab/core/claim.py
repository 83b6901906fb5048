"""A claim as data: what is said, where, and the contrast that decides it. Registered before its runs are made."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from normlab.core.over_runs import OverRuns
from normlab.core.readings import check
from normlab.errors import NormlabError

Kind = Literal["superiority", "equivalence", "noninferiority", "exact"]
Quantifier = Literal["every", "some"]
Unit = Literal["points", "ratio", "number"]


@dataclass(frozen=True)
class Text:
    """The same sentence in English and Japanese."""

    en: str
    ja: str


@dataclass(frozen=True)
class Pick:
    """One of several readings of the same run, named as an :class:`Extreme` is: for each fold of the seeds by the others' means.

    ``measure`` has places for ``{part}`` (validation where it is named, test where it is reported) and ``{value}``.
    """

    measure: str
    values: tuple[float, ...]
    take: Literal["best", "worst"] = "best"

    def named(self, part: str, value: float) -> str:
        """The name of one reading."""
        return self.measure.format(part=part, value=f"{value:g}")


@dataclass(frozen=True)
class Extreme:
    """The best or worst level along an axis, named for each of five folds of the seeds by the mean validation measure of the others.

    A range found so is a lower bound of the true one, since no seed names the level that it is counted at.
    """

    axis: str
    take: Literal["best", "worst"]


@dataclass(frozen=True)
class Arm:
    """Cells of a grid, by their values on some of its axes; a case's ``by`` gives the others.

    Axes are named as in the design: ``setting``, those of ``axes``, ``level`` where the grid chooses, and the override
    key of a ladder, along which a measure over several runs may reduce. ``measure`` replaces the contrast's for this arm;
    ``extreme`` picks one of its levels along an axis.
    """

    grid: str
    axes: Mapping[str, Any] = field(default_factory=dict)
    measure: str | Pick | None = None
    extreme: Extreme | None = None


@dataclass(frozen=True)
class Contrast:
    """A paired effect θ, positive in the claimed direction, one value a seed.

    θ = weight·[f(plus) − f(minus)] − [f(less[0]) − f(less[1])], with f the measure, or ln(measure + offset) where ``log``.
    Without ``minus`` the number ``reference`` stands in its place. ``over`` names the axis along which the measure
    reduces several runs of a seed to one number: rates, or the members of a range of which some may fail.
    ``unit``, ``delta`` and ``kind`` replace the claim's for this part. The first arm named is the claimed larger one. ``test`` is
    the paired t-test, or for failures the exact test of sign flips, which for one pair a seed is McNemar's.
    ``signed``: θ is counted in the direction that it has on validation images of the tuning seeds, where a claim names none.
    ``spread``: f is the logarithm of the standard deviation over seeds, and a seed's θ the jackknife's pseudo-value, n·θ − (n − 1)·θ
    without it (Miller 1968); seeds of which a run failed are left out.
    """

    name: Text
    measure: str
    plus: Arm
    minus: Arm | None = None
    less: tuple[Arm, Arm] | None = None
    weight: float = 1.0
    reference: float = 0.0
    log: bool = False
    offset: float = 0.0
    over: str | None = None
    unit: Unit | None = None
    delta: float | str | None = None
    test: Literal["t", "sign_flip"] = "t"
    kind: Kind | None = None
    signed: bool = False
    spread: bool = False

    def __post_init__(self) -> None:
        if self.is_range and self.less:
            raise NormlabError(f"{self.name.en}: a range of levels less another has no test")

    @property
    def arms(self) -> tuple[Arm, ...]:
        """All arms it reads."""
        return tuple(arm for arm in (self.plus, self.minus, *(self.less or ())) if arm is not None)

    @property
    def is_range(self) -> bool:
        """Whether it is the best level of a range less the worst, so that all pairs of levels bound it."""
        return self.minus is not None and all(a.extreme or isinstance(a.measure, Pick) for a in (self.plus, self.minus))


@dataclass(frozen=True)
class Case:
    """A kind of setting: its parts must all hold. There is one verdict for each value of the axes in ``by``, or of those in ``among``.

    ``at`` adds what its settings have in common to their places, so that a moderator may compare cases: {"statistics": "running"}.
    ``scales`` names the scales that the case belongs to; None means all. ``given`` are conditions without which the parts
    say nothing, such as a manipulation check: unless each is established, the setting is unresolved.
    """

    name: Text
    parts: tuple[Contrast, ...]
    by: tuple[str, ...] = ("setting",)
    among: Mapping[str, tuple[Any, ...]] | None = None
    at: Mapping[str, Any] | None = None
    scales: tuple[str, ...] | None = None
    given: tuple[Contrast, ...] = ()

    def place(self, at: Mapping[str, Any]) -> dict[str, Any]:
        """Where among its cells one of its settings stands, without what they have in common."""
        return {axis: value for axis, value in at.items() if axis not in (self.at or {})}

    @property
    def contrasts(self) -> tuple[Contrast, ...]:
        """All that it reads: its parts and conditions."""
        return self.parts + self.given


@dataclass(frozen=True)
class Moderator:
    """What an effect may depend on, registered with the claim: a place on an axis of its settings.

    Over numbers its test is that of a per-seed slope of θ/δ on their logarithm to base 2; over two names that of a per-seed difference,
    or between seeds that are not shared (as of two data sets) Welch's.
    """

    name: Text
    axis: str


@dataclass(frozen=True)
class Finding:
    """What an exact check computed: whether the statement holds, and the numbers that show it."""

    holds: bool
    numbers: Mapping[str, float]


@dataclass(frozen=True)
class Claim:
    """One claim of the articles.

    Attributes:
        id: its name in the ledger.
        sources: places in the articles, such as "A §4.3".
        statement: the claim in our own words.
        method: how it was tested, in a sentence or two.
        kind: which of the protocol's verdict rules applies.
        unit: ``points`` (θ in fractions, shown in percentage points), ``ratio`` (θ a log-ratio, shown as a factor), or
            ``number``.
        delta: the smallest effect that would matter, in θ's unit, or the name of a constant of the settings.
        cases: the settings and their contrasts.
        quantifier: whether it is said of ``every`` setting, or that there are ``some``.
        moderators: what its effect may depend on.
        check: for an exact claim, the computation.
        checked: where a verdict surprises, what was looked at for a flaw of the experiment.
        shown_besides: effects looked at with it, which may be added after the results: they are shown and decide nothing.

    Raises:
        NormlabError: for a reading that there is not, or one of several runs where a single one is read.
    """

    id: str
    sources: tuple[str, ...]
    statement: Text
    method: Text
    kind: Kind
    unit: Unit = "points"
    delta: float | str = "delta"
    cases: tuple[Case, ...] = ()
    quantifier: Quantifier = "every"
    moderators: tuple[Moderator, ...] = ()
    check: Callable[[], Finding] | None = None
    checked: Text | None = None
    shown_besides: tuple[Case, ...] = ()

    def __post_init__(self) -> None:
        for part, name in self._readings((*self.cases, *self.shown_besides)):
            try:
                several = isinstance(check(name), OverRuns)
            except NormlabError as error:
                raise NormlabError(f"claim {self.id}: {error}") from None
            if several != bool(part.over):
                raise NormlabError(
                    f"claim {self.id}: {name} is read off {'several runs; say along which axis (over)' if several else 'one run'}"
                )

    def readings(self, scale: str) -> Iterator[str]:
        """All that the claim reads of runs at a scale, as it is written."""
        return (name for _, name in self._readings((*self.at(scale), *self.shown_besides)))

    @staticmethod
    def _readings(cases: Iterable[Case]) -> Iterator[tuple[Contrast, str]]:
        for case in cases:
            for part in case.contrasts:
                for arm in part.arms:
                    if isinstance(arm.measure, Pick):
                        names = [arm.measure.named(p, v) for p in ("validation", "test") for v in arm.measure.values]
                    else:
                        names = [arm.measure or part.measure]
                    yield from ((part, name) for name in names)

    def at(self, scale: str) -> tuple[Case, ...]:
        """The cases of a scale."""
        return tuple(case for case in self.cases if case.scales is None or scale in case.scales)
