"""What a seed draws for itself: a configuration a seed, the same in all cells."""

from collections.abc import Mapping
from typing import Any

import torch

from normlab.core.design import Draw, Overrides
from normlab.errors import NormlabError
from normlab.seeds import generator


def drawn(draws: Mapping[str, Draw], overrides: Overrides, seed: int) -> Overrides:
    """What ``seed`` draws: of each override one of its values, or a factor, log-uniform, on what ``overrides`` have.

    Raises:
        NormlabError: for a factor on what is no number of the cell's.
    """
    found: dict[str, Any] = {}
    for key, draw in draws.items():
        source = generator(seed, f"draw/{key}")
        if draw.within is None:
            found[key] = draw.values[int(torch.randint(len(draw.values), (1,), generator=source))]
            continue
        own = overrides.get(key)
        if not isinstance(own, int | float):
            raise NormlabError(f"draw: {key} is no number of its cells that a factor could go on")
        exponent = 2 * float(torch.rand(1, generator=source)) - 1
        found[key] = float(f"{own * draw.within**exponent:.6g}")
    return found
