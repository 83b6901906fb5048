"""What travels: folders with the code, the packages that the machine lacks, and a share of the data each."""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from normlab.data import find_image_set
from normlab.data.images import read
from normlab.errors import NormlabError
from normlab.pack.images import write_part

MIB = 1 << 20
# What normlab needs to train and plan that an installation of PyTorch does not bring: versions as they are installed here.
LACKING = ("pydantic", "pydantic-core", "annotated-types", "typing-inspection", "hydra-core", "omegaconf")
SCRIPT = """#!/bin/bash
# Puts this part of normlab beside those that are here already, and when all {parts} are, works for BUDGET seconds:
#     OUT=folder BUDGET=540 bash gpu_run.sh
# Results are in OUT, written as they come. Calling it again goes on where the last call stopped.
set -eu
here="$(cd "$(dirname "$0")" && pwd)"
home="${{NORMLAB_HOME:-/tmp/normlab}}"
mkdir -p "$home"
[ "$here" = "$home" ] || cp -R "$here"/. "$home"/
cd "$home"
for part in $(seq {parts}); do
  if [ ! -e "part-$part" ]; then
    echo "part $part of {parts} is not here yet"
    exit 0
  fi
done
export PYTHONPATH="$home/site:$home/src:$home" DATA_DIR="$home/data" NORMLAB_COMMIT="{commit}" PYTHONUNBUFFERED=1
[ -d site ] || python3 -m pip install --quiet --no-index --no-deps --no-compile --target site wheels/*.whl
# Processes of one card take turns of whole milliseconds; CUDA's multi-process service lets their kernels run side by side.
if [ "${{SHARE:-1}}" = 1 ] && command -v nvidia-cuda-mps-control > /dev/null; then
  export CUDA_MPS_PIPE_DIRECTORY="$home/mps" CUDA_MPS_LOG_DIRECTORY="$home/mps"
  mkdir -p mps
  nvidia-cuda-mps-control -d && trap 'echo quit | nvidia-cuda-mps-control' EXIT
  if ! timeout 40 python3 -c 'import torch; torch.ones(1, device="cuda").sum().item()'; then
    echo "the multi-process service does not work here; going on without"
    echo quit | nvidia-cuda-mps-control
    trap - EXIT
    unset CUDA_MPS_PIPE_DIRECTORY CUDA_MPS_LOG_DIRECTORY
  fi
fi
python3 -m normlab.pack.work --scale {scale} --seconds "$((${{BUDGET:-540}} - SECONDS))" --workers "${{WORKERS:-0}}" \\
  --costs "${{COSTS:-}}" --out "${{OUT:?}}" {experiments}
if [ "${{BENCH:-0}}" = 1 ]; then python3 -m normlab bench gpu --device cuda --results "$OUT"; fi
"""


def build(
    target: Path,
    scale: str,
    experiments: Sequence[str],
    data: Sequence[str],
    parts: int,
    limit_mib: float,
    python: str,
    results: Path,
) -> list[Path]:
    """Write the folders ``target``/1 … ``parts``; the first holds code, packages and what is done already, each a share of every data set.

    Raises:
        NormlabError: if a folder is larger than ``limit_mib``, or a package cannot be had.
    """
    root = Path(__file__).resolve().parents[3]
    shutil.rmtree(target, ignore_errors=True)
    folders = [target / str(part + 1) for part in range(parts)]
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=root, capture_output=True, text=True, check=False)
    script = SCRIPT.format(parts=parts, commit=commit.stdout.strip(), scale=scale, experiments=" ".join(experiments))
    for part, folder in enumerate(folders):
        for name in data:
            image_set = find_image_set(name)
            write_part(folder / "images" / f"{name}-{part}.npz", read(image_set), part, parts)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"part-{part + 1}").touch()
        (folder / "gpu_run.sh").write_text(script)
    for name in ("src", "experiments", "configs"):
        shutil.copytree(root / name, folders[0] / name, ignore=shutil.ignore_patterns("__pycache__"))
    stored = results / scale
    for file in sorted(stored.glob("*.parquet")) + sorted(stored.glob("digests.json")):
        (folders[0] / "results" / scale).mkdir(parents=True, exist_ok=True)
        shutil.copy(file, folders[0] / "results" / scale)
    fetch_wheels(folders[0] / "wheels", python)
    for folder in folders:
        size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / MIB
        if size > limit_mib:
            raise NormlabError(f"{folder} has {size:.1f} MiB, more than the {limit_mib:g} allowed; use more parts")
    return folders


def fetch_wheels(folder: Path, python: str) -> None:
    """Download the packages of :data:`LACKING` for Linux on x86-64 and that version of Python.

    Raises:
        NormlabError: if one cannot be had.
    """
    from importlib.metadata import version

    platforms = [f"--platform=manylinux_2_{minor}_x86_64" for minor in (28, 17)] + ["--platform=manylinux2014_x86_64"]
    pip = [sys.executable, "-m", "pip"]
    wanted = [f"{name}=={version(name)}" for name in LACKING]
    antlr = f"antlr4-python3-runtime=={version('antlr4-python3-runtime')}"  # which has no wheel
    for command in (
        [*pip, "download", "--quiet", "--no-deps", "--only-binary=:all:", f"--python-version={python}",
         "--implementation=cp", *platforms, "-d", str(folder), *wanted],
        [*pip, "wheel", "--quiet", "--no-deps", "-w", str(folder), antlr],
    ):  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise NormlabError(f"packages for the pack: {done.stderr.strip().splitlines()[-1]}")
