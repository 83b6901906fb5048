"""Recurrent nets: PyTorch's own without norms, the formulas with them, and statistics of each step apart."""

from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from normlab.config import NetConfig, NormConfig
from normlab.errors import NormlabError
from normlab.nets import make_net
from normlab.nets.block import Parts
from normlab.nets.recurrent import FirstState, Memory, RowReader
from normlab.norms import METHODS
from normlab.sweeps.compose import Composer
from normlab.training.statistics import RunningStatistics, batch_statistics

STEPS, FEATURES, HIDDEN = 5, 3, 4


def memory(kind: str, norm: str = "none", norm_in: str = "all") -> Memory:
    torch.manual_seed(0)
    net = NetConfig(name=kind, widths=(HIDDEN,), norm_in=norm_in, activation="tanh")
    return Memory(Parts(net, NormConfig(name=norm)), kind, FEATURES, HIDDEN, STEPS)


@pytest.fixture
def sequences() -> Tensor:
    return torch.randn(6, STEPS, FEATURES, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(("kind", "own"), [("lstm", nn.LSTM), ("gru", nn.GRU)])
def test_without_norms_they_are_pytorchs_own(kind: str, own: Callable[..., nn.RNNBase], sequences: Tensor) -> None:
    made, other = memory(kind), own(FEATURES, HIDDEN, batch_first=True)
    other.weight_ih_l0.data = made.reads.weight.data
    other.weight_hh_l0.data = made.recurs.weight.data
    other.bias_ih_l0.data, other.bias_hh_l0.data = made.reads.bias.data, made.recurs.bias.data
    if kind == "lstm":  # PyTorch's gates are i, f, g, o
        for parameter in other.parameters():
            i, f, o, g = parameter.data.chunk(4)
            parameter.data = torch.cat((i, f, g, o))
    torch.testing.assert_close(made(sequences), other(sequences)[0])


def test_layer_norm_is_over_the_gates_of_one_sample_and_step(sequences: Tensor) -> None:
    made = memory("lstm", "layer")
    h = c = torch.zeros(len(sequences), HIDDEN)
    for t in range(STEPS):
        read, recurs = sequences[:, t] @ made.reads.weight.T, h @ made.recurs.weight.T
        gates = sum(
            (x - x.mean(1, keepdim=True)) / (x.var(1, keepdim=True, correction=0) + 1e-5).sqrt() for x in (read, recurs)
        )
        i, f, o, g = gates.chunk(4, 1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        torch.testing.assert_close(made(sequences)[:, t], h)
    assert len(made.step_norm.norms) == 1


def test_batch_norm_has_statistics_of_each_step_and_shares_gamma_and_beta(sequences: Tensor) -> None:
    made = memory("lstm", "batch")
    norms = made.step_norm.norms
    assert len(norms) == STEPS
    assert all(norm.weight is norms[0].weight and norm.bias is norms[0].bias for norm in norms)
    made(sequences)
    means = [norm.running_mean for norm in norms]
    torch.testing.assert_close(means[0], torch.zeros(4 * HIDDEN))  # of the first state, which is 0
    assert all(not torch.equal(a, b) for a, b in pairwise(means))
    names = [name for name, _ in made.named_parameters()]
    assert sum("step_norm" in name for name in names) == 2


def test_each_steps_running_average_is_that_of_its_own_batches(sequences: Tensor) -> None:
    made = memory("gru", "batch")
    statistics = RunningStatistics(made, updates=3, decays=(0.0,))
    made.train()
    for _ in range(3):
        made(sequences)
        statistics.update()
    statistics.install(0.0)
    made.eval()
    running = made(sequences)
    with batch_statistics(made):
        batch = made(sequences)
    # running variances are unbiased, which batches of six notice
    torch.testing.assert_close(running, batch, atol=0.2, rtol=0)
    assert (running - batch).abs().max() > 0


def test_norms_at_what_is_read_alone(sequences: Tensor) -> None:
    made = memory("lstm", "batch", "fc")
    assert isinstance(made.step_norm.norms[0], nn.Identity)
    assert made.recurs.bias is not None
    assert made.reads.bias is None
    made.train()
    gates = made.norm(made.reads(sequences.flatten(0, 1)))
    torch.testing.assert_close(gates.mean(0), torch.zeros(4 * HIDDEN), atol=1e-5, rtol=0)


def test_weight_norm_wraps_both_matrices(composer: Composer) -> None:
    config = composer({"net": "lstm", "net.widths": [HIDDEN], "norm": "weight"})
    net = make_net(config.net, config.norm, (1, 4, 4), 3, 0)
    assert isinstance(net, RowReader)
    for layer in (net.memory.reads, net.memory.recurs):
        norms = layer.weight.norm(dim=1)
        layer.parametrizations.weight.original0.data.mul_(2)
        torch.testing.assert_close(layer.weight.norm(dim=1), 2 * norms)


@pytest.mark.parametrize("kind", ["lstm", "gru"])
@pytest.mark.parametrize("norm", [name for name in METHODS if name != "custom"])
def test_every_norm_that_needs_no_positions_learns_from_every_parameter(
    composer: Composer, kind: str, norm: str
) -> None:
    config = composer({"net": kind, "net.widths": [16], "norm": norm})
    if METHODS[norm].needs_positions:
        with pytest.raises(NormlabError, match="one value a channel"):
            make_net(config.net, config.norm, (1, 4, 4), 3, 0)
        return
    net = make_net(config.net, config.norm, (1, 4, 4), 3, 0)
    net(torch.randn(6, 1, 4, 4)).square().sum().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in net.parameters())


def test_a_row_reader_reads_rows_in_order(composer: Composer) -> None:
    config = composer({"net": "gru", "net.widths": [HIDDEN], "norm": "none"})
    net = make_net(config.net, config.norm, (2, 4, 3), 5, 0)
    images = torch.randn(7, 2, 4, 3)
    assert net(images).shape == (7, 5)
    rows = torch.stack([images[:, :, row].flatten(1) for row in range(4)], 1)
    torch.testing.assert_close(net(images), net.head(net.memory(rows)[:, -1]))
    assert not torch.allclose(net(images), net(images.flip(2)))


def test_first_states_have_noise_in_training_alone_and_it_follows_from_the_seed(
    composer: Composer, sequences: Tensor
) -> None:
    made = FirstState(0.1, 1000)
    assert made(sequences).std().item() == pytest.approx(0.1, rel=0.05)
    assert not made.eval()(sequences).any()

    def state(seed: int) -> Tensor:
        config = composer({"net": "lstm", "net.widths": [HIDDEN], "norm": "batch", "net.state_noise": 0.1})
        net = make_net(config.net, config.norm, (1, 4, 4), 3, seed)
        assert isinstance(net, RowReader)
        found: Tensor = net.memory.first_state(sequences)
        return found

    torch.testing.assert_close(state(1), state(1))
    assert not torch.allclose(state(1), state(2))


def test_sequences_that_begin_alike_have_statistics_of_their_own_only_with_noise() -> None:
    """Else the running variance of the first steps is that of a constant, and what differs there in testing is blown up."""
    alike = torch.ones(64, STEPS, FEATURES)
    variances = {}
    for noise in (0.0, 0.1):
        torch.manual_seed(0)
        net = NetConfig(name="lstm", widths=(HIDDEN,), norm_in="all", activation="tanh", state_noise=noise)
        made = Memory(Parts(net, NormConfig(name="batch")), "lstm", FEATURES, HIDDEN, STEPS)
        h = made.first_state(alike)
        variances[noise] = made.recurs(h).var(0, correction=0).max().item()
    assert variances[0.0] == 0.0
    assert variances[0.1] > 1e-4


def test_noise_is_refused_where_there_is_no_first_state() -> None:
    net = NetConfig(name="mlp", widths=(8,), state_noise=0.1)
    with pytest.raises(NormlabError, match=r"net\.state_noise: net=mlp has no first state"):
        make_net(net, NormConfig(name="none"), (1, 4, 4), 3, 0)


def test_several_widths_are_refused(composer: Composer) -> None:
    config = composer({"net": "gru", "net.widths": [8, 8]})
    with pytest.raises(NormlabError, match="net=gru has one layer"):
        make_net(config.net, config.norm, (1, 4, 4), 3, 0)
