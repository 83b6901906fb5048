"""Recurrent nets: memories that read a sequence step by step, with norms at what they read and at what recurs."""

import torch
from torch import Tensor, nn

from normlab.errors import NormlabError
from normlab.nets.block import Parts
from normlab.norms.running import survey

GATES = {"lstm": 4, "gru": 3}


class StepNorm(nn.Module):
    """A norm of what recurs, step by step: (N, F) at step t → (N, F).

    A norm that keeps running statistics, or that may for all it declares, has those of each step apart, for they differ from step to
    step, most at the first ones; all steps share γ and β (Cooijmans et al. 2017). A step beyond the last known one is normalized as that
    is. Any other norm is one for all steps.
    """

    def __init__(self, parts: Parts, features: int, steps: int) -> None:
        super().__init__()
        first = parts.norm(features, "recurrent")
        count = steps if any(survey(first)) else 1
        self.norms = nn.ModuleList([first, *(parts.norm(features, "recurrent") for _ in range(count - 1))])
        for norm in self.norms[1:]:
            for shared, own in zip(first.modules(), norm.modules(), strict=True):
                for name, parameter in shared.named_parameters(recurse=False):
                    setattr(own, name, parameter)

    def forward(self, x: Tensor, step: int) -> Tensor:
        found: Tensor = self.norms[min(step, len(self.norms) - 1)](x)
        return found


class FirstState(nn.Module):
    """The state before the first step, (N, H): 0, in training with noise N(0, ``deviation``²).

    Where sequences begin alike, as images do whose first rows are black, their first states are the same but for the noise, and
    statistics over a batch without it are those of a constant (Cooijmans et al. 2017).
    """

    def __init__(self, deviation: float, features: int, seed: int = 0) -> None:
        super().__init__()
        self.deviation, self.features = deviation, features
        self.source = torch.Generator().manual_seed(seed)

    def forward(self, read: Tensor) -> Tensor:
        zero = read.new_zeros(len(read), self.features)
        if not self.training or not self.deviation:
            return zero
        return zero + torch.empty(zero.shape).normal_(0, self.deviation, generator=self.source).to(zero)

    def extra_repr(self) -> str:
        return f"deviation={self.deviation:g}"


class Memory(nn.Module):
    """A layer of long short-term memories or gated recurrent units: (N, T, F) → states (N, T, H).

    With a_t = norm(W_x x_t) and b_t = norm_t(W_h h_{t−1}), either's bias being β:

    - ``lstm``: i, f, o, g = a_t + b_t;  c_t = σ(f)·c_{t−1} + σ(i)·tanh(g);  h_t = σ(o)·tanh(c_t)
    - ``gru``: r, z = σ(a_t + b_t) in the first two thirds, n = tanh(a_t + r·b_t) in the last;  h_t = z·h_{t−1} + (1 − z)·n

    The norm at what is read sees all positions at once, (N·T, gates), one sample a position (Laurent et al. 2016). ``net.norm_in=fc`` puts
    a norm there alone, ``all`` one at what recurs, too (:class:`StepNorm`; Ba et al. 2016 for layer norm). The state c has none and starts
    at 0; h_0 is a :class:`FirstState`.

    Papers: Hochreiter & Schmidhuber 1997; Cho et al. 2014.
    """

    def __init__(self, parts: Parts, kind: str, features: int, hidden: int, steps: int) -> None:
        super().__init__()
        self.kind, self.hidden = kind, hidden
        gates = GATES[kind] * hidden
        self.norm = parts.norm(gates, "fc")
        self.reads = parts.linear(features, gates, self.norm)
        self.step_norm = StepNorm(parts, gates, steps)
        self.recurs = parts.recurrent(hidden, gates, self.step_norm.norms[0])
        self.first_state = FirstState(parts.net.state_noise, hidden)

    def forward(self, input: Tensor) -> Tensor:
        N, T, _ = input.shape
        read = self.norm(self.reads(input.flatten(0, 1))).view(N, T, -1)
        h, c = self.first_state(read), read.new_zeros(N, self.hidden)
        states = []
        for t, a in enumerate(read.unbind(1)):  # not read[:, t], whose gradient is as large as all of read
            b = self.step_norm(self.recurs(h), t)
            if self.kind == "lstm":
                sigmoids, g = (a + b).split([3 * self.hidden, self.hidden], 1)
                i, f, o = sigmoids.sigmoid().chunk(3, 1)
                c = torch.addcmul(f * c, i, g.tanh())
                h = o * c.tanh()
            else:
                (a_rz, a_n), (b_rz, b_n) = (x.split([2 * self.hidden, self.hidden], 1) for x in (a, b))
                r, z = (a_rz + b_rz).sigmoid().chunk(2, 1)
                h = torch.lerp(torch.addcmul(a_n, r, b_n).tanh(), h, z)
            states.append(h)
        return torch.stack(states, 1)


class RowReader(nn.Module):
    """Reads an image row by row, and says of which class it is when it has seen the last: (N, C, H, W) → (N, classes)."""

    def __init__(self, parts: Parts, kind: str, shape: tuple[int, int, int], classes: int) -> None:
        super().__init__()
        channels, height, width = shape
        self.memory = Memory(parts, kind, channels * width, one_width(parts), height)
        self.head = nn.Sequential(*parts.head(self.memory.hidden, classes))

    def forward(self, input: Tensor) -> Tensor:
        rows = input.permute(0, 2, 1, 3).flatten(2)
        says: Tensor = self.head(self.memory(rows)[:, -1])
        return says


def one_width(parts: Parts) -> int:
    """The features of the one layer that recurrent nets have here.

    Raises:
        NormlabError: for several widths.
    """
    if len(parts.net.widths) != 1 or parts.net.depths != (1,):
        raise NormlabError(
            f"net.widths={list(parts.net.widths)}: net={parts.net.name} has one layer, as in net.widths=[64]"
        )
    return parts.net.widths[0]


def build_lstm(parts: Parts, shape: tuple[int, int, int], classes: int) -> nn.Module:
    """A :class:`RowReader` of long short-term memories."""
    return RowReader(parts, "lstm", shape, classes)


def build_gru(parts: Parts, shape: tuple[int, int, int], classes: int) -> nn.Module:
    """A :class:`RowReader` of gated recurrent units."""
    return RowReader(parts, "gru", shape, classes)
