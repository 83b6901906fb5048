"""Choosing on tuning seeds: which of several values each cell of a grid is reported with."""

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from normlab.core.design import Choose, Grid, Level, Overrides
from normlab.core.readings import higher_is_better, of_one_run
from normlab.errors import NormlabError
from normlab.sweeps.planned import Cell, Expansion, tidy

if TYPE_CHECKING:
    from normlab.sweeps.expand import Expander

EXTENSIONS = 3  # How often an axis may grow on either side.


@dataclass
class Candidate:
    """Values along the axes chosen from, and the keys of their tuning runs by seed."""

    values: Overrides
    keys: dict[int, str]


class Chooser:
    """Plans the tuning runs of a grid in one setting and, when they are done, the reported ones of the chosen levels.

    Every candidate is run on the setting's tuning seeds; those whose measure is within a margin of the best go on to further seeds, where
    the setting has such. Where the best value of a cell is the end of an axis that may grow, it grows. The best so far is confirmed on
    further seeds: it was named for its mean on a few, and a rate at which one net in ten diverges may well have trained on those. One
    that is no longer best then makes room for the next, until the best has been confirmed.
    """

    def __init__(
        self, expander: "Expander", name: str, grid: Grid, choose: Choose, setting: str, expansion: Expansion
    ) -> None:
        self.expander, self.name, self.grid, self.choose, self.expansion = expander, name, grid, choose, expansion
        self.setting = expander.scale.settings[setting]
        self.title, self.seeds = setting, expander.scale.tuning(setting)
        self.store = expander.store

    def expand(self, cells: list[Cell]) -> None:
        """Plan whatever can be planned."""
        over = {axis: self._values(axis) for axis in self.choose.over}
        if math.prod(map(len, over.values())) == 1:
            only = {axis: values[0] for axis, values in over.items()}
            fixed = ", ".join(f"{key} = {value}" for key, value in only.items())
            self.expansion.note(self.name, f"not tuned at this scale: {fixed} for every arm")
            chosen = {(i, level): only for i in range(len(cells)) for level in self.choose.levels}
        else:
            chosen_of = self._search(cells, over)
            if chosen_of is None:
                self.expansion.waiting += sum(
                    len(self.choose.levels) * len(self.expander.report_seeds(self.name, cell)) for cell in cells
                )
                return
            chosen = {(i, level): values for i, found in enumerate(chosen_of) for level, values in found.items()}
            self._note_ends(over, list(chosen.values()))
        for index, cell in enumerate(cells):
            for level, rule in self.choose.levels.items():
                values = self._derived(rule, cells, index, chosen) if rule.of else chosen[index, level]
                for seed in self.expander.report_seeds(self.name, cell):
                    self.expander.plan(
                        self.name, self.grid, cell, seed, "report", self.expansion,
                        self.choose.overrides(values), level=level, **values,
                    )  # fmt: skip

    def _values(self, axis: str) -> list[Any]:
        """What is chosen from along an axis.

        Raises:
            NormlabError: for a range that the setting does not have.
        """
        values = self.choose.over[axis]
        if not isinstance(values, str):
            return list(values)
        if values not in self.setting.ranges:
            raise NormlabError(f"{self.name}: setting {self.title} has no range {values!r}")
        return list(self.setting.ranges[values])

    def _search(self, cells: list[Cell], over: dict[str, list[Any]]) -> list[dict[str, Overrides]] | None:
        """For each cell the values of every level that is no other's; None while tuning goes on.

        Each cell's axes grow by themselves; in edition 1 they grew for all cells alike.
        """
        alike = self.expander.design.edition == 1
        axes = [over if alike else {axis: list(values) for axis, values in over.items()} for _ in cells]
        grown: list[dict[tuple[str, str], int]] = [{} for _ in cells]
        while True:
            rounds = [self._round(cell, axes[i], grown[i]) for i, cell in enumerate(cells)]
            done = [found for found in rounds if found is not None]
            if len(done) < len(rounds):
                return None
            if alike:
                grew = bool(cells) and self._grow(over, [end for _, ends in done for end in ends], grown[0])
            else:
                grew = any([self._grow(axes[i], ends, grown[i]) for i, (_, ends) in enumerate(done)])  # noqa: C419
            if not grew:
                for i, (_, ends) in enumerate(done):
                    self._note_grown_out(axes[i], ends, grown[0 if alike else i])
                return [{level: candidate.values for level, candidate in levels.items()} for levels, _ in done]

    def _round(
        self, cell: Cell, over: dict[str, list[Any]], grown: dict[tuple[str, str], int]
    ) -> tuple[dict[str, Candidate], list[Overrides]] | None:
        """What a cell's levels take of the values there are, and the values that must not lie at an end; None while runs are left."""
        candidates = [
            self._candidate(cell, dict(zip(over, values, strict=True))) for values in itertools.product(*over.values())
        ]
        rules = {level: rule for level, rule in self.choose.levels.items() if not rule.of}
        while True:
            if not self._done(candidates):
                return None
            contenders = {level: self._contenders(rule, candidates) for level, rule in rules.items()}
            chosen = {level: self._pick(rule, contenders[level]) for level, rule in rules.items()}
            best = [c for level, rule in rules.items() for c in self._best(rule, contenders[level], chosen[level])]
            ends = [candidate.values for candidate in (candidates if self._nothing_trains(candidates) else best)]
            further = False
            if self.setting.closer:
                close = [candidate for found in contenders.values() for candidate in found]
                further = self._run_on(cell, close, self.setting.closer.seeds)
            if not further and not self._growing(over, ends, grown):
                further = self._run_on(cell, [*best, *chosen.values()], self.setting.confirm)
            if not further:
                return chosen, ends

    def _candidate(self, cell: Cell, values: Overrides) -> Candidate:
        candidate = Candidate(values, {})
        self._run_on(cell, [candidate], self.seeds)
        return candidate

    def _run_on(self, cell: Cell, candidates: list[Candidate], seeds: tuple[int, ...]) -> bool:
        """Plan tuning runs of candidates; whether there are seeds among them that a candidate had not."""
        further = False
        for candidate in candidates:
            for seed in seeds:
                if seed in candidate.keys:
                    continue
                further = True
                candidate.keys[seed] = self.expander.plan(
                    self.name, self.grid, cell, seed, "tune", self.expansion,
                    self.choose.overrides(candidate.values), **candidate.values,
                )  # fmt: skip
        return further

    def _done(self, candidates: list[Candidate]) -> bool:
        return all(key in self.store for candidate in candidates for key in candidate.keys.values())

    # Rules

    def _contenders(self, rule: Level, candidates: list[Candidate]) -> list[Candidate]:
        """Those that come close enough, on the seeds that each has by now, for further ones; all where there are none, or the rule wants
        all. Further seeds may lower the best and so bring others close.
        """
        if self.setting.closer is None or not rule.best or rule.at_best:
            return candidates
        best = max(self._score(rule, candidate)[0] for candidate in candidates)
        return [c for c in candidates if self._score(rule, c)[0] >= best - self.setting.closer.margin]

    def _pick(self, rule: Level, candidates: list[Candidate]) -> Candidate:
        """The candidate that a rule takes, by means over tuning seeds; ties go to the more accurate, then to the first."""
        at_best = self._at_best(rule, candidates)
        if rule.highest:
            best = max(self._score(rule, candidate)[0] for candidate in candidates)
            good = [c for c in at_best if self._score(rule, c)[0] >= best - rule.margin]
            return max(good, key=lambda c: next(iter(c.values.values())))
        return (max if rule.best else min)(at_best, key=lambda c: self._score(rule, c))

    def _best(self, rule: Level, candidates: list[Candidate], chosen: Candidate) -> list[Candidate]:
        """All that a rule takes for best of some range: none of them may lie at an end."""
        if rule.worst and not rule.at_best:
            return []
        return self._at_best(rule, candidates) if rule.at_best else [chosen]

    def _nothing_trains(self, candidates: list[Candidate]) -> bool:
        """Whether no training came to anything: then one value is as good as another, and what trains may lie beyond either end. In
        edition 1 the search ended there.
        """
        keys = [key for candidate in candidates for key in candidate.keys.values()]
        statuses = {(self.store.facts(key) or {}).get("status") for key in keys}
        return "ok" not in statuses and self.expander.design.edition > 1

    def _at_best(self, rule: Level, candidates: list[Candidate]) -> list[Candidate]:
        """All; with ``at_best``, for each value of the other axes the one that is best along those named."""
        if not rule.at_best:
            return candidates
        by_others: dict[str, list[Candidate]] = {}
        for candidate in candidates:
            others = {k: v for k, v in candidate.values.items() if k not in rule.at_best}
            by_others.setdefault(repr(others), []).append(candidate)
        return [max(same, key=lambda c: self._score(rule, c)) for same in by_others.values()]

    def _score(self, rule: Level, candidate: Candidate) -> tuple[float, float]:
        name = (rule.best or rule.worst or rule.highest or "").format(**self.setting.constants)
        return self._mean(candidate, name), self._mean(candidate, "validation_accuracy")

    def _mean(self, candidate: Candidate, name: str) -> float:
        """The mean of a measure over runs, negated where lower is better; minus infinity where one has no such number."""
        found = [of_one_run(name).read(self.store, key) for key in candidate.keys.values()]
        numbers = [value.number for value in found if value is not None]
        sign = 1 if higher_is_better(name) else -1
        return sign * sum(numbers) / len(numbers) if len(numbers) == len(found) else -math.inf

    # Ends of axes

    def _growing(
        self, over: dict[str, list[Any]], best: list[Overrides], grown: dict[tuple[str, str], int]
    ) -> list[tuple[str, str]]:
        """The axes at whose ends a best value lies, and the side, where they may still grow."""
        return [(key, side) for key, side, _ in self._at_ends(over, best) if grown.get((key, side), 0) < EXTENSIONS]

    def _at_ends(self, over: dict[str, list[Any]], best: list[Overrides]) -> list[tuple[str, str, float]]:
        """Where a best value is the end of an axis that may grow: the axis, the side, the end."""
        found = []
        for key in self.choose.extend:
            values = {candidate[key] for candidate in best}
            found += [
                (key, side, end) for side, end in (("up", max(over[key])), ("down", min(over[key]))) if end in values
            ]
        return found

    def _note_grown_out(
        self, over: dict[str, list[Any]], best: list[Overrides], grown: dict[tuple[str, str], int]
    ) -> None:
        """Note where a best value lies at an end that has moved as often as it may."""
        for key, side, end in self._at_ends(over, best):
            if grown.get((key, side), 0) == EXTENSIONS:
                self.expansion.note(
                    self.name,
                    f"{self.title}: a best {key} is the end of its grid, {end:g}, extended {EXTENSIONS} times",
                )

    def _grow(self, over: dict[str, list[Any]], best: list[Overrides], grown: dict[tuple[str, str], int]) -> bool:
        """Extend the axes at whose ends a best value lies; whether any grew."""
        growing = self._growing(over, best, grown)
        for key, side in growing:
            grown[key, side] = grown.get((key, side), 0) + 1
            factor = self.choose.extend[key]
            over[key].append(tidy(max(over[key]) * factor if side == "up" else min(over[key]) / factor))
        return bool(growing)

    def _note_ends(self, over: dict[str, list[Any]], chosen: list[Overrides]) -> None:
        """Note where a chosen number is the end of an axis that does not grow."""
        for axis, values in over.items():
            if axis in self.choose.extend or len(values) < 3 or not all(isinstance(v, int | float) for v in values):
                continue
            for end in sorted({c[axis] for c in chosen} & {min(values), max(values)}):
                self.expansion.note(self.name, f"{self.title}: a chosen {axis} is the end of its grid, {end:g}")

    def _derived(
        self, rule: Level, cells: list[Cell], index: int, chosen: dict[tuple[int, str], Overrides]
    ) -> Overrides:
        """The values of a level that is derived from another one, perhaps of another cell."""
        wanted = {**cells[index].axes, **rule.where}
        source = next(i for i, cell in enumerate(cells) if cell.axes == wanted)
        of = self.choose.levels[rule.of or ""]
        values = self._derived(of, cells, source, chosen) if of.of else chosen[source, rule.of or ""]
        return {k: tidy(v * rule.times) if k in self.choose.extend else v for k, v in values.items()}
