"""A norm of the user's own: what goes wrong in it is told as theirs, and what it keeps is only touched as it declares."""

import importlib
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from normlab.config import NormConfig, RunConfig
from normlab.errors import NormlabError
from normlab.norms import make_norm, method_of, norm_version
from normlab.norms.running import running_norms, survey
from normlab.runs.evaluations import evaluate_run
from normlab.runs.execute import execute
from normlab.runs.store import Store
from normlab.tasks import train
from normlab.training.statistics import RunningStatistics, recalibrate

HEAD = "import torch\nfrom torch import nn\n"
RENORM = """
class Mine({base}):
    {method}
    def __init__(self, num_features):
        super().__init__({arguments})
        {setup}
    def forward(self, x):
        axes = (0, *range(2, x.dim()))
        shape = (1, -1, *[1] * (x.dim() - 2))
        if not self.training:
            return (x - self.running_mean.view(shape)) / (self.running_var.view(shape) + 1e-5).sqrt()
        var, mean = torch.var_mean(x, axes, correction=0)
        r = ((var + 1e-5) / (self.running_var + 1e-5)).sqrt().clamp(0.5, 2).detach()
        d = ((mean - self.running_mean) / (self.running_var + 1e-5).sqrt()).clamp(-1, 1).detach()
        with torch.no_grad():
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(var, self.momentum)
        return (x - mean.view(shape)) / (var + 1e-5).sqrt().view(shape) * r.view(shape) + d.view(shape)
"""
AS_SUBCLASS = RENORM.format(base="nn.BatchNorm2d", method="", arguments="num_features", setup="pass")
AS_MODULE = RENORM.format(
    base="nn.Module",
    method="",
    arguments="",
    setup="self.momentum = 0.1; self.register_buffer('running_mean', torch.zeros(num_features)); "
    "self.register_buffer('running_var', torch.ones(num_features))",
)


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Writes files of the user's own, each a module; the name of the last one."""
    names: list[str] = []

    def write(**files: str) -> str:
        for name, text in files.items():
            (tmp_path / f"{name}.py").write_text(HEAD + text)
            names.append(name)
            sys.modules.pop(name, None)
        importlib.invalidate_caches()
        return names[-1]

    monkeypatch.syspath_prepend(str(tmp_path))
    yield write  # type: ignore[misc]
    for name in names:
        sys.modules.pop(name, None)


def config_of(make_config: Callable[..., RunConfig], target: str, **more: object) -> RunConfig:
    return make_config(**{"norm": "custom", "norm.target": target, "net.norm_in": "conv", **more})


INIT = "class Mine(nn.Module):\n    def __init__(self, num_features): super().__init__()\n"
BROKEN = {
    "constructor": (
        "class Mine(nn.Module):\n    def __init__(self, num_features): raise ValueError('no such width')\n",
        "ValueError: no such width .*line 4",
    ),
    "import": ("undefined_name\n", "NameError: name 'undefined_name' is not defined .*line 3"),
    "missing import": ("import not_there_at_all\n", "No module named 'not_there_at_all'"),
    "syntax": ("def f(:\n", "SyntaxError"),
    "no class": ("Mine = 3\n", "is no torch.nn.Module class"),
    "no name": ("Other = nn.Identity\n", "Mine"),
    "forward raises": (INIT + "    def forward(self, x): raise RuntimeError('it broke')\n", "RuntimeError: it broke .*line 5"),
    "forward mistypes": (INIT + "    def forward(self, x): return x.nmu()\n", "AttributeError.*line 5"),
    "forward in torch": (INIT + "    def forward(self, x): return x @ torch.ones(3, 3)\n", "RuntimeError.*line 5"),
    "shape": (INIT + "    def forward(self, x): return x.mean((2, 3), keepdim=True)\n", "keeps the shape"),
    "dtype": (INIT + "    def forward(self, x): return x.double()\n", "keeps the dtype"),
    "nothing": (INIT + "    def forward(self, x): pass\n", "forward gives a NoneType"),
    "more arguments": ("class Mine(nn.Module):\n    def __init__(self, num_features, groups): super().__init__()\n", "also needs groups"),
    "method no mapping": (INIT + "    METHOD = 3\n", "METHOD is a int"),
    "method unknown": (INIT + "    METHOD = {'runing': ()}\n", "declares 'runing'"),
    "method without statistics": (INIT + "    METHOD = {'running': ('other',)}\n", "statistics\\(x\\)"),
    "method without buffers": (
        "class Mine(nn.Module):\n    METHOD = {'running': ('running_mean',)}\n"
        "    def __init__(self, num_features):\n        super().__init__()\n        self.running_mean = torch.zeros(8)\n"
        "    def forward(self, x): return x\n", "has no track_running_stats"
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", BROKEN)
def test_a_fault_is_told_as_the_users_in_one_line(
    fault: str, own: Callable[..., str], make_config: Callable[..., RunConfig], tmp_path: Path
) -> None:
    text, message = BROKEN[fault]
    own(broken_norms=text)
    with pytest.raises(NormlabError, match=message) as caught:
        execute(config_of(make_config, "broken_norms.Mine"), Store(tmp_path / "store"))
    assert "broken_norms" in str(caught.value) or "METHOD" in str(caught.value)


@pytest.mark.parametrize(
    ("target", "options", "words"),
    [
        ("torch.nn.GroupNorm", {"num_groups": 4}, "GroupNorm(4, 16"),
        ("torch.nn.BatchNorm2d", {}, "BatchNorm2d(16"),
        ("torch.nn.InstanceNorm2d", {"affine": True}, "InstanceNorm2d(16"),
        ("torch.nn.Identity", {}, "Identity"),
    ],
)
def test_the_width_goes_where_the_constructor_has_it(target: str, options: dict[str, object], words: str) -> None:
    norm = make_norm(NormConfig(name="custom", target=target, **options), 16, positions=True)  # type: ignore[arg-type]
    assert words in repr(norm)
    with pytest.raises(NormlabError, match="also needs num_groups"):
        make_norm(NormConfig(name="custom", target="torch.nn.GroupNorm"), 16, positions=True)


@pytest.mark.parametrize("text", [AS_SUBCLASS, AS_MODULE])
def test_training_leaves_undeclared_averages_to_the_norm(text: str, own: Callable[..., str]) -> None:
    """A renorm of the user's own trains alike as a subclass of batch norm and as a plain module: nobody sets its momentum."""
    own(my_renorm=text)
    norm = make_norm(NormConfig(name="custom", target="my_renorm.Mine"), 4, positions=True)
    net = nn.Sequential(norm, nn.Conv2d(4, 2, 1))
    statistics = RunningStatistics(net, 3)
    assert norm.momentum == 0.1
    for seed in range(3):
        net(torch.randn(8, 4, 3, 3, generator=torch.Generator().manual_seed(seed)) + 2)
        statistics.update()
    mean = norm.running_mean.clone()
    assert 0.1 < mean.mean() < 1.5  # three tenths of the way, not all of it
    statistics.install()
    assert torch.equal(norm.running_mean, mean)
    assert survey(net) == ([], [norm])
    with pytest.raises(NormlabError, match=r"Mine keeps buffers \(running_mean, running_var"):
        recalibrate(net, torch.randn(8, 4, 3, 3))


def test_nothing_is_recorded_of_statistics_that_nothing_is_known_of(
    own: Callable[..., str], make_config: Callable[..., RunConfig], tmp_path: Path
) -> None:
    own(my_renorm=AS_MODULE)
    measures = train(config_of(make_config, "my_renorm.Mine")).measures
    assert measures["test_accuracy"] >= 0
    assert not [name for name in measures if name.endswith(("_recalibrated", "_batch")) or "_decay_" in name]
    config = config_of(make_config, "my_renorm.Mine", **{"numerics.checkpoint": True})
    with pytest.raises(NormlabError, match=r"numerics\.checkpoint=true"):
        train(config)
    with pytest.raises(NormlabError, match="declares nothing"):
        evaluate_run(config_of(make_config, "my_renorm.Mine"), "gradient_variance", Store(tmp_path / "store"))


DECLARED = AS_MODULE.replace(
    "class Mine(nn.Module):\n    ",
    "class Mine(nn.Module):\n    track_running_stats = True\n"
    "    METHOD = {'running': ('running_mean', 'running_var'), 'feeds_training': True, 'remembers': True}\n",
).replace(
    "r = (",
    "if not self.track_running_stats:\n"
    "            return (x - mean.view(shape)) / (var + 1e-5).sqrt().view(shape)\n        r = (",
)


def test_what_is_declared_is_measured(own: Callable[..., str], make_config: Callable[..., RunConfig]) -> None:
    own(my_renorm=DECLARED)
    assert method_of(NormConfig(name="custom", target="my_renorm.Mine")).feeds_training
    net = nn.Sequential(make_norm(NormConfig(name="custom", target="my_renorm.Mine"), 2, positions=True))
    recalibrate(net, torch.randn(999, 2, 4, 4) + 5)
    torch.testing.assert_close(net[0].running_mean, torch.full((2,), 5.0), atol=0.1, rtol=0)
    measures = train(config_of(make_config, "my_renorm.Mine")).measures
    assert {"test_accuracy_recalibrated", "test_accuracy_batch"} <= set(measures)
    assert not [name for name in measures if "_decay_" in name]


def test_pytorchs_cumulative_average_is_kept(own: Callable[..., str]) -> None:
    """A batch norm with momentum None averages all batches alike, beside one of momentum 0.5."""
    own(
        my_norms="class Mine(nn.BatchNorm2d):\n    def __init__(self, num_features): super().__init__(num_features, momentum=None)\n"
    )
    norm = make_norm(NormConfig(name="custom", target="my_norms.Mine"), 4, positions=True)
    net, alone = nn.Sequential(norm, nn.BatchNorm2d(4, momentum=0.5)), nn.BatchNorm2d(4, momentum=None)
    second = nn.BatchNorm2d(4, momentum=0.5)
    statistics = RunningStatistics(net, 5)
    assert running_norms(net) == list(net)
    for seed in range(5):
        x = torch.randn(8, 4, 3, 3, generator=torch.Generator().manual_seed(seed)) * 2 + 3
        net(x)
        second(alone(x))
        statistics.update()
    statistics.install()
    torch.testing.assert_close(norm.running_mean, alone.running_mean)
    torch.testing.assert_close(norm.running_var, alone.running_var)
    torch.testing.assert_close(net[1].running_var, second.running_var)


def test_a_version_is_of_all_that_the_class_imports(own: Callable[..., str], tmp_path: Path) -> None:
    """Base classes, helpers and constants, in packages and through others; not of what is installed."""
    files = {
        "my_constants": "SCALE = 1.0\n",
        "my_base": "import my_constants\nclass Base(nn.Module):\n    def forward(self, x): return x * my_constants.SCALE\n",
        "my_unused": "",
        "my_norms": "def late():\n    from my_constants import SCALE\n"
        "from my_base import Base\nclass Mine(Base):\n    def __init__(self, num_features): super().__init__()\n",
    }
    config = NormConfig(name="custom", target="my_norms.Mine")

    def version(**changed: str) -> str:
        own(**(files | changed))
        return norm_version(config)

    first = version()
    assert version() == first
    assert version(my_unused="X = 1\n") == first
    assert version(my_constants="SCALE = 2.0\n") != first
    assert version(my_base=files["my_base"].replace("x *", "2 * x *")) != first


def test_a_file_that_imports_nothing_of_ones_own_keeps_its_version(own: Callable[..., str]) -> None:
    import hashlib

    own(my_norms=INIT + "    def forward(self, x): return x\n")
    source = HEAD + INIT + "    def forward(self, x): return x\n"
    assert (
        norm_version(NormConfig(name="custom", target="my_norms.Mine"))
        == hashlib.sha256(source.encode()).hexdigest()[:12]
    )
