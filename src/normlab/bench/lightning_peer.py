"""A peer: Lightning's Trainer on the same net and loaders, as it comes and stripped of everything that can be turned off."""

import contextlib
import io
import logging
import tempfile
import time
import warnings
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from normlab.bench.crew import Turns
from normlab.bench.script_peer import WARM, load, make_plain_net, torchvision_set
from normlab.config import RunConfig
from normlab.data.sources import torchvision_datasets

torchvision_datasets()  # Before Lightning, whose own import of torchvision fails beside a CPU build of torch.
import lightning  # noqa: E402

STRIPPED = {
    "logger": False,
    "enable_checkpointing": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
}


class Classifier(lightning.LightningModule):
    """The net, its loss and its optimizer."""

    def __init__(self, config: RunConfig) -> None:
        super().__init__()
        self.net = make_plain_net(config)
        self.lr = config.optimizer.lr

    def training_step(self, batch: Any, _: int) -> Tensor:
        inputs, targets = batch
        loss = F.cross_entropy(self.net(inputs), targets)
        self.log("train_loss", loss, prog_bar=True)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=self.lr, momentum=0.9)


class Clock(lightning.Callback):
    """The seconds from the end of the warm steps to the end of the last."""

    def __init__(self) -> None:
        self.started = self.ended = 0.0

    def on_train_batch_end(self, *_: Any, **__: Any) -> None:
        self.steps += 1
        self.ended = time.perf_counter()
        if self.steps == WARM:
            self.started = self.ended

    def on_train_start(self, *_: Any) -> None:
        self.steps = 0


def trainers(config: RunConfig, steps: int) -> Turns:
    """Turns of ``steps`` steps, by the Trainer's defaults and stripped, with 0 and 2 loader workers: samples a second."""
    warnings.filterwarnings("ignore")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    images = torchvision_set(config)
    torch.manual_seed(0)
    module = Classifier(config)

    def turn(options: dict[str, Any], workers: int) -> float:
        clock = Clock()
        loader = load(images, config.data.batch_size, workers)
        trainer = lightning.Trainer(
            accelerator="cpu",
            max_epochs=1,
            limit_train_batches=WARM + steps,
            callbacks=[clock],
            default_root_dir=folder.name,
            **options,
        )
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            trainer.fit(module, loader)
        return steps * config.data.batch_size / (clock.ended - clock.started)

    folder = tempfile.TemporaryDirectory()
    return {
        f"{label}, {workers} workers": (lambda o=options, w=workers: turn(o, w))  # type: ignore[misc]
        for label, options in (("default", {}), ("stripped", STRIPPED))
        for workers in (0, 2)
    }
