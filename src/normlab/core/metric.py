"""What a task measures of a net: a name, a direction, a unit, and what a failed run counts as."""

from dataclasses import dataclass
from typing import Literal

Direction = Literal["up", "down"]


@dataclass(frozen=True)
class Metric:
    """A number that a task measures on a split.

    Attributes:
        name: as it stands in the columns of a record.
        better: whether more or less of it is better.
        unit: of the number.
        failed: the fact of a run that one that diverged counts as (``chance``: predicting at random); None: it has no such number.
    """

    name: str
    better: Direction
    unit: str
    failed: str | None = None


LOSS = Metric("loss", "down", "nats")
ACCURACY = Metric("accuracy", "up", "share of samples", failed="chance")
ERROR = Metric("error", "down", "share of the targets' variance", failed="chance_error")
FRECHET = Metric("frechet", "down", "squared distance in a classifier's features")
PRECISION = Metric("precision", "up", "share of made images", failed="nothing")
RECALL = Metric("recall", "up", "share of real images", failed="nothing")
IOU = Metric("iou", "up", "mean over classes of intersection over union", failed="nothing")
AVERAGE_PRECISION = Metric("average_precision", "up", "mean average precision (COCO)", failed="nothing")
RETURN = Metric("return", "up", "reward an episode", failed="random_return")
CLASSIFICATION = {metric.name: metric for metric in (ACCURACY, LOSS)}
REGRESSION = {metric.name: metric for metric in (ERROR,)}
GENERATION = {metric.name: metric for metric in (FRECHET, PRECISION, RECALL)}
SCENES = {metric.name: metric for metric in (IOU, AVERAGE_PRECISION)}
METRICS = CLASSIFICATION | REGRESSION | GENERATION | SCENES | {RETURN.name: RETURN}
