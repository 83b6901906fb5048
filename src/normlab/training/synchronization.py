"""What synchronized batch norm costs: seconds and bytes of a training step over several processes of one machine."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, distributed, nn

from normlab.config import RunConfig
from normlab.errors import NormlabError
from normlab.norms.shards import leave_group
from normlab.norms.sync import SyncBatchNorm
from normlab.training.device import set_up
from normlab.training.timing import seconds_of, stepper

PROCESSES = (2, 4)
ROUNDS = 12


def synchronization_costs(configs: Sequence[RunConfig]) -> list[dict[str, float]]:
    """For each configuration, over P = 2 and 4 processes with a batch each of the configured size: ``step_<P>`` and
    ``unsynchronized_<P>``, median seconds of a training step with the same norm synchronized and not, in turns, as the
    slowest process sees it; ``bytes_<P>``, what one process hands to the all-reduces of a step.

    Gradients are not exchanged, and both arms run the same code but for the exchange of statistics, so that the difference
    is the exchange's alone. More processes than cores share them.
    """
    return [{k: v for count in PROCESSES for k, v in _over(count, config).items()} for config in configs]


def _over(count: int, config: RunConfig) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        job = json.dumps([count, folder, config.plain()])
        started = [
            subprocess.Popen([sys.executable, "-m", __name__, str(rank), job], stdout=subprocess.PIPE, text=True)
            for rank in range(count)
        ]
        outputs = [process.communicate()[0] for process in started]
    if any(process.returncode for process in started):
        raise NormlabError("the processes of synchronized batch norm failed; see above")
    found: dict[str, float] = json.loads(outputs[0])
    return found


def _process(rank: int, count: int, folder: str, values: dict[str, Any]) -> None:
    base = RunConfig.parse(values)
    device = set_up(base.numerics)
    distributed.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=count)
    own = base.model_copy(update={"seed": base.seed + rank})
    steps = {
        f"step_{count}": stepper(own, base.numerics.layout, device),
        f"unsynchronized_{count}": stepper(own, base.numerics.layout, device, _unsynchronized),
    }
    sent = _bytes_of(steps[f"step_{count}"])
    samples: dict[str, list[float]] = {arm: [] for arm in steps}
    for _ in range(ROUNDS):
        for arm, step in steps.items():
            distributed.barrier()
            samples[arm].append(seconds_of(step, 5))
    medians = torch.tensor([sorted(samples[arm])[ROUNDS // 2] for arm in steps])
    distributed.all_reduce(medians, distributed.ReduceOp.MAX)
    if rank == 0:
        print(json.dumps(dict(zip(steps, medians.tolist(), strict=True)) | {f"bytes_{count}": sent}))
    leave_group()


def _unsynchronized(net: nn.Module) -> nn.Module:
    for module in net.modules():
        if isinstance(module, SyncBatchNorm):
            module.synchronized = False
    return net


def _bytes_of(step: Callable[[], object]) -> float:
    """What a step hands to all-reduces."""
    sent, original = [0], distributed.all_reduce

    def counting(tensor: Tensor, *arguments: Any, **options: Any) -> Any:
        sent[0] += tensor.numel() * tensor.element_size()
        return original(tensor, *arguments, **options)

    distributed.all_reduce = counting
    try:
        step()
    finally:
        distributed.all_reduce = original
    return float(sent[0])


if __name__ == "__main__":
    _process(int(sys.argv[1]), *json.loads(sys.argv[2]))
