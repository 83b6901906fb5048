"""Detection: which things stand in a scene, each with its class and a box around it."""

import contextlib
import io
import math
from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from normlab.config import DataConfig, NetConfig, RunConfig
from normlab.core.metric import AVERAGE_PRECISION
from normlab.data import find_image_set
from normlab.data.batches import Split, Splits
from normlab.data.scenes import SCENES, SIDE, VERSION, Scenes, load_scenes, standardized
from normlab.errors import NormlabError
from normlab.nets import detector, make_net, net_version
from normlab.nets.detector import BOX, STRIDE
from normlab.tasks.supervised import Supervised
from normlab.tasks.task import Task
from normlab.training.objective import Objective

NETS = {"detector": (detector.build, 1)}
SHAPE = (1, SIDE, SIDE)
PLACES = SIDE // STRIDE
FOUND = 20  # boxes at most that a scene is said to have
NEAR = 0.7  # how fast what is expected about a centre falls, in places of the map
BOX_WEIGHT = 1.0  # of the boxes' loss beside that of the centres
EXTRA = "normlab[detection]"
ARITHMETIC = 1  # bumped when targets, loss or prior change; part of every run's key


def targets(scenes: Scenes, classes: int) -> Tensor:
    """(N, classes + 5, 12, 12): for each class how near a centre is (1 at it, exp(−d²/2·0.7²) at d places from it), the box at a centre
    as distances of its four sides from the middle of the place, in places, and whether the place is a centre.
    """
    made = torch.zeros(len(scenes), classes + BOX + 1, PLACES, PLACES)
    rows, columns = torch.meshgrid(torch.arange(PLACES), torch.arange(PLACES), indexing="ij")
    for scene, thing in (scenes.classes >= 0).nonzero().tolist():
        left, top, right, bottom = (scenes.boxes[scene, thing] / STRIDE).tolist()
        row, column = int((top + bottom) / 2), int((left + right) / 2)
        apart = (rows - row).square() + (columns - column).square()
        heat = made[scene, int(scenes.classes[scene, thing])]
        torch.maximum(heat, torch.exp(-apart / (2 * NEAR**2)), out=heat)
        x, y = column + 0.5, row + 0.5
        made[scene, classes:, row, column] = torch.tensor([x - left, y - top, right - x, bottom - y, 1.0])
    return made


def loss(outputs: Tensor, wanted: Tensor) -> Tensor:
    """Of centres the penalty-reduced focal loss, of boxes at centres the mean distance of their sides, a thing.

    At a centre −(1 − p)² ln p, elsewhere −(1 − y)⁴ p² ln(1 − p), with p the sigmoid of the logit and y how near a centre is; the sum over
    the number of things (Zhou et al. 2019, equation 1).
    """
    classes = outputs.shape[1] - BOX
    heat, boxes, centre = wanted[:, :classes], wanted[:, classes:-1], wanted[:, -1:]
    things = centre.sum().clamp(min=1.0)
    logits, told = outputs[:, :classes], outputs[:, classes:]
    p = torch.sigmoid(logits)
    at = -((1 - p) ** 2) * F.logsigmoid(logits) * (heat == 1)
    beside = -((1 - heat) ** 4) * p**2 * F.logsigmoid(-logits) * (heat < 1)
    sides = (told - boxes).abs() * centre
    return (at.sum() + beside.sum()) / things + BOX_WEIGHT * sides.sum() / (BOX * things)


def boxes_in(outputs: Tensor) -> list[dict[str, Tensor]]:
    """The things that outputs (N, classes + 4, 12, 12) tell of: places whose score is the largest of their neighbours', the best twenty of
    each scene, as ``boxes`` (left, top, right, bottom in pixels), ``scores`` and ``labels``.
    """
    N, channels, height, width = outputs.shape
    classes = channels - BOX
    scores = torch.sigmoid(outputs[:, :classes])
    peaks = scores * (scores == F.max_pool2d(scores, 3, stride=1, padding=1))
    best, places = peaks.flatten(1).topk(min(FOUND, peaks[0].numel()))
    labels, rows, columns = places // (height * width), places // width % height, places % width
    scene = torch.arange(N)[:, None]
    sides = outputs[:, classes:].permute(0, 2, 3, 1)[scene, rows, columns]
    x, y = columns + 0.5, rows + 0.5
    left, top = x - sides[..., 0], y - sides[..., 1]
    right, bottom = (
        torch.maximum(left, x + sides[..., 2]),
        torch.maximum(top, y + sides[..., 3]),
    )  # empty, not turned inside out
    told = torch.stack([left, top, right, bottom], dim=-1) * STRIDE
    return [
        {"boxes": b[s > 0], "scores": s[s > 0], "labels": c[s > 0]} for b, s, c in zip(told, best, labels, strict=True)
    ]


def boxes_of(wanted: Tensor) -> list[dict[str, Tensor]]:
    """The things that targets tell of."""
    classes = wanted.shape[1] - BOX - 1
    found = []
    for scene in wanted:
        rows, columns = (scene[-1] > 0).nonzero().T
        sides = scene[classes:-1, rows, columns]
        x, y = columns + 0.5, rows + 0.5
        told = torch.stack([x - sides[0], y - sides[1], x + sides[2], y + sides[3]], dim=-1) * STRIDE
        found.append({"boxes": told, "labels": scene[:classes, rows, columns].argmax(0)})
    return found


def coco() -> tuple[Any, Any]:
    """What pycocotools judges with.

    Raises:
        NormlabError: where it is not installed.
    """
    try:
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval
    except ImportError:
        raise NormlabError(f"task=detection is measured by pycocotools: pip install '{EXTRA}'") from None
    return COCO, COCOeval


def average_precision(outputs: Tensor, wanted: Tensor) -> float:
    """:func:`precision_of` what outputs tell of, where targets say what stands there."""
    classes = wanted.shape[1] - BOX - 1
    return precision_of(boxes_in(outputs.cpu()), boxes_of(wanted.cpu()), classes)


def precision_of(said: list[dict[str, Tensor]], there: list[dict[str, Tensor]], classes: int) -> float:
    """The mean over classes and over overlaps of 0.5, 0.55, … 0.95 of the area under precision over recall, as COCO defines it; by
    pycocotools. ``said`` and ``there`` are things a scene, the former with scores.

    Raises:
        NormlabError: where that is not installed.
    """
    COCO, COCOeval = coco()
    told, true = _as_coco(said), _as_coco(there)
    known = {
        "images": [{"id": image} for image in range(len(there))],
        "categories": [{"id": c} for c in range(classes)],
    }
    if not (told and true):
        return 0.0
    with contextlib.redirect_stdout(io.StringIO()):  # it reports on its progress
        truth = COCO()
        truth.dataset = known | {"annotations": true}
        truth.createIndex()
        judged = COCOeval(truth, truth.loadRes(told), "bbox")
        judged.params.maxDets, judged.params.areaRng, judged.params.areaRngLbl = [FOUND], [[0, 1e10]], ["all"]
        judged.evaluate()
        judged.accumulate()
    precision = judged.eval["precision"][
        :, :, :, 0, 0
    ]  # overlaps × recalls × classes; −1 for classes that are not there
    return float(precision[precision > -1].mean())


def _as_coco(scenes: list[dict[str, Tensor]]) -> list[dict[str, Any]]:
    """Boxes with their corner and size, as pycocotools reads them."""
    found: list[dict[str, Any]] = []
    for image, things in enumerate(scenes):
        scores = things.get("scores", torch.ones(len(things["labels"])))
        for (left, top, right, bottom), label, score in zip(
            things["boxes"].tolist(), things["labels"].tolist(), scores.tolist(), strict=True
        ):
            size = [right - left, bottom - top]
            found.append(
                {"id": len(found) + 1, "image_id": image, "category_id": label, "bbox": [left, top, *size], "area": size[0] * size[1],
                 "iscrowd": 0, "score": score}
            )  # fmt: skip
    return found


def ignorance(splits: Splits) -> float:
    """The lowest loss of saying the same at every place of every scene: a score for each class, of a ladder, and the median of boxes."""
    wanted, classes = splits.train.labels.cpu(), splits.classes
    heat, centre = wanted[:, :classes].double(), wanted[:, -1] > 0
    boxes = wanted[:, classes:-1].movedim(1, -1)[centre]
    logits = torch.linspace(-15, 5, 401, dtype=torch.float64)[:, None]
    p = torch.sigmoid(logits)
    at, beside = (heat == 1).sum((0, 2, 3)), ((1 - heat) ** 4 * (heat < 1)).sum((0, 2, 3))
    told = -((1 - p) ** 2) * F.logsigmoid(logits) * at - p**2 * F.logsigmoid(-logits) * beside
    best = logits.flatten()[told.argmin(0)].float()
    said = torch.cat([best, boxes.median(0).values])
    return loss(said[None, :, None, None].expand(len(wanted), -1, PLACES, PLACES), wanted).item()


# Centres and boxes: outputs (N, classes + 4, 12, 12) and what :func:`targets` makes of scenes.
DETECT = Objective(
    {AVERAGE_PRECISION.name: AVERAGE_PRECISION},
    loss,
    lambda outputs, wanted: {AVERAGE_PRECISION.name: average_precision(outputs, wanted)},
    ignorance,
    lambda splits: {"nothing": 0.0},
)


def load(data: DataConfig, seed: int) -> Splits:
    """Scenes (N, 1, 48, 48) and their :func:`targets`.

    Raises:
        NormlabError: as :func:`normlab.data.scenes.load_scenes`.
    """
    scenes, classes = load_scenes(data, seed), find_image_set(data.name).classes

    def split(part: Scenes) -> Split:
        return Split(standardized(part, data.name), targets(part, classes))

    return Splits(split(scenes.train), split(scenes.validation), split(scenes.test), SHAPE, classes)


def make(config: RunConfig, device: torch.device, pretrained: Mapping[str, Tensor] | None) -> Supervised:
    """The net on its scenes.

    Raises:
        NormlabError: where what measures it is not installed, before hours are spent.
    """
    coco()
    return Supervised(config, load(config.data, config.seed), lambda: net_of(config), device, pretrained, DETECT)


def net_of(config: RunConfig) -> nn.Module:
    """The net."""
    classes = find_image_set(config.data.name).classes
    made = make_net(config.net, config.norm, SHAPE, classes, config.seed, NETS)
    with torch.no_grad():  # so that no place is thought to be a centre at first (Lin et al. 2017)
        head = [module for module in made.modules() if isinstance(module, nn.Conv2d)][-1]
        assert head.bias is not None
        head.bias[:classes] = -math.log((1 - 0.01) / 0.01)
    return made


def data_version(data: DataConfig) -> str:
    return f"{find_image_set(data.name).version}-scenes{VERSION}"


def version(net: NetConfig) -> str:
    return f"{net_version(net, NETS)}-{ARITHMETIC}"


def cost(config: RunConfig) -> float:
    scenes = config.training.epochs * (config.data.train_size or SCENES["train"])
    return scenes * sum(config.net.widths) ** 2 * 1e-4


TASK = Task(
    "detection",
    {AVERAGE_PRECISION.name: AVERAGE_PRECISION},
    make,
    net_of,
    data_version,
    version,
    cost,
    ("pycocotools",),
)
