"""A net of the user's own: what it is given, what it keeps, and how its faults are told."""

import math
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torch import nn

from normlab.config import RunConfig
from normlab.data.batches import load_splits
from normlab.errors import MisfitError, NormlabError
from normlab.nets import make_net, net_version
from normlab.norms.running import running_norms
from normlab.tasks import train
from tests.conftest import SMALL

TEXT = """
import torch
from torch import nn

class MyNet(nn.Module):
    def __init__(self, num_classes, norm_layer, in_channels=1, width=8):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, width, 3, padding=1)
        self.norm = norm_layer(width)
        self.head = nn.Linear(width, num_classes)
    def forward(self, x):
        return self.head(torch.relu(self.norm(self.conv(x))).amax((2, 3)))

def make(**given):
    return MyNet(given["num_classes"], given["norm_layer"], width=given.get("width", 4))
"""


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "my_nets.py").write_text(TEXT)
    yield tmp_path / "my_nets.py"
    sys.path[:] = [folder for folder in sys.path if folder != str(tmp_path)]


@pytest.fixture
def of(composer: Callable[..., RunConfig], file: Path) -> Callable[..., RunConfig]:
    """A run of a small length with a net of that file."""
    small = {key: value for key, value in SMALL.items() if not key.startswith("net")}

    def config(name: str = "MyNet", **more: object) -> RunConfig:
        return composer({**small, "net": "custom", "net.target": f"{file}:{name}", **more})

    return config


def built(config: RunConfig) -> nn.Module:
    splits = load_splits(config.data, config.seed)
    return make_net(config.net, config.norm, splits.shape, splits.classes, config.seed)


@pytest.mark.parametrize("norm", ["none", "batch", "group", "weight_standardization", "spectral", "renorm"])
def test_it_trains_with_any_norm_that_fits(norm: str, of: Callable[..., RunConfig]) -> None:
    config = of(**{"norm": norm, "net.options": {"width": 16}})
    result = train(config)
    assert all(math.isfinite(row["train_loss"]) for row in result.history)
    assert 0 <= result.measures["test_accuracy_recalibrated"] <= 1
    assert bool(running_norms(built(config))) == (norm in ("batch", "renorm"))


def test_arms_start_from_the_same_weights_and_seeds_from_others(of: Callable[..., RunConfig]) -> None:
    batch, group, other = (built(of(norm=n, seed=s)) for n, s in (("batch", 0), ("group", 0), ("batch", 1)))
    assert torch.equal(batch.conv.weight, group.conv.weight)
    assert torch.equal(batch.head.weight, group.head.weight)
    assert not torch.equal(batch.conv.weight, other.conv.weight)


def test_a_net_keeps_the_weights_that_it_draws(of: Callable[..., RunConfig], file: Path) -> None:
    file.write_text(
        TEXT
        + "\ndef zero(**given):\n    net = MyNet(**given)\n    nn.init.constant_(net.head.weight, 0.5)\n    return net\n"
    )
    assert (built(of("zero")).head.weight == 0.5).all()


def test_looking_at_it_leaves_no_trace(of: Callable[..., RunConfig]) -> None:
    net = built(of(norm="batch"))
    assert net.training
    assert (net.norm.running_mean == 0).all()
    assert int(net.norm.num_batches_tracked or 0) == 0


def test_a_function_gets_all_by_name(of: Callable[..., RunConfig]) -> None:
    assert built(of("make", **{"net.options": {"width": 16}, "norm": "group"})).conv.out_channels == 16


def test_its_version_is_that_of_its_file(of: Callable[..., RunConfig], file: Path) -> None:
    first = net_version(of().net)
    assert net_version(of().net) == first
    file.write_text(TEXT.replace("amax", "mean"))
    assert net_version(of().net) != first


FAULTS = {
    "class Bad(nn.Module):\n    def __init__(self, num_classes): super().__init__()\n": "takes no norms; give it a parameter norm_layer",
    "class Bad(MyNet):\n    def __init__(self, num_classes, norm_layer):\n        nn.Module.__init__(self)\n        self.l = nn.Flatten()\n"
    "    def forward(self, x): return x.flatten(1)[:, :10]\n": "makes no norm by its norm_layer",
    "class Bad(MyNet):\n    def forward(self, x): return x.nmu()\n": r"AttributeError.*my_nets\.py, line \d+",
    "class Bad(MyNet):\n    def forward(self, x): return super().forward(x)[:, :3]\n": r"gives \(2, 3\) for two images, where \(2, 10\)",
    "class Bad(MyNet):\n    def __init__(self, num_classes, norm_layer): raise ValueError('no')\n": r"ValueError: no .*line \d+",
    "def Bad(num_classes, norm_layer): return norm_layer\n": "where a torch.nn.Module is wanted",
    "Bad = 3\n": "no torch.nn.Module class, nor a function",
}


@pytest.mark.parametrize("text", FAULTS, ids=list(FAULTS.values()))
def test_a_fault_is_told_as_the_nets(text: str, of: Callable[..., RunConfig], file: Path) -> None:
    file.write_text(TEXT + "\n" + text)
    with pytest.raises(NormlabError, match=FAULTS[text]) as caught:
        built(of("Bad", norm="group", **{"norm.num_groups": 4}))
    assert "net.target=" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("norm", ["frn", "cross_iteration"])
def test_methods_that_must_know_what_stands_beside_them_do_not_fit(norm: str, of: Callable[..., RunConfig]) -> None:
    with pytest.raises(MisfitError, match="a net of one's own"):
        built(of(norm=norm))


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"net.target": None}, "net.target=my_pkg.MyNet"),
        ({"+net.placement": "after"}, "net.placement: a net of your own decides that itself"),
        ({"net.widths": [8]}, "net.widths"),
    ],
)
def test_what_it_decides_itself_is_not_chosen_for_it(
    more: dict[str, object], message: str, of: Callable[..., RunConfig]
) -> None:
    with pytest.raises(NormlabError, match=message):
        of(**more)


def test_a_recipe_trains_it(composer: Callable[..., RunConfig], file: Path) -> None:
    config = composer({"recipe": "digits", "net": "custom", "net.target": f"{file}:MyNet", "norm": "batch"})
    assert config.net.name == "custom"
    assert config.schedule.name == "one_cycle"
