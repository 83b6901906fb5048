"""One table of properties that every method is held to in every state: what it gives is its formula in float64."""

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from normlab.config import NormConfig
from normlab.errors import NormlabError
from normlab.norms import METHODS, make_norm
from normlab.norms.properties import conv_and_norm
from normlab.norms.running import buffers_of, running_norms
from normlab.training.adaptation import adapt
from normlab.training.statistics import batch_statistics, recalibrate, recalibrated

NAMES = [name for name in METHODS if name != "custom"]
ON_ACTIVATIONS = [name for name in NAMES if METHODS[name].wrap is None or name == "weight_standardization"]
RUNNING = [name for name in NAMES if METHODS[name].running]
SHAPES = {"maps": (8, 16, 5, 5), "vectors": (32, 16)}


def drawn(shape: tuple[int, ...], seed: int = 0, mean: float = 0.0) -> Tensor:
    source = torch.Generator().manual_seed(seed)
    return mean + torch.randn(shape, generator=source, dtype=torch.float64)


def norm_of(name: str, shape: tuple[int, ...], **options: object) -> nn.Module:
    """A norm in float64 with parameters and, after three batches, running statistics of its own."""
    norm = make_norm(NormConfig(name=name, **options), shape[1], positions=len(shape) > 2).double()  # type: ignore[arg-type]
    source = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in norm.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=source, dtype=torch.float64))
    return norm.train()


def fits(name: str, kind: str) -> bool:
    return kind == "maps" or not METHODS[name].needs_positions


CASES = [(name, kind) for name in ON_ACTIVATIONS for kind in SHAPES if fits(name, kind)]


@contextmanager
def training(net: nn.Module, x: Tensor) -> Iterator[None]:
    net.train()
    yield


@contextmanager
def evaluation(net: nn.Module, x: Tensor) -> Iterator[None]:
    net.train()
    for part in (x + 0.5, x - 0.25, x):
        net(part)
    net.eval()
    yield


@contextmanager
def after_recalibration(net: nn.Module, x: Tensor) -> Iterator[None]:
    recalibrate(net, x, batch_size=6 if x.dim() > 2 else len(x))
    yield


@contextmanager
def after_adaptation(net: nn.Module, x: Tensor) -> Iterator[None]:
    recalibrate(net, x + 1)
    adapt(net, x, prior=4)
    net.eval()
    yield


@contextmanager
def on_batch_statistics(net: nn.Module, x: Tensor) -> Iterator[None]:
    with batch_statistics(net):
        yield


STATES: dict[str, Callable] = {  # type: ignore[type-arg]
    "training": training,
    "evaluation": evaluation,
    "recalibrated": after_recalibration,
    "adapted": after_adaptation,
    "batch": on_batch_statistics,
}


def output(norm: nn.Module, x: Tensor, state: str) -> Tensor:
    net = nn.Sequential(copy.deepcopy(norm))
    with STATES[state](net, x), torch.no_grad():
        found: Tensor = net(x)
    return found


def assert_near(found: Tensor, expected: Tensor, tolerance: float) -> None:
    assert found.isfinite().all()
    scale = expected.abs().clamp_min(1)
    assert ((found.double() - expected) / scale).abs().max() <= tolerance


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize(("name", "kind"), CASES)
def test_every_state_gives_the_formula_in_float64(name: str, kind: str, state: str) -> None:
    shape = SHAPES[kind]
    norm, x = norm_of(name, shape), drawn(shape)
    expected = output(norm, x, state)
    single = copy.deepcopy(norm).float()
    assert_near(output(single, x.float(), state), expected, 2e-4)
    half = output(single, x.bfloat16(), state)
    assert half.dtype == torch.bfloat16
    assert_near(half, output(norm, x.bfloat16().double(), state), 2e-2)
    if kind == "maps":
        apart = output(single, x.float().contiguous(memory_format=torch.channels_last), state)
        assert apart.is_contiguous(memory_format=torch.channels_last)
        assert_near(apart, expected, 2e-4)


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize(("name", "kind"), CASES)
def test_a_norm_whose_parameters_are_bfloat16_works(name: str, kind: str, state: str) -> None:
    norm, x = norm_of(name, SHAPES[kind]).bfloat16(), drawn(SHAPES[kind]).bfloat16()
    found = output(norm, x, state)
    assert found.dtype == torch.bfloat16
    assert_near(found, output(copy.deepcopy(norm).double(), x.double(), state), 0.1)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("name", ON_ACTIVATIONS)
def test_large_means_cost_no_digits(name: str, state: str, layout: torch.memory_format) -> None:
    shape = (8, 16, 16, 16)
    norm = norm_of(name, shape)
    x = drawn(shape, mean=1e4).float()  # the same numbers for both
    assert_near(
        output(copy.deepcopy(norm).float(), x.contiguous(memory_format=layout), state),
        output(norm, x.double(), state),
        3e-2,  # at 10⁴ neighbours in float32 lie 1e-3 apart, and processors sum in different orders; E[x²] − E[x]² would be off by 1
    )


@pytest.mark.parametrize("name", NAMES)
def test_autocast_keeps_statistics_and_weights_in_float32(name: str) -> None:
    source = torch.Generator().manual_seed(0)
    net = nn.Sequential(*conv_and_norm(NormConfig(name=name), source)).train()
    x = drawn((6, 3, 6, 6))
    expected = copy.deepcopy(net)(x)
    single = copy.deepcopy(net).float()
    with torch.autocast("cpu", torch.bfloat16):
        loss = single(x.float()).square().mean()
    loss.backward()
    assert loss.isfinite()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in single.parameters())
    assert loss.item() == pytest.approx(expected.square().mean().item(), rel=0.1)
    single.eval()
    with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
        assert single(x.float()).isfinite().all()


@pytest.mark.parametrize("name", [name for name in NAMES if "samples" in METHODS[name].mixes])
def test_ghost_batches_start_alike_and_count_one_step(name: str) -> None:
    """Equal groups give equal outputs, and the norm ends where one of the groups by itself would have left it."""
    shape = (4, 16, 5, 5)
    ghosts, alone = norm_of(name, shape, statistics_batch=4), norm_of(name, shape)
    for step in range(3):
        group = drawn(shape, seed=step)
        x = torch.stack([group] * 3, 1).flatten(0, 1)  # group j holds samples j, j + 3, …: three times the same four
        y = ghosts(x).view(4, 3, *shape[1:])
        torch.testing.assert_close(y[:, 0], y[:, 2])
        torch.testing.assert_close(y[:, 0], alone(group))
    inner = getattr(ghosts, "norm", ghosts)
    for buffer, expected in inner.named_buffers():
        if buffer != "num_batches_tracked" or inner is not ghosts:
            torch.testing.assert_close(expected, alone.get_buffer(buffer))
    if hasattr(inner, "memory"):
        assert len(inner.memory()) == len(alone.memory())  # type: ignore[operator]


@pytest.mark.parametrize("name", RUNNING)
@settings(max_examples=10, deadline=None, derandomize=True)
@given(count=st.integers(2, 130), mean=st.sampled_from([0.0, 5.0, -300.0]))
def test_recalibration_weighs_every_image(name: str, count: int, mean: float) -> None:
    """Also of a remainder: the running mean is that of all images, the variance that of all but the batches' correction."""
    norm = norm_of(name, (count, 16, 2, 2))
    x = drawn((count, 16, 2, 2), mean=mean)
    recalibrate(nn.Sequential(norm), x, batch_size=50)
    torch.testing.assert_close(norm.running_mean, x.mean((0, 2, 3)))
    torch.testing.assert_close(norm.running_var, x.var((0, 2, 3), correction=0), rtol=0.15, atol=1e-9)
    whole = norm_of(name, (count, 16, 2, 2))
    recalibrate(nn.Sequential(whole), x, batch_size=count)
    torch.testing.assert_close(whole.running_var, x.var((0, 2, 3), correction=1))


@pytest.mark.parametrize("name", RUNNING)
def test_recalibration_of_a_chain_feeds_each_norm_what_the_one_before_gives(name: str) -> None:
    net = nn.Sequential(norm_of(name, (4, 4, 3, 3)), nn.Conv2d(4, 4, 1).double(), norm_of(name, (4, 4, 3, 3)))
    x = drawn((64, 4, 3, 3), mean=3.0) * 2
    recalibrate(net, x, batch_size=64)
    with batch_statistics(net), torch.no_grad():
        second = net[1](net[0](x))
    torch.testing.assert_close(net[2].running_mean, second.mean((0, 2, 3)))
    torch.testing.assert_close(net[2].running_var, second.var((0, 2, 3)))


@pytest.mark.parametrize("name", RUNNING)
def test_looking_leaves_no_trace(name: str) -> None:
    """Batch statistics and recalibration for a look put back every buffer, mode and memory."""
    net = nn.Sequential(norm_of(name, (8, 16, 3, 3)))
    net(drawn((8, 16, 3, 3)))
    before, modes = copy.deepcopy(net.state_dict()), [m.training for m in net.modules()]
    with batch_statistics(net):
        net(drawn((8, 16, 3, 3), seed=5))
    assert [m.training for m in net.modules()] == modes
    with recalibrated(net, drawn((9, 16, 3, 3), seed=6)):
        assert not torch.equal(net[0].running_mean, before["0.running_mean"])
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())


@pytest.mark.parametrize("name", RUNNING)
def test_declared_buffers_follow_momentum(name: str) -> None:
    """With momentum m a running buffer moves by the share m of the way to the batch's value."""
    shape = (8, 16, 3, 3)
    norm = norm_of(name, shape)
    if METHODS[name].feeds_training:
        return
    x, start = drawn(shape, mean=2.0), {n: b.clone() for n, b in buffers_of(norm).items()}
    norm.momentum = 1.0
    norm(x)
    values = {n: b.clone() for n, b in buffers_of(norm).items()}
    for n, buffer in buffers_of(norm).items():
        buffer.copy_(start[n])
    norm.momentum = 0.25
    norm(x)
    for n, buffer in buffers_of(norm).items():
        torch.testing.assert_close(buffer, 0.75 * start[n] + 0.25 * values[n])
    assert running_norms(nn.Sequential(norm)) == [norm]


ONE_VALUE = {
    "group": {"num_groups": 16},
    "evonorm": {"num_groups": 16},
    "weight_standardization": {"num_groups": 16},
}


@pytest.mark.parametrize("name", [n for n in ON_ACTIVATIONS if METHODS[n].mixes])
def test_a_group_of_one_value_is_refused(name: str) -> None:
    """From it every input would become β, or its sign: instance norm on vectors, groups of one channel, batches of one vector."""
    width = 1 if name in ("layer", "rms") else 16
    norm = (
        norm_of(name, (1, width), **ONE_VALUE.get(name, {}))
        if not METHODS[name].needs_positions
        else norm_of(name, (1, width, 1, 1))
    )
    x = drawn((1, width)) if not METHODS[name].needs_positions else drawn((1, width, 1, 1))
    with pytest.raises(NormlabError, match=r"more than one (value|position)"):
        norm(x)
