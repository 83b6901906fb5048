"""The command ``normlab``: what it lists, what it says of bad input, and what a folder of one's own adds to it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import normlab
from normlab.errors import NormlabError

ROOT = Path(__file__).resolve().parents[1]
CLAIM = """
from normlab.core.claim import Arm, Case, Claim, Contrast, Text
T = Text("Tanh beats ReLU.", "tanh は ReLU に勝る。")
CLAIMS = (
    Claim("tanh-wins", ("mine",), T, T, "superiority", delta=0.01, cases=(
        Case(T, (Contrast(T, "test_accuracy", Arm("acts", {"net.activation": "tanh"}), Arm("acts", {"net.activation": "relu"})),)),
    )),
)
def figure(results):
    return None
"""
DESIGN = """
name: acts
title: Which activation?
title_ja: どの活性化関数か
scales:
  quick:
    seeds: {tune: [1000], report: [0, 1]}
    settings:
      digits:
        overrides: {data: digits, data.train_size: 100, net.widths: [8], training.epochs: 1}
        constants: {delta: 0.01}
grids:
  acts: {axes: {net.activation: [relu, tanh]}}
"""


def call(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "normlab", *words],
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_claims_are_found_by_their_words(tmp_path: Path) -> None:
    found = call(tmp_path, "claims", "batch", "small")
    assert found.returncode == 0
    assert "small-batch-hurts" in found.stdout
    assert "epsilon-guards" not in found.stdout
    assert "small-batch-hurts" in call(tmp_path, "claims", "小さなバッチ").stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("trian",), "No such command 'trian'"),
        (("claims", "perpetual"), "no claim has the words"),
        (("claim", "small-batch-hurt"), "unknown claim"),
        (("report", "--scale", "huge"), "unknown scale 'huge'"),
        (("report", "--scael", "cpu"), "No such option"),
        (("compare", "batch"), "Missing argument"),
        (("sweep", "nothing"), "unknown experiment"),
        (("train", "norm=bogus"), "Could not find 'norm/bogus'"),
    ],
)
def test_bad_input_is_one_line(tmp_path: Path, words: tuple[str, ...], message: str) -> None:
    done = call(tmp_path, *words)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_without_a_command_it_says_what_there_is(tmp_path: Path) -> None:
    said = call(tmp_path).stdout
    assert all(
        name in said for name in ("train", "sweep", "reproduce", "claims", "claim", "compare", "report", "status")
    )


def test_a_folder_of_ones_own_adds_norms_and_experiments(tmp_path: Path) -> None:
    (tmp_path / "configs" / "norm").mkdir(parents=True)
    (tmp_path / "configs" / "experiment").mkdir()
    (tmp_path / "experiments").mkdir()
    (tmp_path / "configs" / "norm" / "group4.yaml").write_text(
        "{name: group, num_groups: 4, eps: 1.0e-5, affine: true}\n"
    )
    (tmp_path / "configs" / "experiment" / "acts.yaml").write_text(DESIGN)
    (tmp_path / "experiments" / "acts.py").write_text(CLAIM)
    small = ("training.epochs=1", "data.train_size=100", "net.widths=[8]", "net.hidden=16")
    assert call(tmp_path, "train", "norm=group4", *small).returncode == 0
    assert "tanh-wins" in call(tmp_path, "claims", "tanh").stdout
    done = call(tmp_path, "claim", "tanh-wins", "--jobs", "1")
    assert done.returncode == 0, done.stderr
    assert "verdict: " in done.stdout
    assert "not run" not in done.stdout
    assert "acts" in call(tmp_path, "status").stdout


def test_a_notebook_trains_and_reads(tmp_path: Path) -> None:
    small = {"data.train_size": 100, "training.epochs": 1, "net.widths": [8], "net.hidden": 16, "norm": "group"}
    run = normlab.train(small, tmp_path)
    assert 0 <= run.facts["test_accuracy"] <= 1
    assert len(run.history) > 0
    assert normlab.train(small, tmp_path).facts["weights_sha256"] == run.facts["weights_sha256"]
    assert list(normlab.load_results("quick", tmp_path)["run_key"]) == [run.run_key]
    assert normlab.norms.METHODS["group"].title == "group norm"
    with pytest.raises(NormlabError, match="holds no runs"):
        normlab.load_results("cpu", tmp_path)
    with pytest.raises(NormlabError, match="unknown override key"):
        normlab.train({"optimizer.rate": 1})


@pytest.mark.slow
def test_the_installed_package_works_in_an_empty_folder(tmp_path: Path) -> None:
    """Not the repository's files: those of a wheel, with the configurations and experiments that travel in it."""
    site, folder = tmp_path / "site", tmp_path / "empty"
    folder.mkdir()
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(site), str(ROOT)]
    subprocess.run(pip, check=True)
    where = call(folder, "--help", PYTHONPATH=str(site))
    assert where.returncode == 0
    code = "import normlab, normlab.core.design as d; print(normlab.__file__, d.config_dir())"
    told = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.count(str(site)) == 2
    assert call(folder, "train", "norm=group", "training.epochs=1", PYTHONPATH=str(site)).returncode == 0
    assert "small-batch-hurts" in call(folder, "claims", "batch", PYTHONPATH=str(site)).stdout
    done = call(folder, "sweep", "placement", "sweep.grids=[affine]", "--jobs", "1", PYTHONPATH=str(site))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("package", "extra"), [("wandb_workspaces", "dashboard")])
def test_what_an_extra_brings_is_asked_for_by_its_name(tmp_path: Path, package: str, extra: str) -> None:
    (tmp_path / f"{package}.py").write_text(
        f"raise ModuleNotFoundError(\"No module named '{package}'\", name='{package}')\n"
    )
    done = call(tmp_path, extra, PYTHONPATH=str(tmp_path))
    assert done.returncode == 2
    assert f"pip install 'normlab[{extra}]'" in done.stderr
    assert done.stderr.count("\n") == 1
