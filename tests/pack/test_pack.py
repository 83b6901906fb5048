"""What travels to a machine without a network, works there within a budget, and comes back."""

import dataclasses
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest

from normlab.data.images import Arrays, ImageSet
from normlab.errors import NormlabError
from normlab.pack import build as building
from normlab.pack import images as packed
from normlab.pack import returns
from normlab.pack.work import Queue, work
from normlab.runs.execute import execute
from normlab.runs.store import Store


def arrays(train: int = 150, test: int = 40, channels: int = 3) -> Arrays:
    source = np.random.default_rng(0)

    def drawn(*shape: int) -> np.ndarray:
        return source.integers(0, 256, shape, dtype=np.uint8)

    return Arrays(drawn(train, channels, 8, 8), drawn(train) % 10, drawn(test, channels, 8, 8), drawn(test) % 10)


def image_set(content: Arrays) -> ImageSet:
    return ImageSet(
        name="noise",
        title="Noise",
        shape=content.train_images.shape[1:],
        classes=10,
        mean=(0.0,) * 3,
        std=(1.0,) * 3,
        digest=content.digest(),
    )


@pytest.mark.parametrize("count", [1, 63, 64, 65, 300])
def test_images_come_out_as_they_went_in(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed, "ROWS", 2)  # several sheets
    images = arrays(count).train_images
    assert np.array_equal(packed.decompress(packed.compress(images), images.shape), images)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("parts", [1, 2, 3])
def test_a_data_set_is_put_together_from_its_parts(channels: int, parts: int, tmp_path: Path) -> None:
    content = arrays(channels=channels)
    files = [tmp_path / f"noise-{part}.npz" for part in range(parts)]
    for part, file in enumerate(files):
        packed.write_part(file, content, part, parts)
    found = packed.read_parts(files, image_set(content))
    assert all(np.array_equal(a, b) for a, b in zip(found, content, strict=True))
    if parts > 1:
        with pytest.raises(NormlabError, match="checksum"):
            packed.read_parts(files[1:], image_set(content))


def test_records_come_home_in_several_files_and_are_merged(tmp_path: Path, make_config, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    there, here = Store(tmp_path / "there"), Store(tmp_path / "here")
    keys = [execute(make_config(seed=seed), there, "placement", "report").facts["run_key"] for seed in range(3)]
    there.put_evaluation(keys[0], "cost", {"step": 1.5})
    monkeypatch.setattr(returns, "LARGEST", 20_000)  # bytes; a record of these runs has some ten thousand
    out = tmp_path / "out"
    assert len(returns.bring_home(there.root, out)) > 1
    (out / "bench").mkdir()
    (out / "bench" / "gpu.csv").write_text("section\n")
    assert returns.merge(out, here) == 4
    assert (tmp_path / "bench" / "gpu.csv").read_text() == "section\n"
    here = Store(here.root).refresh()
    digests = [{key: (store.facts(key) or {})["weights_sha256"] for key in keys} for store in (here, there.refresh())]
    assert digests[0] == digests[1]
    assert here.evaluation(keys[0], "cost") == {"step": 1.5}


def test_what_is_no_record_is_not_taken_in(tmp_path: Path) -> None:
    (tmp_path / "x.parquet").write_text("x")
    with tarfile.open(tmp_path / "records-1.tar", "w") as archive:
        archive.add(tmp_path / "x.parquet", "runs/../../x.parquet")
    with pytest.raises(NormlabError, match="no record"):
        returns.merge(tmp_path, Store(tmp_path / "store"))
    with pytest.raises(NormlabError, match="no records"):
        returns.merge(tmp_path / "empty", Store(tmp_path / "store"))


def test_the_queue_tunes_first_then_goes_cell_by_cell_and_takes_no_run_twice(tmp_path: Path) -> None:
    queue = Queue(["placement", "placement"], "quick", Store(tmp_path))
    queue.look()
    items = []
    while item := queue.take():
        items.append(item)
    assert len({item.run_key for item in items}) == len(items) > 10
    tuned = [item.role != "tune" for item in items]
    assert tuned == sorted(tuned)
    reported = [item.config.model_copy(update={"seed": 0}) for item in items if item.role == "report"]
    cells = [config for place, config in enumerate(reported) if not place or config != reported[place - 1]]
    assert len(cells) == len({config.model_dump_json() for config in cells})  # no cell is taken up a second time


@pytest.mark.slow
def test_two_calls_of_the_script_do_the_runs_once_and_bring_them_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole way on a processor: a part that waits for the other, a budget that ends, a second call that goes on."""
    monkeypatch.setattr(building, "fetch_wheels", lambda folder, python: (folder.parent / "site").mkdir())
    folders = building.build(tmp_path / "pack", "quick", ["placement"], [], 2, 60, "3.11", tmp_path / "results")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python3").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (tmp_path / "bin" / "python3").chmod(0o755)
    out = tmp_path / "out"
    environment = os.environ | {
        "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
        "NORMLAB_HOME": str(tmp_path / "home"),
        "OUT": str(out),
        "WORKERS": "2",
        "SHARE": "0",
    }

    def call(folder: Path, budget: int) -> str:
        done = subprocess.run(
            ["bash", str(folder / "gpu_run.sh")],
            env=environment | {"BUDGET": str(budget)},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    def runs() -> set[str]:
        with tarfile.open(out / "records-1.tar") as archive:
            return set(archive.getnames())

    assert "part 1 of 2 is not here yet" in call(folders[1], 10)
    call(folders[0], 15)  # how far it comes is the machine's affair
    first = runs()
    call(tmp_path / "home", 300)
    assert first <= runs()
    store = Store(tmp_path / "store")
    assert returns.merge(out, store) == len(runs())
    assert Queue(["placement"], "quick", store).look() == 0


def test_a_folder_that_is_too_large_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(building, "fetch_wheels", lambda folder, python: None)
    with pytest.raises(NormlabError, match="MiB, more than"):
        building.build(tmp_path / "pack", "quick", ["placement"], [], 1, 0.1, "3.11", tmp_path / "results")


def test_an_image_set_without_colours_needs_no_pictures(tmp_path: Path) -> None:
    content = dataclasses.replace(image_set(arrays(channels=1)), shape=(1, 8, 8))
    packed.write_part(tmp_path / "noise-0.npz", arrays(channels=1), 0, 1)
    assert packed.read_parts([tmp_path / "noise-0.npz"], content).train_images.shape == (150, 1, 8, 8)


def test_costs_are_brought_home_a_repetition_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[set[int]] = []
    monkeypatch.setattr(
        "normlab.pack.work.measure_costs", lambda plans, store: seen.append({p.axes["seed"] for p in plans})
    )
    homes: list[Path] = []
    monkeypatch.setattr("normlab.pack.work.bring_home", lambda root, out: homes.append(out))
    work([], "quick", 60, 1, tmp_path, tmp_path / "out", "cost")
    assert seen == [{0}, {1}, {2}]  # the repetitions of the scale quick
    assert len(homes) == 1 + len(seen)
