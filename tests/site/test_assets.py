"""What the pages load: bundles that are as new as their sources, and data that says what the store does."""

import hashlib
import json
import math
import re
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t as student

import normlab.site
from normlab.errors import NormlabError
from normlab.runs.store import Store
from normlab.site.drawn import POINTS, curve, rates, script
from normlab.site.packing import pack
from normlab.site.situations import Arm, Field
from normlab.site.speed import measured

ROOM = Path(normlab.site.__file__).parent


def test_bundles_are_as_new_as_their_sources() -> None:
    """``make site-assets`` writes a hash of what it bundled to the head of each."""
    found = hashlib.sha256()
    for file in sorted(file for file in (ROOM / "web").iterdir() if file.suffix in (".js", ".mjs", ".json")):
        found.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    for name in ("site.js", "plots.js"):
        head = (ROOM / "assets" / name).read_text(encoding="utf-8").splitlines()[0]
        assert found.hexdigest()[:16] in head, f"{name} is older than its sources: make site-assets"


def test_bundles_ask_for_nothing_from_elsewhere() -> None:
    lock = (ROOM / "web" / "package-lock.json").read_text(encoding="utf-8")
    assert "resolved" not in lock
    for name in ("site.js", "plots.js"):
        text = (ROOM / "assets" / name).read_text(encoding="utf-8")
        assert not re.search(r"\b(?:fetch|import)\([\"'`]|XMLHttpRequest", text)


class Histories:
    """A store that holds the histories given."""

    def __init__(self, histories: dict[str, pd.DataFrame]) -> None:
        self.histories = histories

    def history(self, run_key: str) -> pd.DataFrame:
        return self.histories.get(run_key, pd.DataFrame())


def logged(losses: list[float]) -> pd.DataFrame:
    return pd.DataFrame({"epoch": np.arange(1, len(losses) + 1) / 10, "train_loss": losses})


def test_a_curve_is_the_mean_of_seeds_over_equal_stretches() -> None:
    store = Histories({"a": logged([2.0] * 80), "b": logged([4.0] * 80)})
    found = curve({0: "a", 1: "b"}, store)  # type: ignore[arg-type]
    assert len(found) == POINTS
    assert {loss for _, loss in found} == {3.0}
    assert found[0][0] == pytest.approx(0.1)
    assert found[-1][0] == pytest.approx(7.9)


def test_a_seed_that_diverged_ends_where_it_did() -> None:
    store = Histories({"a": logged([1.0] * 80), "b": logged([3.0] * 40 + [math.nan] * 40)})
    found = curve({0: "a", 1: "b"}, store)  # type: ignore[arg-type]
    assert [loss for _, loss in found] == [2.0] * (POINTS // 2) + [1.0] * (POINTS // 2)
    assert curve({0: "nowhere"}, store) == []  # type: ignore[arg-type]


def test_rates_come_in_order_with_their_seeds() -> None:
    assert rates({0.3: [0.5], 0.1: [0.8, 0.6]}) == [(0.1, 0.7, 2), (0.3, 0.5, 1)]


def test_the_script_defines_one_value_that_a_page_can_read(tmp_path: Path) -> None:
    arm = Arm("batch", 0.1, {0: 0.9, 1: 0.8}, {}, {0.1: [0.7]}, diverged=1)
    field = Field("mnist", "mnist", 128, False, 10_000, 5, [arm], [])
    text = script([field], Store(tmp_path))
    name, _, value = text.partition(" = ")
    assert name == "window.normlab"
    content = json.loads(value.rstrip().rstrip(";"))
    assert content["situations"][0]["arms"][0]["accuracy"] == {"0": 0.9, "1": 0.8}
    assert content["situations"][0]["arms"][0]["diverged"] == 1
    assert content["quantiles"][7] == pytest.approx(student.ppf(0.975, 7), abs=1e-4)
    assert set(content["methods"]) == set(content["order"]) == {"batch"}


def test_the_page_of_speed_shows_what_the_bench_wrote(tmp_path: Path) -> None:
    columns = ("setting", "item", "against", "value", "low", "high", "unit", "absolute", "bar", "note", "met")
    rows = [
        ("a net", "loop", "floor", 2.0, 1.0, 4.0, "×", "10 samples/s", 0.5, "", True),
        ("a net", "slow", "floor", 0.5, 0.25, 1.0, "×", "", 1.0, "", False),
        ("a net", "start", "", 3.0, 2.0, 4.0, "s", "", None, "", None),
        ("a net", "gpu", "floor", None, None, None, "×", "", None, "not run: no CUDA device", None),
    ]
    machine = {"cpu": "a processor", "cores": 2, "gpu": "", "torch": "2", "date": "2026-01-01"}
    pd.DataFrame([dict(zip(columns, row, strict=True)) | machine for row in rows]).to_csv(
        tmp_path / "loop.csv", index=False
    )
    (section,) = measured(tmp_path)
    quick, slow, start, gpu = section.settings["a net"]
    assert quick.at is not None
    assert slow.at is not None
    assert quick.at - section.one == pytest.approx(section.one - slow.at, abs=0.02)  # ×2 and ×0.5 lie alike from ×1
    assert (quick.number, quick.met, slow.met, start.number, start.at) == ("×2.00", True, False, "3.00 s", None)
    assert (gpu.number, gpu.at, gpu.note) == ("", None, "not run: no CUDA device")
    assert len(section.ticks) >= 3
    assert measured(tmp_path / "nowhere") == []


def test_a_pack_holds_all_that_its_pages_lead_to(tmp_path: Path) -> None:
    store = tmp_path / "results" / "quick"
    for name in ("report/index.html", "report/en/index.html", "figures/a.png", "tables/a.csv", "runs.parquet"):
        (store / name).parent.mkdir(parents=True, exist_ok=True)
        (store / name).write_text(name)
    file = pack(store, tmp_path / "out" / "pages.zip")
    with zipfile.ZipFile(file) as archive:
        assert set(archive.namelist()) == {
            "index.html", "quick/report/index.html", "quick/report/en/index.html", "quick/figures/a.png", "quick/tables/a.csv",
        }  # fmt: skip
        assert b"quick/report/index.html" in archive.read("index.html")
    with pytest.raises(NormlabError, match="no report"):
        pack(tmp_path, tmp_path / "none.zip")
