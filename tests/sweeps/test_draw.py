"""A configuration a seed: drawn by the seed alone, within what was said."""

import math

import numpy as np
import pytest

from normlab.core.design import Draw
from normlab.errors import NormlabError
from normlab.sweeps.draw import drawn

DRAWS = {"optimizer.lr": Draw(within=10.0), "data.batch_size": Draw(values=(32, 64, 128))}


def test_a_seed_draws_the_same_in_every_cell_and_each_seed_for_itself() -> None:
    cells = [drawn(DRAWS, {"optimizer.lr": rate}, 3) for rate in (0.1, 0.2)]
    assert cells[0]["data.batch_size"] == cells[1]["data.batch_size"]
    assert cells[1]["optimizer.lr"] == pytest.approx(2 * cells[0]["optimizer.lr"], rel=1e-4)
    assert len({str(drawn(DRAWS, {"optimizer.lr": 0.1}, seed)) for seed in range(20)}) == 20


def test_factors_are_uniform_on_a_log_scale_and_values_alike_likely() -> None:
    found = [drawn(DRAWS, {"optimizer.lr": 1.0}, seed) for seed in range(2000)]
    decades = np.array([math.log10(each["optimizer.lr"]) for each in found])
    assert (np.abs(decades) <= 1).all()
    assert decades.mean() == pytest.approx(0, abs=0.06)
    assert decades.std() == pytest.approx(1 / math.sqrt(3), abs=0.03)
    counts = np.bincount([each["data.batch_size"] for each in found], minlength=129)[[32, 64, 128]]
    assert counts / 2000 == pytest.approx([1 / 3] * 3, abs=0.05)


def test_a_factor_needs_a_number() -> None:
    with pytest.raises(NormlabError, match=r"optimizer\.lr is no number"):
        drawn(DRAWS, {}, 0)


@pytest.mark.parametrize("values", [{}, {"values": (1,), "within": 2.0}, {"within": 1.0}])
def test_a_draw_is_one_of_both(values: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="a draw has values, or a factor above 1"):
        Draw(**values)  # type: ignore[arg-type]
