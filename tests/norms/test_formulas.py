"""Every norm equals its formula, written out by hand."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd import gradcheck

from normlab.errors import NormlabError
from normlab.norms.batch import BatchNorm
from normlab.norms.group import GroupNorm
from normlab.norms.instance import InstanceNorm
from normlab.norms.layer import build as build_layer

EPS = 1e-5
shapes = st.tuples(st.integers(2, 6), st.sampled_from([4, 8]), st.integers(1, 5), st.integers(2, 5))


def images(shape: tuple[int, ...], dtype: torch.dtype = torch.float64) -> torch.Tensor:
    generator = torch.Generator().manual_seed(sum(shape))
    return torch.randn(shape, generator=generator, dtype=dtype) * 3 + 1


@settings(max_examples=20, deadline=None)
@given(shapes)
def test_batch_norm_standardizes_each_channel_over_batch_and_positions(shape: tuple[int, ...]) -> None:
    x = images(shape)
    norm = BatchNorm(shape[1]).double()
    norm.weight.data.uniform_(0.5, 2)
    norm.bias.data.uniform_(-1, 1)
    y = norm(x)
    for c in range(shape[1]):
        values = x[:, c]
        expected = (values - values.mean()) / (values.var(correction=0) + EPS).sqrt()
        torch.testing.assert_close(y[:, c], norm.weight[c] * expected + norm.bias[c])


def test_batch_norm_running_average_and_single_sample_inference() -> None:
    x = images((6, 3, 2, 2))
    norm = BatchNorm(3, momentum=0.1).double()
    norm(x)
    mean = x.mean((0, 2, 3))
    var = x.var((0, 2, 3), correction=1)
    torch.testing.assert_close(norm.running_mean, 0.9 * torch.zeros(3).double() + 0.1 * mean)
    torch.testing.assert_close(norm.running_var, 0.9 * torch.ones(3).double() + 0.1 * var)
    norm.eval()
    one = x[:1]
    expected = (one - norm.running_mean.view(1, 3, 1, 1)) / (norm.running_var.view(1, 3, 1, 1) + EPS).sqrt()
    torch.testing.assert_close(norm(one), expected)


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("group", [1, 2, 3])
def test_ghost_groups_are_strided_and_normalized_by_themselves(group: int, channels_last: bool) -> None:
    x = images((6, 4, 3, 3), torch.float32)
    if channels_last:
        x = x.contiguous(memory_format=torch.channels_last)
    norm = BatchNorm(4, statistics_batch=group)
    y = norm(x)
    groups = 6 // group
    means = []
    for j in range(groups):
        members = x[j::groups]
        mean = members.mean((0, 2, 3), keepdim=True)
        means.append(mean.flatten())
        var = members.var((0, 2, 3), correction=0, keepdim=True)
        torch.testing.assert_close(y[j::groups], (members - mean) / (var + EPS).sqrt())
    torch.testing.assert_close(norm.running_mean, 0.1 * torch.stack(means).mean(0))
    assert y.is_contiguous(memory_format=torch.channels_last) == channels_last


@pytest.mark.parametrize("shape", [(6, 4), (6, 4, 3, 3)])
def test_a_ghost_of_the_whole_batch_is_batch_norm(shape: tuple[int, ...]) -> None:
    x = images(shape)
    plain, ghost = BatchNorm(4).double(), BatchNorm(4, statistics_batch=6).double()
    torch.testing.assert_close(ghost(x), plain(x))
    torch.testing.assert_close(ghost.running_var, plain.running_var)


@settings(max_examples=20, deadline=None)
@given(shapes, st.sampled_from([1, 2, 4]))
def test_group_norm_standardizes_groups_of_channels_of_one_sample(shape: tuple[int, ...], groups: int) -> None:
    x = images(shape)
    y = GroupNorm(shape[1], num_groups=groups).double()(x)
    size = shape[1] // groups
    for n in range(shape[0]):
        for g in range(groups):
            part = slice(g * size, (g + 1) * size)
            values = x[n, part]
            torch.testing.assert_close(y[n, part], (values - values.mean()) / (values.var(correction=0) + EPS).sqrt())


def test_layer_and_instance_norm_are_group_norms_with_one_and_with_all_groups() -> None:
    x = images((3, 8, 4, 4))
    torch.testing.assert_close(build_layer(8).double()(x), torch.nn.functional.layer_norm(x, x.shape[1:]))
    torch.testing.assert_close(InstanceNorm(8).double()(x), torch.nn.InstanceNorm2d(8).double()(x))


@pytest.mark.parametrize("norm", [BatchNorm(4), BatchNorm(4, statistics_batch=2), GroupNorm(4, 2), InstanceNorm(4)])
def test_gradients(norm: torch.nn.Module) -> None:
    assert gradcheck(norm.double(), (images((4, 4, 2, 2)).requires_grad_(),))


@pytest.mark.parametrize("norm", [GroupNorm(8), build_layer(8), InstanceNorm(8)])
def test_samples_do_not_depend_on_each_other(norm: torch.nn.Module) -> None:
    x = images((4, 8, 3, 3)).requires_grad_()
    norm.double()(x)[0].square().sum().backward()
    assert x.grad is not None
    assert x.grad[0].abs().sum() > 0
    assert x.grad[1:].abs().sum() == 0


@pytest.mark.parametrize("norm", [BatchNorm(8), GroupNorm(8, 4), build_layer(8), InstanceNorm(8)])
def test_the_memory_layout_is_kept_and_changes_no_value(norm: torch.nn.Module) -> None:
    x = images((4, 8, 6, 5), torch.float32)
    y = norm(x.contiguous(memory_format=torch.channels_last))
    assert y.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(y, norm(x))


@pytest.mark.parametrize("norm", [BatchNorm(8), GroupNorm(8), build_layer(8), InstanceNorm(8)])
def test_half_precision_inputs_use_statistics_in_float32(norm: torch.nn.Module) -> None:
    x = images((4, 8, 16, 16), torch.float32) * 100  # squares overflow float16's range
    y = norm(x.to(torch.bfloat16))
    assert y.dtype == torch.bfloat16
    torch.testing.assert_close(y.float(), norm(x), atol=0.05, rtol=0.05)


def test_what_cannot_be_normalized_is_refused_in_words() -> None:
    with pytest.raises(NormlabError, match="more than one value a channel"):
        BatchNorm(4)(torch.ones(1, 4))
    assert torch.isfinite(BatchNorm(4)(torch.randn(1, 4, 2, 2))).all()
    with pytest.raises(NormlabError, match="does not divide 12 channels"):
        GroupNorm(12, num_groups=8)
    with pytest.raises(NormlabError, match="more than one position"):
        InstanceNorm(4)(torch.ones(2, 4))
    with pytest.raises(NormlabError, match="does not divide a batch of 5"):
        BatchNorm(4, statistics_batch=2)(torch.randn(5, 4, 2, 2))
    with pytest.raises(NormlabError, match="needs ε > 0"):
        BatchNorm(4, eps=0.0)
