"""Climbing a ladder of rates: for every reporting seed, the edges of the range that is good."""

import itertools
import math
from typing import TYPE_CHECKING

from normlab.core.design import Grid, Ladder
from normlab.core.over_runs import stable
from normlab.core.readings import higher_is_better, of_one_run
from normlab.sweeps.planned import Cell, Expansion, tidy

if TYPE_CHECKING:
    from normlab.sweeps.expand import Expander


def climb(
    expander: "Expander", name: str, grid: Grid, ladder: Ladder, cell: Cell, seed: int, expansion: Expansion
) -> None:
    """Plan the rates of a cell and seed as far as those that are done tell."""
    rates = sorted(ladder.values)
    step = rates[1] / rates[0]
    lowest, highest = rates[0] / step**ladder.limit, rates[-1] * step**ladder.limit
    planned: set[float] = set()
    while True:
        for rate in rates:
            if rate not in planned:
                expander.plan(name, grid, cell, seed, "report", expansion, {ladder.over: rate}, **{ladder.over: rate})
                planned.add(rate)
        keys = [expander.run({**cell.overrides, ladder.over: rate}, seed)[0] for rate in rates]
        if any(key not in expander.store for key in keys):
            expansion.waiting += 2 * len(ladder.margins)
            return
        found = [of_one_run(ladder.measure).read(expander.store, key) for key in keys]
        up = higher_is_better(ladder.measure)
        worst = 0.0 if up else -math.inf  # what a run without the number counts as
        numbers = [(value.number if up else -value.number) if value else worst for value in found]
        new: set[float] = set()
        for margin in ladder.margins:
            good = stable(numbers, margin)
            if good[-1] and rates[-1] < highest * 0.99:
                new.add(tidy(rates[-1] * step))
            if ladder.extend == "both" and good[0] and rates[0] > lowest * 1.01:
                new.add(tidy(rates[0] / step))
            top = max(i for i, g in enumerate(good) if g)
            for i, (low, high) in enumerate(itertools.pairwise(rates)):
                edge = good[i] != good[i + 1] if ladder.extend == "both" else i == top
                if edge and high / low > ladder.finest * 1.001:
                    new.add(tidy(math.sqrt(low * high)))
        if not new - set(rates):
            return
        rates = sorted({*rates, *new})
