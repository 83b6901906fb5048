"""The typed configuration of one run.

Hydra composes YAML groups into a plain dictionary; :class:`RunConfig` checks it. Nothing below this file reads a
DictConfig. A field's default is what the field means when absent, for good: run keys leave default values out, so a new
field with a default voids no earlier run, and changing a default would silently change what earlier keys mean.
"""

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, PositiveFloat, model_validator

from normlab.core.schema import Count, ProperShare, Share, Strict, check
from normlab.errors import NormlabError

ROUTES = ("running", "recalibrated", "batch")
DECAYS = (0.0, 0.5, 0.9, 0.99, 0.999, 0.9999)


class ShiftConfig(Strict):
    """An abrupt change of the (standardized) inputs during training: x → scale·x + offset from ``start`` on.

    ``start`` is a fraction of all steps, ``scale`` not 0. Validation and test inputs are shifted in the same way.
    """

    start: ProperShare
    scale: float = 1.0
    offset: float = 0.0

    @model_validator(mode="after")
    def _images_are_left(self) -> Self:
        if self.scale == 0:
            raise ValueError("data.shift.scale=0 leaves nothing of the images")
        return self


class DataConfig(Strict):
    """Which images, how many, in which batches. Sizes of None mean the whole split.

    Noise spoils training images alone, for good: ``label_noise`` is the share of labels that become another class drawn
    at random, ``pixel_noise`` the standard deviation of what is added to each (standardized) pixel. ``classes`` keeps the images
    of these classes alone, which are then numbered from 0. ``permuted`` shuffles the pixels of all images in one and the same way, so that
    what is near in them says nothing. ``enlarge`` shows every pixel k × k times.
    """

    name: str
    train_size: Count | None = None
    validation_size: Count = 1000
    test_size: Count | None = None
    batch_size: Count = 128
    augment: Literal["none", "crop", "flip_crop"] = "none"
    repeats: Count = 1
    shift: ShiftConfig | None = None
    label_noise: Share = 0.0
    pixel_noise: NonNegativeFloat = 0.0
    classes: tuple[int, ...] | None = None
    permuted: bool = False
    enlarge: Count = 1

    @model_validator(mode="after")
    def _permuted_images_do_not_move(self) -> Self:
        if self.permuted and self.augment != "none":
            raise ValueError(f"data.permuted: shuffled pixels cannot be moved as data.augment={self.augment} does")
        return self

    @model_validator(mode="after")
    def _copies_fill_the_batch(self) -> Self:
        if self.batch_size % self.repeats:
            raise ValueError(f"data.repeats={self.repeats} does not divide data.batch_size={self.batch_size}")
        return self


class NormConfig(BaseModel):
    """A method by name, with the options that this method takes (None: not one of its options).

    ``weight_init`` and ``bias_init`` are where γ and β start, 1 and 0 if not set.
    """

    model_config = ConfigDict(extra="allow", frozen=True, allow_inf_nan=False)

    name: str
    eps: NonNegativeFloat | None = None
    momentum: Share | None = None
    affine: bool | None = None
    num_groups: Count | None = None
    statistics_batch: Count | None = None
    target: str | None = None
    weight_init: float | None = None
    bias_init: float | None = None

    @model_validator(mode="after")
    def _options_have_values(self) -> Self:
        for name in ("eps", "momentum", "affine", "num_groups"):
            if name in self.model_fields_set and getattr(self, name) is None:
                raise ValueError(f"norm.{name}=null: an option has a value; leave it out for the method's own")
        for name, value in (self.model_extra or {}).items():
            if isinstance(value, float) and not math.isfinite(value):
                raise ValueError(f"norm.{name}={value}: an option is a finite number")
        return self

    def options(self) -> dict[str, Any]:
        """What the method's builder takes: everything that is set, but the name and the start of γ and β."""
        fields = self.model_dump(
            include=set(type(self).model_fields), exclude={"name", "weight_init", "bias_init"}, exclude_none=True
        )
        return fields | (self.model_extra or {})


class InitConfig(Strict):
    """Initial weights: a scheme and a factor on its standard deviation, of all layers or of convolutions alone; other layers then start by
    ``kaiming``.
    """

    scheme: Literal["kaiming", "xavier", "orthogonal", "normal", "uniform"] = "kaiming"
    gain: PositiveFloat = 1.0
    layers: Literal["all", "conv"] = "all"


Depth = Annotated[int, Field(gt=0, le=10_000)]


class NetConfig(Strict):
    """A net, and where its norms stand.

    ``widths`` are channels a stage (CNN, ResNet) or features a layer (MLP); ``depth`` is convolutions a stage (CNN, one
    number for all or a list), layers of each width (MLP) or the ResNet's 6n+2. ``head`` says how a CNN's maps become features: by
    a global ``average``, or by one more 2×2 max-pool and ``flatten``. ``norm_in`` says which layers have norms: ``conv``, ``fc``, or
    ``all``, where a method that cannot stand is refused; ``both`` is ``all`` with the identity in such places, so that arms may
    differ in more than the norm. ``zero_init_residual`` starts the last γ of every residual branch at
    0, so that each block starts as its skip. ``dropout`` is the probability with which an activation before the head is set to 0;
    ``disturbance`` the size of random scales and shifts behind every norm of a chain, whose distribution ``disturbance_moves``
    from step to step or not. ``state_noise`` is the deviation of normal noise on the first state of recurrent nets while they train.
    ``target`` is a net of one's own (``custom``), called with ``options``.
    """

    name: str
    widths: tuple[Count, ...]
    depth: Depth | tuple[Depth, ...] = 1
    head: Literal["average", "flatten"] = "average"
    hidden: Count | None = None
    activation: Literal["relu", "tanh", "sigmoid", "gelu"] = "relu"
    placement: Literal["before", "after", "pre"] = "before"
    norm_in: Literal["both", "conv", "fc", "all"] = "both"
    init: InitConfig = InitConfig()
    zero_init_residual: bool = False
    dropout: ProperShare = 0.0
    disturbance: NonNegativeFloat = 0.0
    disturbance_moves: bool = True
    state_noise: NonNegativeFloat = 0.0
    target: str | None = None
    options: dict[str, Any] = {}

    @model_validator(mode="before")
    @classmethod
    def _ones_own_has_widths_of_its_own(cls, values: Any) -> Any:
        return {"widths": (), **values} if isinstance(values, Mapping) and values.get("name") == "custom" else values

    @model_validator(mode="after")
    def _depth_fits_the_net(self) -> Self:
        if self.target is None and self.name == "custom":
            raise ValueError("net=custom is a net of your own; name it, net.target=my_pkg.MyNet")
        if self.name == "custom":
            own = {"name", "target", "options"} | (set() if self.widths else {"widths"})
            if other := sorted(set(self.model_dump(exclude_defaults=True)) - own):
                raise ValueError(
                    f"net.{other[0]}: a net of your own decides that itself; give it what it takes as net.options"
                )
        if not self.widths and self.name not in ("linear", "custom"):
            raise ValueError(
                f"net.widths=[]: net={self.name} has at least one; only net=linear and net=custom have none"
            )
        if isinstance(self.depth, tuple) and (self.name != "cnn" or len(self.depth) != len(self.widths)):
            raise ValueError(
                f"net.depth={list(self.depth)}: only net=cnn takes a depth a stage, one for each of its {len(self.widths)} stages"
            )
        if self.head != "average" and self.name != "cnn":
            raise ValueError(f"net.head={self.head} is a choice of net=cnn; net={self.name} has a head of its own")
        return self

    @property
    def depths(self) -> tuple[int, ...]:
        """Layers in each stage, or of each width."""
        return self.depth if isinstance(self.depth, tuple) else (self.depth,) * len(self.widths)

    @property
    def blocks(self) -> int:
        """Residual blocks a stage of a ResNet, whose depth is 6n+2.

        Raises:
            NormlabError: for any other depth.
        """
        if not isinstance(self.depth, int) or self.depth < 8 or (self.depth - 2) % 6:
            raise NormlabError(f"net.depth={self.depth}: a ResNet's depth is 6n+2 (8, 14, 20, …)")
        return (self.depth - 2) // 6


OPTIMIZER_OPTIONS: dict[str, tuple[str, ...]] = {
    "sgd": ("momentum", "nesterov"),
    "adam": ("betas", "eps"),
    "rmsprop": ("alpha", "momentum", "eps"),
}


class OptimizerConfig(Strict):
    """An optimizer by name, with the options that it takes (None: not one of its options)."""

    name: Literal["sgd", "adam", "rmsprop"]
    lr: PositiveFloat
    weight_decay: NonNegativeFloat = 0.0
    momentum: ProperShare | None = None
    nesterov: bool | None = None
    betas: tuple[ProperShare, ProperShare] | None = None
    alpha: ProperShare | None = None
    eps: PositiveFloat | None = None

    @model_validator(mode="after")
    def _options_are_its_own(self) -> Self:
        own = OPTIMIZER_OPTIONS[self.name]
        for name in {name for names in OPTIMIZER_OPTIONS.values() for name in names}:
            if name in self.model_fields_set and getattr(self, name) is None:
                raise ValueError(f"optimizer.{name}=null: an option has a value; leave it out for the optimizer's own")
            if getattr(self, name) is not None and name not in own:
                raise ValueError(f"optimizer.{name}: {self.name} takes {', '.join(own)}")
        if self.nesterov and not self.momentum:
            raise ValueError("optimizer.nesterov=true needs optimizer.momentum above 0")
        return self


class ScheduleConfig(Strict):
    """The learning rate over the steps; ``warmup`` is the rising fraction of one-cycle."""

    name: Literal["constant", "cosine", "one_cycle"] = "constant"
    warmup: Annotated[float, Field(gt=0, lt=1)] | None = None

    @model_validator(mode="after")
    def _only_one_cycle_warms_up(self) -> Self:
        if self.warmup is not None and self.name != "one_cycle":
            raise ValueError(f"schedule.warmup is an option of schedule=one_cycle, not of {self.name}")
        return self


class StopConfig(Strict):
    """Training stops where a measure is reached, looked at after every ``every`` steps: the mean training loss of those steps is
    at most ``at``; or with recalibrated statistics, since running averages lag behind the weights, the loss on ``images`` training
    images (``train_set_loss``) at most, or the validation accuracy at least ``at``. For comparisons at matched states. The fewer the
    images, the more often it is luck that stops a net, of nets whose loss jumps more than of others.
    """

    measure: Literal["train_loss", "train_set_loss", "validation_accuracy"]
    at: PositiveFloat
    every: Count = 10
    images: Count = 500


class TrainingConfig(Strict):
    """How long, and what is done to gradients. One optimizer step sees ``accumulate`` batches.

    ``epochs: 0`` leaves the initial weights as they are, for evaluations of them; else there is at least one step.
    ``statistics`` is what batch norms normalize by: those of the ``batch``, as ever, or all through training the running ones
    that the net ``stored`` in pre-training, or ones taken once from the training images as they first are (``target``), before the
    first step.
    """

    epochs: Annotated[float, Field(ge=0, le=1e6)]
    accumulate: Count = 1
    clip_norm: PositiveFloat | None = None
    stop: StopConfig | None = None
    statistics: Literal["batch", "stored", "target"] = "batch"


class SourceConfig(Strict):
    """What a net was pre-trained on, for how long, and at which rate; all else is as in the run that starts from it."""

    data: DataConfig
    epochs: Annotated[float, Field(gt=0, le=1e6)]
    lr: PositiveFloat


class NumericsConfig(Strict):
    """What the arithmetic runs on. ``threads`` is the one field here that is not part of a run's key.

    ``amp`` computes convolutions and matrix products in bfloat16, norms in float32. ``cuda_graph`` captures the net's
    forward and backward pass once and replays it, without the processor's part of each kernel's launch; nets
    with dropout or checkpoints are not captured. ``checkpoint`` keeps fewer activations for the backward pass and computes
    the others again.
    """

    device: Literal["auto", "cpu", "cuda"] = "auto"
    dtype: Literal["float32"] = "float32"
    amp: bool = False
    layout: Literal["channels_last", "contiguous"] = "channels_last"
    cuda_graph: bool = False
    checkpoint: bool = False
    threads: Annotated[int, Field(gt=0, le=1024)] = 1


Final = Literal["validation", "running", "recalibrated", "statistics", "all"]
FINALS: tuple[Final, ...] = ("validation", "running", "recalibrated", "statistics", "all")  # each holds those before it


class MeasureConfig(Strict):
    """What is measured on the way and at the end. It changes no weight, so it is never part of a run's key.

    ``final`` says on what a finished net is measured: the ``validation`` split alone, as runs need that only serve to choose by; all
    splits with ``running`` averages; also with ``recalibrated`` ones; with all kinds of ``statistics``, each batch's own among them; or
    ``all``, running averages of other decays than its own, too. The more, the longer.
    ``train_set`` adds to the history loss and accuracy on training images, and accuracy on validation ones, with recalibrated
    statistics. ``phases`` adds running averages whose decay changes on the way: pairs of a fraction of all steps and the decay
    from there on, the first from 0.
    """

    log_every: Count = 10
    validate_every: PositiveFloat = 1.0
    probe_loss: bool = False
    train_set: bool = False
    final: Final = "all"
    phases: tuple[tuple[ProperShare, Share], ...] | None = None

    @model_validator(mode="after")
    def _phases_start_and_rise(self) -> Self:
        starts = [start for start, _ in self.phases or ()]
        if starts and (starts[0] != 0 or starts != sorted(set(starts)) or starts[-1] >= 1):
            raise ValueError(f"measure.phases must start at 0 and rise to less than 1, got {starts}")
        return self

    def covers(self, wanted: "MeasureConfig") -> bool:
        """Whether a run measured like this holds everything that ``wanted`` asks for."""
        ratio = wanted.validate_every / self.validate_every
        return (
            self.log_every <= wanted.log_every
            and ratio >= 1 - 1e-9
            and abs(ratio - round(ratio)) < 1e-9
            and (self.probe_loss or not wanted.probe_loss)
            and (self.train_set or not wanted.train_set)
            and FINALS.index(self.final) >= FINALS.index(wanted.final)
            and wanted.phases in (None, self.phases)
        )

    def joined(self, other: "MeasureConfig") -> "MeasureConfig":
        """What covers both, for intervals of which one divides the other."""
        return MeasureConfig(
            log_every=min(self.log_every, other.log_every),
            validate_every=min(self.validate_every, other.validate_every),
            probe_loss=self.probe_loss or other.probe_loss,
            train_set=self.train_set or other.train_set,
            final=max(self.final, other.final, key=FINALS.index),
            phases=self.phases or other.phases,
        )


class RunConfig(Strict):
    """Everything that decides one run, and what is measured on the way.

    With ``source`` the net is not initialized at random but pre-trained there, all but its last linear layer. ``task`` says what is
    learned (:mod:`normlab.tasks`).
    """

    data: DataConfig
    net: NetConfig
    norm: NormConfig
    optimizer: OptimizerConfig
    schedule: ScheduleConfig
    training: TrainingConfig
    numerics: NumericsConfig
    measure: MeasureConfig
    seed: Annotated[int, Field(ge=0, lt=2**63)]
    source: SourceConfig | None = None
    task: str = "images"

    def plain(self) -> dict[str, Any]:
        """As plain data, which :meth:`parse` takes back: for plans, processes and files."""
        return self.model_dump(mode="json", exclude_none=True)

    @property
    def targets(self) -> dict[str, str]:
        """What is of the user's own, by where it stands."""
        named = {"norm.target": self.norm.target, "net.target": self.net.target}
        return {key: target for key, target in named.items() if target}

    @property
    def pretraining(self) -> "RunConfig | None":
        """The run whose weights this one starts from."""
        if self.source is None:
            return None
        return self.model_copy(
            update={
                "data": self.source.data,
                "optimizer": self.optimizer.model_copy(update={"lr": self.source.lr}),
                "training": self.training.model_copy(
                    update={"epochs": self.source.epochs, "stop": None, "statistics": "batch"}
                ),
                "measure": MeasureConfig(final="validation"),
                "source": None,
            }
        )

    @model_validator(mode="after")
    def _stored_statistics_come_from_somewhere(self) -> Self:
        kind = self.training.statistics
        if kind != "batch" and self.source is None:
            raise ValueError(f"training.statistics={kind} is for nets that were pre-trained: set source")
        if kind != "batch" and (self.training.stop or self.measure.train_set):
            raise ValueError(f"training.statistics={kind} goes with neither training.stop nor measure.train_set")
        return self

    @model_validator(mode="after")
    def _ghosts_fill_the_batch(self) -> Self:
        ghost = self.norm.statistics_batch
        for data in (self.data, *([self.source.data] if self.source else ())):
            if ghost and data.batch_size % ghost:
                raise ValueError(f"norm.statistics_batch={ghost} does not divide data.batch_size={data.batch_size}")
        return self

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> "RunConfig":
        """Check a composed configuration.

        Raises:
            NormlabError: with the path of each bad value and what was expected.
        """
        return check(cls, values)
