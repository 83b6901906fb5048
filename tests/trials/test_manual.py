"""The norms that the manual writes are sound: each passes its checks and trains."""

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from normlab.config import RunConfig
from normlab.tasks import train
from normlab.trials.checks import checked
from normlab.trials.subject import Subject

PAGE = Path(__file__).resolve().parents[2] / "docs" / "trial.md"
NORMS = [("SampleRMS", {}), ("MaxBatch", {}), ("groups_of_four", {}), ("ThresholdedGroups", {"num_groups": 8})]


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Path]:
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 3
    (tmp_path / "my_norms.py").write_text("\n\n".join(blocks))
    yield tmp_path / "my_norms.py"
    sys.path[:] = [folder for folder in sys.path if folder != str(tmp_path)]


@pytest.mark.parametrize(("name", "options"), NORMS, ids=[name for name, _ in NORMS])
def test_a_norm_of_the_manual_is_sound(
    name: str, options: dict[str, int], file: Path, make_config: Callable[..., RunConfig]
) -> None:
    subject = Subject.of(f"{file}:{name}", options)
    found = {check.name: check for check in checked(subject)}
    assert not {name: check.said for name, check in found.items() if check.outcome == "failed"}
    assert "nothing declared" not in found["mixes"].said
    assert ("samples" in subject.mixes) == (name == "MaxBatch")
    config = make_config(
        dict(subject.overrides),
        **{"net.norm_in": "conv", "net.head": "flatten", "training.epochs": 4, "optimizer.lr": 0.05},
    )
    trained = train(config)
    assert trained.status == "ok"
    assert trained.measures["test_accuracy_recalibrated"] > 0
