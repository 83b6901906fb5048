"""Is it right? What a norm promises whatever it normalizes by, each looked at by running it."""

import copy
import io
import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from normlab.core.claim import Text
from normlab.errors import NormlabError, first_line
from normlab.norms.properties import properties
from normlab.norms.running import survey
from normlab.targets import users_errors_told
from normlab.trials.subject import WIDTH, Subject

Outcome = Literal["passed", "failed", "not its business"]
N, H, W = 4, 5, 5


@dataclass(frozen=True)
class Check:
    """What was looked at, how it went, and the input or the number that shows it."""

    name: str
    title: Text
    outcome: Outcome
    said: str = ""


class FailedError(Exception):
    """A check that does not hold, with what shows it."""


class ElsewhereError(Exception):
    """A check that says nothing of this norm, with why."""


CHECKS: dict[str, tuple[Text, Callable[[Subject], str]]] = {}


def check(en: str, ja: str) -> Callable[[Callable[[Subject], str]], Callable[[Subject], str]]:
    """Register a check, which gives what it saw and raises :class:`FailedError` or :class:`ElsewhereError`."""

    def register(function: Callable[[Subject], str]) -> Callable[[Subject], str]:
        CHECKS[function.__name__] = Text(en, ja), function
        return function

    return register


def checked(subject: Subject) -> Iterator[Check]:
    """Every check of a norm, one after the other."""
    for name, (title, function) in CHECKS.items():
        outcome: Outcome = "passed"
        try:
            with torch.random.fork_rng(devices=[]), users_errors_told(subject.targets):
                torch.manual_seed(0)
                said = function(subject)
        except ElsewhereError as reason:
            outcome, said = "not its business", str(reason)
        except (FailedError, NormlabError) as reason:
            outcome, said = "failed", first_line(reason)
        except Exception as error:  # whatever else a norm does not bear
            outcome, said = "failed", f"{type(error).__name__}: {first_line(error)}"
        yield Check(name, title, outcome, said)


def drawn(*shape: int, mean: float = 0.0, dtype: torch.dtype = torch.float32, seed: int = 1) -> Tensor:
    """Normal numbers of that mean; the shape's default is four maps of 5×5."""
    source = torch.Generator().manual_seed(seed)
    return torch.randn(shape or (N, WIDTH, H, W), generator=source, dtype=torch.float64).add(mean).to(dtype)


def differ(a: Tensor, b: Tensor) -> float:
    """The largest difference, in units of the standard deviation of the second."""
    a, b = a.detach().double(), b.detach().double()
    return float((a - b).abs().max() / b.std().clamp_min(1e-12))


def expect(holds: bool, said: str) -> str:
    """``said``, if it holds.

    Raises:
        FailedError: if not.
    """
    if not holds:
        raise FailedError(said)
    return said


def shown(x: Tensor) -> str:
    """An input as readers see it."""
    return f"input {tuple(x.shape)}"


@check("maps (N, C, H, W) keep their shape", "特徴マップ (N, C, H, W) の形を保つ")
def maps(subject: Subject) -> str:
    x = drawn()
    y = subject.norm()(x)
    return expect(y.shape == x.shape and bool(y.isfinite().all()), f"{shown(x)} gives {tuple(y.shape)}")


@check("features (N, C) keep their shape", "特徴ベクトル (N, C) の形を保つ")
def features(subject: Subject) -> str:
    if subject.method.needs_positions:
        raise ElsewhereError("it normalizes over positions, and a feature has one")
    return _or_elsewhere(subject, drawn(N, WIDTH), positions=False)


@check("sequences (N, C, T) keep their shape", "系列 (N, C, T) の形を保つ")
def sequences(subject: Subject) -> str:
    return _or_elsewhere(subject, drawn(N, WIDTH, 7), positions=True)


def _or_elsewhere(subject: Subject, x: Tensor, positions: bool) -> str:
    try:
        y = subject.norm(positions=positions)(x)
    except NormlabError:
        raise
    except Exception as error:  # a norm may be for maps alone
        raise ElsewhereError(f"{shown(x)}: {type(error).__name__}: {first_line(error)}") from error
    return expect(y.shape == x.shape and bool(y.isfinite().all()), f"{shown(x)} gives {tuple(y.shape)}")


@check("float64 stays float64, and says the same", "float64 を保ち、同じ値になる")
def double(subject: Subject) -> str:
    wide = subject.norm(torch.float64)(drawn(dtype=torch.float64))
    off = differ(subject.norm()(drawn()), wide)
    return expect(wide.dtype == torch.float64 and off < 1e-3, f"float32 is off by {off:.1e} standard deviations")


@check("bfloat16 under autocast is close", "autocast の bfloat16 で近い値になる")
def autocast(subject: Subject) -> str:
    conv, norm = subject.layer()
    x = drawn(N, 3, H, W)
    plain = copy.deepcopy(norm)(copy.deepcopy(conv)(x))
    with torch.autocast("cpu", torch.bfloat16):
        half = norm(conv(x))
    off = differ(half, plain)
    return expect(
        bool(half.isfinite().all()) and off < 0.2, f"behind a convolution, off by {off:.2f} standard deviations"
    )


@check("channels_last gives what contiguous memory gives", "channels_last でも同じ値になる")
def layouts(subject: Subject) -> str:
    x = drawn()
    off = differ(subject.norm()(x.contiguous(memory_format=torch.channels_last)), subject.norm()(x))
    return expect(off < 1e-4, f"off by {off:.1e} standard deviations")


def _small(subject: Subject) -> tuple[Callable[[Tensor], Tensor], Tensor]:
    """The norm as a function without state, in float64, and a small input for it."""
    norm = subject.norm(torch.float64)
    x = drawn(2, WIDTH, 2, 1, dtype=torch.float64).requires_grad_()
    return lambda values: copy.deepcopy(norm)(values), x


@check("its gradient is that of finite differences", "勾配が差分と一致する")
def gradient(subject: Subject) -> str:
    function, x = _small(subject)
    if not function(x).requires_grad:
        raise ElsewhereError("its output does not depend on its input by any gradient")
    torch.autograd.gradcheck(function, (x,))
    return f"{shown(x)}, float64"


@check("so is the gradient of its gradient", "勾配の勾配も差分と一致する")
def second_gradient(subject: Subject) -> str:
    function, x = _small(subject)
    y = function(x)
    if not y.requires_grad:
        raise ElsewhereError("its output does not depend on its input by any gradient")
    (first,) = torch.autograd.grad(y.square().sum(), x, create_graph=True)
    if not first.requires_grad:
        raise ElsewhereError("its gradient is not differentiable")
    torch.autograd.gradgradcheck(function, (x,))
    return f"{shown(x)}, float64"


@check(
    "evaluation is training's function, or says by what it differs", "評価時の動作が訓練時と同じか、違いを宣言している"
)
def evaluation(subject: Subject) -> str:
    norm, x = subject.norm(), drawn()
    for _ in range(3):
        trained = norm(x)
    off = differ(norm.eval()(x), trained)
    declared, undeclared = survey(nn.Sequential(norm))
    if undeclared:
        names = ", ".join(name for name, _ in undeclared[0].named_buffers())
        raise FailedError(
            f"it keeps buffers ({names}) and declares nothing of them: METHOD = {{'running': (…)}}, or METHOD = {{}}"
        )
    if off < 1e-5:
        return "the same"
    return expect(bool(declared), f"another one, off by {off:.1e} standard deviations, with {_running(declared)}")


def _running(norms: list[nn.Module]) -> str:
    return "running buffers" if norms else "no running buffers declared"


@check("it mixes what it declares", "宣言どおりのものだけを混ぜる")
def mixes(subject: Subject) -> str:
    measured, declared = properties(subject.config).mixes, subject.method.mixes
    said = f"measured: {', '.join(measured) or 'nothing'}"
    if not declared and measured:
        return f"{said}; nothing declared"
    return expect(set(measured) <= set(declared), f"{said}; declared: {', '.join(declared) or 'nothing'}")


@check("state_dict holds all that evaluation needs", "state_dict が評価に必要な状態をすべて持つ")
def state(subject: Subject) -> str:
    norm, fresh = subject.norm(), subject.norm(seed=7)
    for step in range(3):
        norm(drawn(seed=step))
    fresh.load_state_dict(norm.state_dict())
    off = differ(fresh.eval()(drawn()), norm.eval()(drawn()))
    return expect(off < 1e-6, f"after three steps, loaded into another one: off by {off:.1e} standard deviations")


@check(
    "copies are equal and apart: deepcopy, pickle, torch.save", "複製が等しく独立である(deepcopy・pickle・torch.save)"
)
def copies(subject: Subject) -> str:
    norm, x = subject.norm(), drawn()
    norm(x)
    expected = copy.deepcopy(norm).eval()(x)
    file = io.BytesIO()
    torch.save(norm, file)
    file.seek(0)
    made = {
        "deepcopy": copy.deepcopy(norm),
        "pickle": pickle.loads(pickle.dumps(norm)),
        "torch.save": torch.load(file, weights_only=False),
    }
    for name, other in made.items():
        expect(differ(other.eval()(x), expected) < 1e-6, f"{name}: another output")
        other.train()(drawn(mean=5.0))
    return expect(differ(norm.eval()(x), expected) < 1e-6, "training a copy leaves it alone")


@check("torch.compile traces it", "torch.compile で追跡できる")
def compiled(subject: Subject) -> str:
    x, norm = drawn(), subject.norm()
    expected = copy.deepcopy(norm)(x)
    torch._dynamo.reset()
    try:
        with _quiet():
            off = differ(torch.compile(norm, backend="aot_eager")(x), expected)
    finally:
        torch._dynamo.reset()
    return expect(off < 1e-4, f"backend aot_eager, off by {off:.1e} standard deviations")


@contextmanager
def _quiet() -> Iterator[None]:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch's own tracing
        yield


@check("one sample is enough", "1 サンプルでも動く")
def one_sample(subject: Subject) -> str:
    x, norm = drawn(1, WIDTH, H, W), subject.norm()
    for mode in (True, False):
        y = norm.train(mode)(x)
        expect(bool(y.isfinite().all()), f"{shown(x)}, {'training' if mode else 'evaluation'}: not finite")
    return shown(x)


@check("constant channels stay finite, and their gradient", "一定のチャネルで発散しない(勾配も)")
def constant(subject: Subject) -> str:
    x = drawn(N, WIDTH, 1, 1).expand(N, WIDTH, H, W).clone()
    x[:, 0] = 3.0
    x.requires_grad_()
    y = subject.norm()(x)
    y.square().sum().backward()
    assert x.grad is not None
    finite = bool(y.isfinite().all() and x.grad.isfinite().all())
    return expect(finite, f"{shown(x)}, a channel of 3.0 everywhere: {'finite' if finite else 'not finite'}")


@check("a mean of 10⁴ costs no precision", "平均 10⁴ でも精度を失わない")
def large_mean(subject: Subject) -> str:
    x = drawn(mean=1e4)
    off = differ(subject.norm()(x), subject.norm(torch.float64)(x.double()))
    return expect(off < 0.05, f"{shown(x)}, mean 10⁴: float32 is off by {off:.1e} standard deviations")


@check("a NaN reaches only what it mixes", "NaN は混ぜる相手にだけ及ぶ")
def nan(subject: Subject) -> str:
    x = drawn()
    x[0, 0, 0, 0] = torch.nan
    broken = ~subject.norm()(x).isfinite()
    kinds = set(properties(subject.config).mixes)
    allowed = torch.zeros_like(broken)
    samples = slice(None) if "samples" in kinds else slice(0, 1)
    channels = slice(None) if "channels" in kinds else slice(0, 1)
    positions = slice(None) if "positions" in kinds else slice(0, 1)
    allowed[samples, channels, positions, positions] = True
    return expect(not bool((broken & ~allowed).any()), f"{int(broken.sum())} of {broken.numel()} values")
