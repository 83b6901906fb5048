"""What several tests share: configurations of seconds, and the command line as a user calls it."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from normlab.config import RunConfig
from normlab.sweeps.compose import Composer

ROOT = Path(__file__).resolve().parents[1]
SMALL = {
    "data": "digits",
    "data.train_size": 100,
    "data.validation_size": 50,
    "data.test_size": 50,
    "data.batch_size": 20,
    "net.widths": [8],
    "net.hidden": 16,
    "training.epochs": 2,
}


@pytest.fixture(scope="session")
def composer() -> Composer:
    return Composer()


@pytest.fixture(scope="session")
def make_config(composer: Composer) -> Callable[..., RunConfig]:
    """A run of a fraction of a second, with overrides."""
    return lambda overrides=None, **values: composer({**SMALL, **(overrides or {}), **values})


@pytest.fixture
def call(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a script of the repository as a user would, results below a folder of the test's own."""

    def run(script: str, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, str(ROOT / "scripts" / script), *arguments],
            cwd=tmp_path,
            text=True,
            capture_output=True,
            timeout=300,
            check=False,
            **{"env": os.environ | {"DATA_DIR": str(tmp_path / "data")}, **options},
        )

    return run
