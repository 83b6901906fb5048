"""What a user can get wrong ends in one clear line and a nonzero exit."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from normlab.runs.store import Store
from tests.conftest import ROOT

Call = Callable[..., subprocess.CompletedProcess[str]]
TINY = ["data.train_size=100", "data.validation_size=50", "data.test_size=50", "training.epochs=1"]


@pytest.mark.parametrize(
    ("script", "arguments", "message"),
    [
        ("train.py", ["norm=bacth"], "Could not find 'norm/bacth'"),
        ("train.py", ["data=mnsit"], "Could not find 'data/mnsit'"),
        ("train.py", ["-m", "experiment=placment"], "Could not find 'experiment/placment'"),
        ("train.py", ["-m", "hydra/launcher=submitit_moon"], "pip install 'normlab[slurm]'"),
        ("train.py", ["norm.epsilon=1"], "Could not override 'norm.epsilon'"),
        ("train.py", ["optimizer.lr=-0.1"], "optimizer.lr: Input should be greater than 0 (got -0.1)"),
        ("train.py", ["optimizer.lr=fast"], "optimizer.lr: Input should be a valid number"),
        ("train.py", ["norm=group", "norm.num_groups=7"], "norm.num_groups=7 does not divide 16 channels"),
        ("train.py", ["net=mlp", "data.batch_size=1"], "batch norm in training needs more than one value a channel"),
        ("train.py", ["net=mlp", "norm=instance"], "one value a channel in every layer of an MLP"),
        ("train.py", ["data=mnist"], "MNIST is not there"),
        ("train.py", ["evaluation=corruption"], "unknown evaluation 'corruption'; there are statistics_noise"),
        ("train.py", ["-m", "seed=0,1", "evaluation=corruption"], "unknown evaluation 'corruption'"),
        ("train.py", ["experiment=placement"], "an experiment is a sweep of runs; add -m"),
        ("train.py", ["numerics.device=cuda"], "PyTorch finds no CUDA device"),
        ("train.py", ["norm=custom", "norm.target=nowhere.MyNorm"], "No module named 'nowhere'"),
        ("train.py", ["results=/dev/null/results", *TINY], "/dev/null"),
        ("claim.py", ["before-is-beter"], "unknown claim 'before-is-beter'; there are"),
        ("report.py", ["huge"], "unknown scale 'huge'"),
        ("data.py", ["cifar11"], "unknown data set 'cifar11'"),
    ],
)
def test_one_clear_line(call: Call, script: str, arguments: list[str], message: str) -> None:
    import torch

    if "numerics.device=cuda" in arguments and torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    done = call(script, *arguments)
    assert done.returncode == 2, done.stdout + done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize("target", ["reproduce", "sweep", "claim", "cost"])
def test_an_unknown_launcher(target: str) -> None:
    command = ["make", "-n", target, "LAUNCHER=slrum", "EXPERIMENT=placement", "CLAIM=before-is-better"]
    done = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, check=False)
    assert done.returncode == 2
    assert "unknown LAUNCHER=slrum; there are joblib, basic, ray, slurm" in done.stderr


def test_a_corrupt_data_file(call: Call, tmp_path: Path) -> None:
    folder = tmp_path / "data" / "normlab"
    folder.mkdir(parents=True)
    (folder / "mnist.npz").write_bytes(b"PK\x03\x04 not really")
    done = call("train.py", "data=mnist")
    assert done.returncode == 2
    assert "mnist.npz is damaged" in done.stderr
    assert "make data" in done.stderr


def test_a_truncated_record_is_done_again_and_earlier_results_stay(call: Call, tmp_path: Path) -> None:
    for norm in ("batch", "none"):
        assert call("train.py", f"norm={norm}", *TINY).returncode == 0
    store = tmp_path / "results" / "quick"
    runs = Store(store).refresh().runs()
    key = runs.loc[runs["norm"] == "batch", "run_key"].iloc[0]
    file = store / "runs" / f"{key}.parquet"
    file.write_bytes(file.read_bytes()[:100])
    done = call("train.py", "norm=batch", *TINY)
    assert done.returncode == 0
    assert "warning" in done.stderr
    assert "done already" not in done.stdout
    again = Store(store).refresh().runs()
    assert list(again["weights_sha256"]) == list(runs["weights_sha256"])


def test_help_needs_no_torch(call: Call) -> None:
    script = (
        "import sys, runpy; sys.argv = ['train.py', '--help']\ntry: runpy.run_path(sys.path[0] + '/train.py', run_name='__main__')\n"
        "except SystemExit: pass\nprint('torch' in sys.modules)"
    )
    import os
    import sys

    from tests.conftest import ROOT

    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT / 'scripts')!r})\n" + script],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ,
    )
    assert "norm: batch, cross_iteration, custom" in done.stdout
    assert done.stdout.strip().endswith("False")


def test_cfg_job_shows_the_configuration(call: Call) -> None:
    done = call("train.py", "norm=group", "--cfg", "job")
    assert done.returncode == 0
    assert "num_groups: 8" in done.stdout
