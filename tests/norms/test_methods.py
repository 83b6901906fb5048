"""The methods beyond the first four: each equals its formula, written out by hand, and does what it declares."""

import copy
import gc
import io
import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.autograd import gradcheck, gradgradcheck

from normlab.config import NormConfig
from normlab.errors import NormlabError
from normlab.norms import METHODS, make_norm
from normlab.norms.batch import BatchNorm
from normlab.norms.cross_iteration import CrossIterationNorm
from normlab.norms.decorrelated import DecorrelatedNorm, IterNorm
from normlab.norms.dynamic_tanh import DynamicTanh
from normlab.norms.evonorm import EvoNormS0
from normlab.norms.frn import FilterResponseNorm
from normlab.norms.instance import InstanceNorm
from normlab.norms.learned_momentum import LearnedMomentumNorm
from normlab.norms.properties import conv_and_norm, properties
from normlab.norms.renorm import BatchRenorm
from normlab.norms.rms import RMSNorm
from normlab.norms.switchable import SwitchableNorm
from normlab.norms.sync import SyncBatchNorm

NAMES = [name for name in METHODS if name != "custom"]
ACTIVATION_NORMS = [name for name in NAMES if METHODS[name].wrap is None and not METHODS[name].identity]
shapes = st.tuples(st.integers(2, 5), st.sampled_from([8, 16]), st.integers(1, 4), st.integers(2, 4))
DTYPES = {torch.float64: 1e-9, torch.float32: 2e-4}


def images(shape: tuple[int, ...], dtype: torch.dtype = torch.float64, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed + sum(shape)), dtype=dtype) * 2 + 0.5


def randomized(norm: nn.Module, dtype: torch.dtype = torch.float64) -> nn.Module:
    source = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in norm.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=source))
    return norm.to(dtype)


def affine(norm: nn.Module, c: int, value: Tensor) -> Tensor:
    shift = norm.bias[c] if norm.bias is not None else 0
    return norm.weight[c] * value + shift


@settings(max_examples=15, deadline=None)
@given(shapes, st.sampled_from(list(DTYPES)), st.booleans())
def test_rms_norm(shape: tuple[int, ...], dtype: torch.dtype, fc: bool) -> None:
    shape = shape[:2] if fc else shape
    x, norm = images(shape, dtype), randomized(RMSNorm(shape[1]), dtype)
    y = norm(x)
    for n in range(shape[0]):
        root = math.sqrt(sum(float(v) ** 2 for v in x[n].flatten()) / x[n].numel() + 1e-5)
        for c in range(shape[1]):
            torch.testing.assert_close(y[n, c], norm.weight[c] * x[n, c] / root, rtol=DTYPES[dtype], atol=DTYPES[dtype])


@settings(max_examples=15, deadline=None)
@given(shapes, st.sampled_from(list(DTYPES)))
def test_filter_response_norm(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    x, norm = images(shape, dtype), randomized(FilterResponseNorm(shape[1]), dtype)
    y = norm(x)
    for n in range(shape[0]):
        for c in range(shape[1]):
            z = affine(norm, c, x[n, c] / math.sqrt(float((x[n, c] ** 2).mean()) + 1e-6))
            expected = torch.where(z > norm.threshold[c], z, norm.threshold[c])
            torch.testing.assert_close(y[n, c], expected, rtol=DTYPES[dtype], atol=DTYPES[dtype])


@settings(max_examples=15, deadline=None)
@given(shapes, st.sampled_from(list(DTYPES)), st.sampled_from([1, 2, 4]), st.booleans())
def test_evonorm(shape: tuple[int, ...], dtype: torch.dtype, groups: int, fc: bool) -> None:
    shape = shape[:2] if fc else shape
    x, norm = images(shape, dtype), randomized(EvoNormS0(shape[1], num_groups=groups), dtype)
    y, size = norm(x), shape[1] // groups
    for n in range(shape[0]):
        for c in range(shape[1]):
            group = x[n, c // size * size : (c // size + 1) * size]
            deviation = math.sqrt(float(((group - group.mean()) ** 2).mean()) + 1e-5)
            expected = affine(norm, c, x[n, c] / (1 + torch.exp(-norm.v[c] * x[n, c])) / deviation)
            torch.testing.assert_close(y[n, c], expected, rtol=DTYPES[dtype], atol=DTYPES[dtype])


@settings(max_examples=10, deadline=None)
@given(shapes, st.booleans())
def test_dynamic_tanh(shape: tuple[int, ...], fc: bool) -> None:
    shape = shape[:2] if fc else shape
    x, norm = images(shape), randomized(DynamicTanh(shape[1], alpha=0.7))
    e = torch.exp(2 * norm.alpha * x)
    for c in range(shape[1]):
        torch.testing.assert_close(norm(x)[:, c], affine(norm, c, ((e - 1) / (e + 1))[:, c]))


@settings(max_examples=15, deadline=None)
@given(shapes, st.sampled_from(list(DTYPES)))
def test_switchable_norm(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    x, norm = images(shape, dtype), randomized(SwitchableNorm(shape[1]), dtype)
    w, v = ((e / e.sum()).tolist() for e in (norm.mean_logits.detach().exp(), norm.var_logits.detach().exp()))
    y = norm(x)
    for n in range(shape[0]):
        for c in range(shape[1]):
            sets = (x[n, c], x[n], x[:, c])
            mean = sum(a * s.mean() for a, s in zip(w, sets, strict=True))
            variance = sum(a * s.var(correction=0) for a, s in zip(v, sets, strict=True))
            expected = affine(norm, c, (x[n, c] - mean) / (variance + 1e-5).sqrt())
            torch.testing.assert_close(y[n, c], expected, rtol=DTYPES[dtype], atol=DTYPES[dtype])


@pytest.mark.parametrize("shape", [(8, 4), (6, 4, 3, 2)])
def test_batch_renorm_is_batch_norm_at_first_and_evaluation_at_last(shape: tuple[int, ...]) -> None:
    x = images(shape)
    plain, first = BatchNorm(4).double(), BatchRenorm(4, warmup_steps=10).double()
    torch.testing.assert_close(first(x), plain(x))
    free = BatchRenorm(4, r_max=1e9, d_max=1e9, ramp_steps=0).double()
    free.running_mean.copy_(torch.tensor([0.1, -0.5, 2.0, 0.0]))
    free.running_var.copy_(torch.tensor([0.5, 2.0, 1.0, 3.0]))
    before = copy.deepcopy(free).eval()
    torch.testing.assert_close(free(x), before(x))


def test_batch_renorm_clips_moves_its_averages_and_passes_no_gradient_through_r_and_d() -> None:
    x = images((6, 2, 3, 3)).requires_grad_()
    norm = BatchRenorm(2, momentum=0.2, r_max=1.5, d_max=0.25, ramp_steps=0).double()
    norm.running_mean.copy_(torch.tensor([0.0, 0.6]))
    norm.running_var.copy_(torch.tensor([1.0, 4.2]))
    y = norm(x)
    for c, (mean, var) in enumerate(((0.0, 1.0), (0.6, 4.2))):
        values = x[:, c].detach()
        mu, sigma = values.mean(), (values.var(correction=0) + 1e-5).sqrt()
        r = min(1.5, max(1 / 1.5, sigma.item() / math.sqrt(var + 1e-5)))
        d = min(0.25, max(-0.25, (mu.item() - mean) / math.sqrt(var + 1e-5)))
        torch.testing.assert_close(y[:, c], (x[:, c] - x[:, c].mean()) / sigma * r + d)
        assert norm.running_mean[c].item() == pytest.approx(0.8 * mean + 0.2 * mu.item())
        assert norm.running_var[c].item() == pytest.approx(0.8 * var + 0.2 * float(values.var(correction=1)))
        scaled = torch.nn.functional.batch_norm(x, None, None, training=True, eps=1e-5) * r
        weights = images((6, 3, 3), seed=3)
        expected = torch.autograd.grad((scaled[:, c] * weights).sum(), x, retain_graph=True)[0]
        found = torch.autograd.grad((y[:, c] * weights).sum(), x, retain_graph=True)[0]
        torch.testing.assert_close(found, expected)


def test_the_range_of_batch_renorm_ramps_up() -> None:
    norm = BatchRenorm(2, r_max=3, d_max=5, warmup_steps=2, ramp_steps=4)
    found = []
    for step in (0, 2, 4, 6, 99):
        norm.num_batches_tracked.fill_(step)
        found.append(tuple(float(v) for v in norm.limits()))
    assert found == [(1, 0), (1, 0), (2, 2.5), (3, 5), (3, 5)]


@pytest.mark.parametrize("fc", [False, True])
@pytest.mark.parametrize("kind", [DecorrelatedNorm, IterNorm])
def test_decorrelated_outputs_have_the_identity_as_covariance(kind: Callable[..., nn.Module], fc: bool) -> None:
    mixing = images((8, 8), seed=5) + 4 * torch.eye(8, dtype=torch.float64)
    x = torch.einsum("cd,nd...->nc...", mixing, images((512, 8) if fc else (32, 8, 4, 4)))
    options = {"iterations": 20} if kind is IterNorm else {}
    y = kind(8, group_size=4, eps=1e-9, **options).double()(x)
    for group in range(2):
        flat = y[:, group * 4 : group * 4 + 4].transpose(0, 1).reshape(4, -1)
        torch.testing.assert_close(flat.mean(1), torch.zeros(4, dtype=torch.float64), atol=1e-9, rtol=0)
        torch.testing.assert_close(flat @ flat.T / flat.shape[1], torch.eye(4, dtype=torch.float64), atol=1e-5, rtol=0)


def test_zca_is_the_symmetric_root_and_groups_of_one_are_batch_norm() -> None:
    x = images((16, 4, 3, 3))
    norm = DecorrelatedNorm(4, group_size=4, eps=1e-3).double()
    flat = x.transpose(0, 1).reshape(4, -1)
    covariance = torch.cov(flat, correction=0) + 1e-3 * torch.eye(4, dtype=torch.float64)
    centred = flat - flat.mean(1, keepdim=True)
    y = norm(x).transpose(0, 1).reshape(4, -1)
    transform = y @ torch.linalg.pinv(centred)
    torch.testing.assert_close(transform, transform.T, atol=1e-8, rtol=0)
    torch.testing.assert_close(transform @ transform @ covariance, torch.eye(4, dtype=torch.float64), atol=1e-8, rtol=0)
    torch.testing.assert_close(DecorrelatedNorm(4, group_size=1, eps=1e-5).double()(x), BatchNorm(4).double()(x))


def test_equal_eigenvalues_give_finite_gradients_in_float32() -> None:
    x = torch.cat([torch.eye(4), -torch.eye(4)]).requires_grad_()  # covariance = I/4: all eigenvalues equal
    y = DecorrelatedNorm(4, group_size=4)(x)
    y.pow(3).sum().backward()
    assert torch.isfinite(x.grad).all()


def test_evaluation_of_decorrelated_norm_uses_running_averages() -> None:
    norm = DecorrelatedNorm(4, group_size=2, momentum=1.0).double()
    x = images((32, 4, 2, 2))
    trained = norm(x)
    torch.testing.assert_close(norm.eval()(x), trained)
    torch.testing.assert_close(norm(x[:1]), trained[:1])


def past_and_present(iterations: int) -> tuple[nn.Conv2d, CrossIterationNorm]:
    layer = nn.Conv2d(2, 3, 3, padding=1, bias=False).double()
    norm = CrossIterationNorm(3, iterations=iterations).double()
    norm.attach(layer)
    return layer, norm


def test_cross_iteration_norm_carries_moments_to_the_present_weights() -> None:
    torch.manual_seed(0)
    layer, norm = past_and_present(3)
    batches = [images((4, 2, 3, 3), seed=s) for s in range(3)]
    weights = []
    for x in batches[:2]:
        norm(layer(x))
        weights.append(layer.weight.detach().clone())
        with torch.no_grad():
            layer.weight.add_(0.05 * torch.randn_like(layer.weight))
    y = norm(layer(batches[2]))
    means, squares = [], []
    for x, then in zip(batches, [*weights, layer.weight.detach()], strict=True):
        # The mean is linear in the weight, so the expansion is exact; E[x²] is expanded by finite differences.
        move = layer.weight.detach() - then
        moment = lambda w, x=x: nn.functional.conv2d(x, w, padding=1)  # noqa: E731
        mean = moment(layer.weight.detach()).mean((0, 2, 3))
        square = moment(then).square().mean((0, 2, 3))
        step = 1e-6
        slope = (moment(then + step * move).square().mean((0, 2, 3)) - square) / step
        means.append(mean)
        squares.append(torch.maximum(square + slope, mean**2))
    mean = torch.stack(means).mean(0)
    variance = torch.stack(squares).mean(0) - mean**2
    features = layer(batches[2])
    expected = (features - mean.view(1, 3, 1, 1)) / (variance + 1e-5).sqrt().view(1, 3, 1, 1)
    torch.testing.assert_close(y, expected, rtol=1e-4, atol=1e-4)


def test_one_iteration_is_batch_norm_and_history_is_bounded() -> None:
    layer, norm = past_and_present(1)
    x = layer(images((4, 2, 3, 3)))
    torch.testing.assert_close(norm(x), BatchNorm(3).double()(x))
    layer, norm = past_and_present(4)
    for seed in range(9):
        norm(layer(images((4, 2, 3, 3), seed=seed)))
    assert len(norm.history) == 3
    assert all(not m.mean.requires_grad and m.mean_slope.grad_fn is None for m in norm.history)


def test_burning_in_is_batch_norm_and_leaves_no_history() -> None:
    layer, norm = past_and_present(4)
    norm.burn_in = 2
    for step in range(4):
        x = layer(images((4, 2, 3, 3), seed=step))
        y = norm(x)
        if step < 2:
            torch.testing.assert_close(y, BatchNorm(3).double()(x))
            assert not norm.history
    assert len(norm.history) == 2


def test_synchronized_norm_of_one_process_is_batch_norm() -> None:
    for shape in ((6, 4), (6, 4, 3, 3)):
        x = images(shape)
        ours, plain = SyncBatchNorm(4).double(), BatchNorm(4).double()
        torch.testing.assert_close(ours(x), plain(x))
        torch.testing.assert_close(ours.running_var, plain.running_var)
        torch.testing.assert_close(ours.eval()(x), plain.eval()(x))


def learned(drift: float, momentum: float, steps: int = 3000) -> tuple[float, LearnedMomentumNorm]:
    norm = LearnedMomentumNorm(8, momentum=momentum, decay_lr=1.0)
    source = torch.Generator().manual_seed(0)
    for step in range(steps):
        norm(torch.randn((16, 8), generator=source) + drift * step)
    return norm.decay.item(), norm


def test_a_learned_decay_rises_on_steady_and_falls_on_drifting_statistics() -> None:
    assert learned(0.0, momentum=0.5)[0] > 0.8
    assert learned(0.5, momentum=0.1, steps=300)[0] < 0.6


def test_the_slope_of_a_learned_decay_is_the_derivative_of_the_average() -> None:
    batches = [images((16, 4), seed=s) for s in range(6)]

    def average(d: float) -> Tensor:
        mean = torch.zeros(4, dtype=torch.float64)
        for x in batches:
            mean = d * mean + (1 - d) * x.mean(0)
        return mean

    norm = LearnedMomentumNorm(4, momentum=0.2, decay_lr=0.0).double()
    for x in batches:
        norm(x)
    torch.testing.assert_close(norm.running_mean, average(0.8))
    torch.testing.assert_close(norm.sensitivity, (average(0.8 + 1e-6) - average(0.8 - 1e-6)) / 2e-6)


@pytest.mark.parametrize("shape", [(6, 4), (6, 4, 3, 2)])
@pytest.mark.parametrize("size", [2, 3, 6])
def test_ghost_batches_from_outside_are_those_of_batch_norm(size: int, shape: tuple[int, ...]) -> None:
    x = images(shape)
    ours = make_norm(NormConfig(name="sync", statistics_batch=size), 4, positions=True).double()
    plain = BatchNorm(4, statistics_batch=size).double()
    for _ in range(2):
        torch.testing.assert_close(ours(x), plain(x))
    torch.testing.assert_close(ours.norm.running_mean, plain.running_mean)
    torch.testing.assert_close(ours.norm.running_var, plain.running_var)
    torch.testing.assert_close(ours.eval()(x), plain.eval()(x))


@pytest.mark.parametrize("name", [n for n in NAMES if "samples" in METHODS[n].mixes])
def test_every_method_of_the_batch_takes_a_statistics_batch(name: str) -> None:
    layer = nn.Conv2d(3, 16, 3, padding=1).double()
    norm = make_norm(NormConfig(name=name, statistics_batch=4), 16, positions=True).double()
    if hasattr(norm, "attach"):
        norm.attach(layer)
    x = images((8, 3, 4, 4))
    changed = x.clone()
    changed[1::2] += 1  # the other group
    first, second = (copy.deepcopy(nn.Sequential(layer, norm))(batch) for batch in (x, changed))
    torch.testing.assert_close(first[0::2], second[0::2])
    assert not torch.allclose(first[1::2], second[1::2])
    with pytest.raises(NormlabError, match="does not divide a batch of 6"):
        norm(layer(x[:6]))


def test_methods_without_statistics_of_the_batch_refuse_ghost_batches() -> None:
    with pytest.raises(NormlabError, match="takes no statistics of the batch"):
        make_norm(NormConfig(name="group", statistics_batch=4), 16, positions=True)


@pytest.mark.parametrize("name", NAMES)
def test_a_method_does_what_it_declares(name: str) -> None:
    method = METHODS[name]
    found = properties(NormConfig(name=name))
    assert set(found.mixes) == set(method.mixes)
    assert properties(NormConfig(name=name)) == found
    assert found.evaluation_differs == bool(method.running)
    assert (found.buffers > 0) == bool(method.running or name == "spectral")


@pytest.mark.parametrize("name", NAMES)
def test_first_and_second_derivatives(name: str) -> None:
    layer, norm = conv_and_norm(NormConfig(name=name), torch.Generator().manual_seed(0))
    x = images((3, 3, 2, 2)).requires_grad_()

    def function(x: Tensor) -> Tensor:
        module = copy.deepcopy(nn.Sequential(layer, norm))  # running statistics and histories start anew at each call
        return module(x)[:, ::5]

    assert gradcheck(function, (x,))
    assert gradgradcheck(function, (x,))


@pytest.mark.parametrize("name", ACTIVATION_NORMS)
def test_layout_and_shape_are_kept(name: str) -> None:
    norm = make_norm(NormConfig(name=name), 16, positions=True)
    x = images((4, 16, 6, 5), torch.float32).contiguous(memory_format=torch.channels_last)
    y = norm(x)
    assert y.shape == x.shape
    again = copy.deepcopy(norm)(x.contiguous()) if not METHODS[name].running else None
    if again is not None:
        torch.testing.assert_close(y, again, rtol=1e-4, atol=1e-5)
    assert y.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("name", NAMES)
def test_state_survives_a_round_trip_and_a_copy(name: str) -> None:
    source = torch.Generator().manual_seed(0)
    net = nn.Sequential(*conv_and_norm(NormConfig(name=name), source)).train()
    for seed in range(3):
        net(images((4, 3, 4, 4), seed=seed)).square().mean().backward()
    file = io.BytesIO()
    torch.save(net.state_dict(), file)
    file.seek(0)
    fresh = nn.Sequential(*conv_and_norm(NormConfig(name=name), source))
    fresh.load_state_dict(torch.load(file, weights_only=True))
    copied = copy.deepcopy(net)
    x = images((4, 3, 4, 4), seed=9)
    for other in (fresh.eval(), copied.eval()):
        torch.testing.assert_close(other(x), net.eval()(x))
    with torch.no_grad():
        for parameter in copied.parameters():
            parameter.zero_()
    assert net(x).abs().sum() > 0


@pytest.mark.parametrize("name", NAMES)
def test_half_precision_in_is_half_precision_out(name: str) -> None:
    norm = make_norm(NormConfig(name=name), 16, positions=True)
    x = images((4, 16, 8, 8), torch.float32)
    y = norm(x.bfloat16())
    assert y.dtype == torch.bfloat16
    reference = make_norm(NormConfig(name=name), 16, positions=True)(x)
    torch.testing.assert_close(y.float(), reference, atol=0.06, rtol=0.06)


@pytest.mark.parametrize(
    "name",
    ["renorm", "sync", *(pytest.param(name, marks=pytest.mark.slow) for name in ("cross_iteration", "decorrelated"))],
)
def test_no_graph_outlives_its_step(name: str) -> None:
    net = nn.Sequential(*conv_and_norm(NormConfig(name=name), torch.Generator().manual_seed(0)))
    x = images((4, 3, 4, 4))

    def tensors(steps: int) -> int:
        for _ in range(steps):
            net(x).square().mean().backward()
            net.zero_grad(set_to_none=True)
        gc.collect()
        return sum(type(o) is Tensor for o in gc.get_objects())

    tensors(10)
    assert tensors(500) == tensors(500)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: EvoNormS0(12, num_groups=8), "does not divide 12 channels"),
        (lambda: DecorrelatedNorm(12, group_size=8), "does not divide 12 channels"),
        (lambda: BatchRenorm(4, r_max=0.5), "needs r_max ≥ 1"),
        (lambda: CrossIterationNorm(4, iterations=0), "at least the present"),
        (lambda: FilterResponseNorm(4)(torch.ones(2, 4)), "more than one position"),
        (lambda: SwitchableNorm(4)(torch.ones(2, 4)), "more than one position"),
        (lambda: BatchRenorm(4)(torch.ones(1, 4)), "more than one value a channel"),
        (lambda: DecorrelatedNorm(4)(torch.ones(1, 4)), "more than one value a channel"),
        (lambda: SyncBatchNorm(4)(torch.ones(1, 4)), "more than one value a channel"),
        (lambda: RMSNorm(4)(torch.ones(2, 5)), "got an input of shape"),
        (lambda: InstanceNorm(4)(torch.ones(2, 4, 1, 1)), "more than one position"),
    ],
)
def test_what_cannot_be_done_is_refused_in_words(make: Callable[[], object], message: str) -> None:
    with pytest.raises(NormlabError, match=message):
        make()
